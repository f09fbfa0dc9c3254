#include "integration/oracle/service.h"

#include <google/protobuf/util/time_util.h>
#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>
#include <grpcpp/alarm.h>

#include <limits>
#include <map>

namespace krypton::oracle {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;
using grpc::Status;

ServerUnaryReactor* Finish(CallbackServerContext* context, Status status = Status::OK) {
  ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(status);
  return reactor;
}

void MakeNumbers(v1::Everything& all) {
  all.set_i32(std::numeric_limits<int32_t>::min());
  all.set_i64(std::numeric_limits<int64_t>::min());
  all.set_u32(std::numeric_limits<uint32_t>::max());
  all.set_u64(std::numeric_limits<uint64_t>::max());
  all.set_f(0.1f);
  all.set_d(1e300);
  all.set_si64(-9007199254740993);
  all.set_fx64(9007199254740993);
  all.set_sfx32(-7);
  all.add_r_i64(1);
  all.mutable_w_i64()->set_value(std::numeric_limits<int64_t>::max());
  all.mutable_w_u64()->set_value(3);
  all.mutable_w_d()->set_value(2.5);
  all.mutable_w_f()->set_value(1e20f);
}

void MakeKnown(v1::Everything& all) {
  all.mutable_timestamp()->set_seconds(1700000000);
  all.mutable_timestamp()->set_nanos(120000000);
  all.mutable_duration()->set_seconds(-1);
  all.mutable_duration()->set_nanos(-500000000);
  all.mutable_mask()->add_paths("sub.a_b");
  all.mutable_mask()->add_paths("o_s");
  auto& fields = *all.mutable_struct_()->mutable_fields();
  fields["null"].set_null_value(google::protobuf::NULL_VALUE);
  fields["list"].mutable_list_value()->add_values()->set_number_value(1.5);
  fields["text"].set_string_value("x\"\\\n\t\x01<>&\xE2\x80\xA8");
  all.mutable_value()->set_bool_value(true);
  all.mutable_list_value()->add_values()->set_string_value("one");
  all.mutable_empty();
  all.mutable_w_b();
  all.mutable_w_s();
  all.mutable_w_by()->set_value("\xff\xfe");
  all.set_choice_null(google::protobuf::NULL_VALUE);
  for (const int nanos : {0, 1000, 1}) {
    auto* time = all.add_r_timestamp();
    time->set_seconds(-1);
    time->set_nanos(nanos);
  }
}

void MakeMaps(v1::Everything& all) {
  (*all.mutable_m_s())["k\"ey"] = "v";
  (*all.mutable_m_i())[-5] = 6;
  (*all.mutable_m_b())[true] = v1::COLOR_RED;
  (*all.mutable_m_b())[false] = static_cast<v1::Color>(77);
  (*all.mutable_m_sub())["one"].set_a_b("x");
  all.add_r_color(v1::COLOR_BLUE);
  all.add_r_color(static_cast<v1::Color>(9));
  all.add_r_sub();
  all.set_o_s("");
  all.mutable_choice_sub();
}

void MakeAnys(const std::string& what, v1::Everything& all) {
  if (what == "any") {
    google::rpc::ErrorInfo info;
    info.set_reason("R");
    all.mutable_any()->PackFrom(info);
  } else if (what == "any-known") {
    all.mutable_any()->PackFrom(google::protobuf::util::TimeUtil::SecondsToDuration(3));
  } else if (what == "any-empty") {
    all.mutable_any();
  } else if (what == "any-unknown") {
    all.mutable_any()->set_type_url("type.googleapis.com/no.such.Type");
  }
}

// Statuses that carry google.rpc details.
std::string Details(const v1::FailRequest& request) {
  google::rpc::Status status;
  status.set_code(request.code());
  status.set_message(request.message());
  if (request.detail() == "ErrorInfo") {
    google::rpc::ErrorInfo info;
    info.set_reason("AGENT_NOT_FOUND");
    info.set_domain("krypton.ai");
    (*info.mutable_metadata())["agent"] = "default/echo";
    status.add_details()->PackFrom(info);
  } else if (request.detail() == "BadRequest") {
    google::rpc::BadRequest bad;
    auto* violation = bad.add_field_violations();
    violation->set_field("page_size");
    violation->set_description("negative");
    status.add_details()->PackFrom(bad);
  } else if (request.detail() == "RetryInfo") {
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(2);
    status.add_details()->PackFrom(retry);
  } else if (request.detail() == "unknown") {
    status.add_details()->set_type_url("type.googleapis.com/no.such.Type");
  } else {
    return "";
  }
  return status.SerializeAsString();
}

template <typename Context>
void SendMetadata(Context* context, const google::protobuf::Map<std::string, std::string>& map) {
  for (const auto& [key, value] : map) context->AddInitialMetadata(key, value);
}

class WaitReactor : public ServerUnaryReactor {
 public:
  WaitReactor(Service& service, const google::protobuf::Duration& time) : service_(service) {
    const auto end =
        std::chrono::system_clock::now() +
        std::chrono::milliseconds(google::protobuf::util::TimeUtil::DurationToMilliseconds(time));
    alarm_.Set(end, [this](bool expired) {
      Finish(expired ? Status::OK : Status(grpc::StatusCode::CANCELLED, "cancelled"));
    });
  }
  void OnCancel() override {
    service_.AddCancelled();
    alarm_.Cancel();
  }
  void OnDone() override { delete this; }

