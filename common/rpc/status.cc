#include "common/rpc/status.h"

#include <google/protobuf/any.pb.h>
#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>

#include <utility>

#include "absl/strings/cord.h"
#include "common/config/utf8.h"

namespace krypton::rpc {
namespace {

constexpr char kDomain[] = "krypton.ai";
constexpr char kTypeUrlPrefix[] = "type.googleapis.com/";
// With its details an error must fit into trailers of 8 KiB.
constexpr size_t kMaxMessageBytes = 1024;

std::string TypeUrl(const google::protobuf::Message& message) {
  return kTypeUrlPrefix + message.GetDescriptor()->full_name();
}

google::rpc::ErrorInfo Info(std::string reason, std::map<std::string, std::string> metadata) {
  google::rpc::ErrorInfo info;
  info.set_reason(std::move(reason));
  info.set_domain(kDomain);
  for (auto& [key, value] : metadata) (*info.mutable_metadata())[key] = std::move(value);
  return info;
}

void Append(google::rpc::Status& wire, const std::string& type_url, const absl::Cord& payload) {
  google::protobuf::Any& detail = *wire.add_details();
  detail.set_type_url(type_url);
  detail.set_value(std::string(payload));
}

}  // namespace

absl::Status Error(absl::StatusCode code, std::string reason, std::string message,
                   std::map<std::string, std::string> metadata) {
  absl::Status status(code, message);
  AddDetail(status, Info(std::move(reason), std::move(metadata)));
  return status;
}

absl::Status InvalidField(std::string field, std::string message) {
  absl::Status status = Error(absl::StatusCode::kInvalidArgument, "INVALID_FIELD",
                              field + ": " + message, {{"field", field}});
  google::rpc::BadRequest bad_request;
  auto& violation = *bad_request.add_field_violations();
  violation.set_field(std::move(field));
  violation.set_description(std::move(message));
  AddDetail(status, bad_request);
  return status;
}

void AddDetail(absl::Status& status, const google::protobuf::Message& detail) {
  status.SetPayload(TypeUrl(detail), absl::Cord(detail.SerializeAsString()));
}

std::string Reason(const absl::Status& status) {
  google::rpc::ErrorInfo info;
  return GetDetail(status, info) ? info.reason() : "";
}

bool GetDetail(const absl::Status& status, google::protobuf::Message& detail) {
  const auto payload = status.GetPayload(TypeUrl(detail));
  return payload.has_value() && detail.ParseFromString(std::string(*payload));
}

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const std::string message = config::CutUtf8(std::string(status.message()), kMaxMessageBytes);
  google::rpc::Status wire;
  wire.set_code(static_cast<int>(status.code()));
  wire.set_message(message);
  const std::string info_url = TypeUrl(google::rpc::ErrorInfo());
  if (const auto info = status.GetPayload(info_url)) {
    Append(wire, info_url, *info);
  } else {
    const std::string reason = absl::StatusCodeToString(status.code());
    Append(wire, info_url, absl::Cord(Info(reason, {}).SerializeAsString()));
  }
  status.ForEachPayload([&](absl::string_view type_url, const absl::Cord& payload) {
    const std::string url(type_url);
    if (url != info_url && url.starts_with(kTypeUrlPrefix)) Append(wire, url, payload);
  });
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), message,
                      wire.SerializeAsString());
}

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  google::rpc::Status wire;
  if (status.error_details().empty() || !wire.ParseFromString(status.error_details())) {
    return result;
  }
  for (const auto& detail : wire.details()) {
    result.SetPayload(detail.type_url(), absl::Cord(detail.value()));
  }
  return result;
}

}  // namespace krypton::rpc