 private:
  Service& service_;
  grpc::Alarm alarm_;
};

// Count -1 never ends; below that it sends nothing, and does not end either.
class CountReactor : public grpc::ServerWriteReactor<v1::CountItem> {
 public:
  CountReactor(Service& service, const v1::CountRequest& request)
      : service_(service), count_(request.count()), fail_(request.fail()) {
    Next();
  }
  void OnWriteDone(bool ok) override {
    if (ok) return Next();
    Finish(Status(grpc::StatusCode::CANCELLED, "cancelled"));
  }
  void OnCancel() override {
    service_.AddCancelled();
    if (count_ < -1) Finish(Status::CANCELLED);
  }
  void OnDone() override { delete this; }

 private:
  void Next() {
    if (count_ < -1) return;
    if (number_ == count_) {
      Finish(fail_ == 0 ? Status::OK
                        : Status(static_cast<grpc::StatusCode>(fail_), "failed as asked"));
      return;
    }
    item_.set_number(++number_);
    if (number_ % 2 == 0) item_.mutable_sub()->set_count(static_cast<int>(number_));
    StartWrite(&item_);
  }

  Service& service_;
  const int64_t count_;
  const int fail_;
  int64_t number_ = 0;
  v1::CountItem item_;
};

class FileReactor : public grpc::ServerWriteReactor<google::api::HttpBody> {
 public:
  FileReactor() { OnWriteDone(true); }
  void OnWriteDone(bool ok) override {
    if (!ok || part_ == 3) {
      Finish(Status::OK);
      return;
    }
    body_.set_content_type("text/csv");
    body_.set_data("part," + std::to_string(part_++));
    StartWrite(&body_);
  }
  void OnDone() override { delete this; }

 private:
  google::api::HttpBody body_;
  int part_ = 0;
};

class SumReactor : public grpc::ServerReadReactor<v1::CountItem> {
 public:
  explicit SumReactor(v1::CountItem* response) : response_(response) { StartRead(&item_); }
  void OnReadDone(bool ok) override {
    if (!ok) {
      Finish(Status::OK);
      return;
    }
    response_->set_number(response_->number() + item_.number());
    StartRead(&item_);
  }
  void OnDone() override { delete this; }

 private:
  v1::CountItem* const response_;
  v1::CountItem item_;
};

class ChatReactor : public grpc::ServerBidiReactor<v1::CountItem, v1::CountItem> {
 public:
  ChatReactor() { StartRead(&item_); }
  void OnReadDone(bool ok) override {
    if (ok) {
      StartWrite(&item_);
    } else {
      Finish(Status::OK);
    }
  }
  void OnWriteDone(bool) override { StartRead(&item_); }
  void OnDone() override { delete this; }

 private:
  v1::CountItem item_;
};

}  // namespace

ServerUnaryReactor* Service::Echo(CallbackServerContext* context, const v1::Everything* request,
                                  v1::Everything* response) {
  *response = *request;
  return Finish(context);
}

ServerUnaryReactor* Service::EchoLater(CallbackServerContext* context,
                                       const v1::Everything* request, v1::Nested* response) {
  response->set_a_b("later: " + request->s());
  return Finish(context);
}

ServerUnaryReactor* Service::GetThing(CallbackServerContext* context,
                                      const v1::GetThingRequest* request,
                                      v1::GetThingRequest* response) {
  *response = *request;
  return Finish(context);
}

ServerUnaryReactor* Service::EchoField(CallbackServerContext* context,
                                       const v1::FieldRequest* request,
                                       v1::FieldRequest* response) {
  *response = *request;
  return Finish(context);
}

ServerUnaryReactor* Service::Make(CallbackServerContext* context, const v1::MakeRequest* request,
                                  v1::Everything* response) {
  const std::string& what = request->what();
  if (what == "numbers") MakeNumbers(*response);
  if (what == "known") MakeKnown(*response);
  if (what == "maps") MakeMaps(*response);
  if (what == "nan") response->set_d(std::numeric_limits<double>::quiet_NaN());
  if (what == "infinity") response->set_f(-std::numeric_limits<float>::infinity());
  if (what == "bad-time") response->mutable_timestamp()->set_seconds(1ll << 60);
  if (what == "bad-mask") response->mutable_mask()->add_paths("aB");
  if (what == "bad-value") response->mutable_value();
  MakeAnys(what, *response);
  return Finish(context);
}

ServerUnaryReactor* Service::MakeStruct(CallbackServerContext* context, const v1::MakeRequest*,
                                        google::protobuf::Struct* response) {
  (*response->mutable_fields())["a"].set_number_value(1);
  return Finish(context);
}

ServerUnaryReactor* Service::MakeEmpty(CallbackServerContext* context, const v1::MakeRequest*,
                                       google::protobuf::Empty*) {
  return Finish(context);
}

ServerUnaryReactor* Service::MakeText(CallbackServerContext* context, const v1::MakeRequest*,
                                      google::protobuf::StringValue* response) {
  response->set_value("text");
  return Finish(context);
}

ServerUnaryReactor* Service::Fail(CallbackServerContext* context, const v1::FailRequest* request,
                                  v1::Everything*) {
  return Finish(context, Status(static_cast<grpc::StatusCode>(request->code()), request->message(),
                                Details(*request)));
}

ServerUnaryReactor* Service::Metadata(CallbackServerContext* context,
                                      const v1::MetadataRequest* request,
                                      v1::MetadataResponse* response) {
  for (const auto& [key, value] : context->client_metadata()) {
    const std::string name(key.data(), key.size());
    if (name == "user-agent" || name.rfind("grpc-", 0) == 0) continue;  // The client library's.
    std::string& text = (*response->mutable_metadata())[name];
    if (!text.empty()) text += " | ";
    text.append(value.data(), value.size());
  }
  SendMetadata(context, request->header());
  for (const auto& [key, value] : request->trailer()) context->AddTrailingMetadata(key, value);
  if (request->fail() == 0) return Finish(context);
  return Finish(context, Status(static_cast<grpc::StatusCode>(request->fail()), "failed as asked"));
}

ServerUnaryReactor* Service::Wait(CallbackServerContext*, const v1::WaitRequest* request,
                                  v1::WaitRequest* response) {
  *response = *request;
  return new WaitReactor(*this, request->time());
}

grpc::ServerWriteReactor<v1::CountItem>* Service::Count(CallbackServerContext* context,
                                                        const v1::CountRequest* request) {
  SendMetadata(context, request->header());
  return new CountReactor(*this, *request);
}

ServerUnaryReactor* Service::GetFile(CallbackServerContext* context, const v1::MakeRequest* request,
                                     google::api::HttpBody* response) {
  response->set_content_type("text/plain; charset=utf-8");
  response->set_data("file " + request->what() + "\n");
  return Finish(context);
}

grpc::ServerWriteReactor<google::api::HttpBody>* Service::StreamFile(CallbackServerContext*,
                                                                     const v1::MakeRequest*) {
  return new FileReactor;
}

grpc::ServerReadReactor<v1::CountItem>* Service::Sum(CallbackServerContext*,
                                                     v1::CountItem* response) {
  return new SumReactor(response);
}

grpc::ServerBidiReactor<v1::CountItem, v1::CountItem>* Service::Chat(CallbackServerContext*) {
  return new ChatReactor;
}

void Service::AddCancelled() {
  const std::lock_guard lock(mutex_);
  ++cancelled_;
  changed_.notify_all();
}

int Service::cancelled() const {
  const std::lock_guard lock(mutex_);
  return cancelled_;
}

bool Service::WaitForCancelled(int count) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return cancelled_ >= count; });
}

}  // namespace krypton::oracle
