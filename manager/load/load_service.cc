#include "manager/load/load_service.h"

#include <grpcpp/security/auth_context.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <cmath>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "common/log/log.h"
#include "common/resource/key.h"
#include "common/rpc/tls.h"

namespace krypton::manager {
namespace {

constexpr double kMaxFigure = 1e7;

bool IsFigure(double value) { return std::isfinite(value) && value >= 0 && value <= kMaxFigure; }

absl::Status Invalid(absl::string_view what) { return absl::InvalidArgumentError(what); }

// Names are kept, so they are bounded.
bool IsPossible(const v1::ResourceKey& key) {
  return (key.kind() == v1::RESOURCE_KIND_AGENT || key.kind() == v1::RESOURCE_KIND_MODEL) &&
         resource::IsDnsLabel(key.namespace_()) && resource::IsDnsLabel(key.name());
}

absl::Status CheckReplica(const LoadSource& source, const v1::ReplicaLoad& load) {
  if (source.kind != v1::REPORTER_KIND_SIDECAR) return Invalid("replicas: only sidecars say them");
  if (load.instance() != source.instance) {
    return Invalid("replicas: a sidecar speaks of its own instance only");
  }
  if (!IsPossible(load.key())) return Invalid("replicas: the key names no agent and no model");
  if (!IsFigure(load.in_flight()) || !IsFigure(load.parked())) {
    return Invalid("replicas: in_flight and parked are finite and not negative");
  }
  if (load.port() < 0 || load.port() > 65535 || load.streams() < 0 || load.concurrency() < 0) {
    return Invalid("replicas: port, streams or concurrency is out of range");
  }
  return absl::OkStatus();
}

absl::Status CheckQueue(const LoadSource& source, const v1::QueueLoad& load) {
  if (source.kind != v1::REPORTER_KIND_GATEWAY) return Invalid("queues: only gateways say them");
  if (!IsPossible(load.key())) return Invalid("queues: the key names no agent and no model");
  if (load.waiting() < 0 || load.in_flight() < 0 || !IsFigure(load.waiting_mean())) {
    return Invalid("queues: the figures are finite and not negative");
  }
  if (load.waiting() > kMaxFigure || load.in_flight() > kMaxFigure) {
    return Invalid("queues: the figures are too large");
  }
  return absl::OkStatus();
}

// The resource that a sidecar's report is about.
const v1::ResourceKey& KeyOf(const v1::ReportRequest& report) {
  return report.replicas().empty() ? v1::ResourceKey::default_instance() : report.replicas(0).key();
}

// Of `authorization: Bearer TOKEN`; empty: none.
std::string BearerToken(const grpc::CallbackServerContext& context) {
  const auto& metadata = context.client_metadata();
  const auto found = metadata.find("authorization");
  if (found == metadata.end()) return "";
  absl::string_view value(found->second.data(), found->second.size());
  return absl::ConsumePrefix(&value, "Bearer ") ? std::string(value) : "";
}

// For krypton_load_reports_refused_total.
std::string_view RefusalReason(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnauthenticated:
      return "unauthenticated";
    case absl::StatusCode::kPermissionDenied:
      return "forbidden";
    case absl::StatusCode::kInvalidArgument:
      return "invalid";
    default:
      return "unproven";
  }
}

grpc::Status ToGrpc(const absl::Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()), std::string(status.message())};
}

}  // namespace

absl::Status CheckReport(const LoadSource& source, const v1::ReportRequest& report,
                         uint64_t expected_sequence) {
  if (source.kind != v1::REPORTER_KIND_SIDECAR && source.kind != v1::REPORTER_KIND_GATEWAY) {
    return Invalid("reporter.kind: the first message says SIDECAR or GATEWAY");
  }
  if (source.instance.empty() || source.instance.size() > 256) {
    return Invalid("reporter.instance: 1 to 256 bytes");
  }
  if (report.sequence() != expected_sequence) {
    return Invalid(absl::StrFormat("sequence: got %d, expected %d; begin a new stream",
                                   report.sequence(), expected_sequence));
  }
  if (report.replicas_size() > 1) return Invalid("replicas: a sidecar has one");
  for (const v1::ReplicaLoad& load : report.replicas()) {
    if (absl::Status status = CheckReplica(source, load); !status.ok()) return status;
  }
  for (const v1::QueueLoad& load : report.queues()) {
    if (absl::Status status = CheckQueue(source, load); !status.ok()) return status;
  }
  return absl::OkStatus();
}

struct LoadServiceImpl::State {
  State(LoadSettings settings_in, Clock clock_in, const Leadership& leadership_in,
        std::vector<LoadListener*> listeners_in, prometheus::Registry& metrics)
      : settings(settings_in),
        clock(std::move(clock_in)),
        leadership(leadership_in),
        listeners(std::move(listeners_in)),
        sidecars(StreamGauge(metrics, "sidecar")),
        gateways(StreamGauge(metrics, "gateway")),
        refused(prometheus::BuildCounter()
                    .Name("krypton_load_reports_refused_total")
                    .Help("Load reports that were refused; each ended its stream.")
                    .Register(metrics)),
        silent(prometheus::BuildCounter()
                   .Name("krypton_load_streams_silent_total")
                   .Help("Load streams that were ended because nothing came on them.")
                   .Register(metrics)
                   .Add({})) {
    for (const char* reason : {"invalid", "unauthenticated", "forbidden", "unproven"}) {
      refused.Add({{"reason", reason}});
    }
  }

  static prometheus::Gauge& StreamGauge(prometheus::Registry& metrics, const char* kind) {
    return prometheus::BuildGauge()
        .Name("krypton_load_streams")
        .Help("Open load streams by the kind of reporter.")
        .Register(metrics)
        .Add({{"reporter", kind}});
  }
  prometheus::Gauge& GaugeOf(v1::ReporterKind kind) {
    return kind == v1::REPORTER_KIND_GATEWAY ? gateways : sidecars;
  }

  const LoadSettings settings;
  const Clock clock;
  const Leadership& leadership;
  const std::vector<LoadListener*> listeners;
  prometheus::Gauge& sidecars;
  prometheus::Gauge& gateways;
  prometheus::Family<prometheus::Counter>& refused;
  prometheus::Counter& silent;

  std::mutex mutex;
  bool stopping ABSL_GUARDED_BY(mutex) = false;
  uint64_t last_stream ABSL_GUARDED_BY(mutex) = 0;
  absl::flat_hash_set<Stream*> streams ABSL_GUARDED_BY(mutex);
};

// One reporter. `source_`, `request_`, `key_` and `sequence_` are touched only by OnReadDone, of
// which there is one at a time, by Proven, which comes between two of them, and by OnDone, after
// which there is none.
class LoadServiceImpl::Stream
    : public grpc::ServerBidiReactor<v1::ReportRequest, v1::ReportResponse> {
 public:
  Stream(std::shared_ptr<State> state, uint64_t number) : state_(std::move(state)) {
    source_.stream = number;
    last_heard_ = state_->clock.now();
  }

  void Begin(const grpc::CallbackServerContext& context, const grpc::Status& refusal) {
    if (!refusal.ok()) return End(refusal);
    if (state_->settings.authenticator != nullptr) {
      token_ = BearerToken(context);
      if (const auto auth = context.auth_context()) peer_names_ = rpc::PeerNames(*auth);
    }
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return End(grpc::Status::OK);
    const bool first = sequence_ == 0;
    if (first) {
      source_.kind = request_.reporter().kind();
      source_.instance = request_.reporter().instance();
    }
    if (absl::Status status = Check(); !status.ok()) return Refuse(status);
    if (!first || state_->settings.authenticator == nullptr) return Take();
    {
      std::lock_guard lock(mutex_);
      proving_ = true;
    }
    state_->settings.authenticator->Authenticate(
        {source_.kind, source_.instance, KeyOf(request_), std::move(token_),
         std::move(peer_names_)},
        [this](const absl::Status& verdict) { Proven(verdict); });
  }

  void OnWriteDone(bool ok) override {
    std::lock_guard lock(mutex_);
    writing_ = false;
    if (!ok && !end_.has_value()) end_ = grpc::Status::CANCELLED;
    Pump();
  }

  void OnCancel() override { End(grpc::Status::CANCELLED); }

  void OnDone() override {
    if (introduced_) {
      state_->GaugeOf(source_.kind).Decrement();
      for (LoadListener* listener : state_->listeners) listener->OnLoadStreamEnd(source_);
    }
    {
      std::lock_guard lock(state_->mutex);
      state_->streams.erase(this);
    }
    delete this;
  }

  void End(grpc::Status status) {
    std::lock_guard lock(mutex_);
    if (end_.has_value()) return;
    end_ = std::move(status);
    Pump();
  }

  // True when this call ended it.
  bool EndIfSilent(std::chrono::steady_clock::time_point heard_before) {
    std::lock_guard lock(mutex_);
    if (end_.has_value() || last_heard_ >= heard_before) return false;
    end_ = grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "no report within the heartbeats");
    Pump();
    return true;
  }

 private:
  absl::Status Check() {
    if (absl::Status status = CheckReport(source_, request_, sequence_ + 1); !status.ok()) {
      return status;
    }
    if (source_.kind != v1::REPORTER_KIND_SIDECAR) return absl::OkStatus();
    if (request_.replicas().empty()) {
      const bool unproven = sequence_ == 0 && state_->settings.authenticator != nullptr;
      return unproven ? Invalid("replicas: a sidecar's first report names its replica")
                      : absl::OkStatus();
    }
    if (key_.name().empty()) key_ = KeyOf(request_);
    return resource::KeyEqual()(key_, KeyOf(request_))
               ? absl::OkStatus()
               : Invalid("replicas: a sidecar stands before one agent or model");
  }

  void Refuse(const absl::Status& status) {
    state_->refused.Add({{"reason", std::string(RefusalReason(status))}}).Increment();
    End(ToGrpc(status));
  }

  // By the authenticator. The stream cannot end before the last line, behind which it may be gone:
  // OnDone waits for the lock of all streams.
  void Proven(const absl::Status& verdict) {
    if (!verdict.ok()) {
      Refuse(verdict);
    } else if (!Ended()) {
      Take();
    }
    const std::shared_ptr<State> state = state_;
    std::lock_guard all(state->mutex);
    std::lock_guard lock(mutex_);
    proving_ = false;
    Pump();
  }

  bool Ended() {
    std::lock_guard lock(mutex_);
    return end_.has_value();
  }

  // Hands the report to the listeners, and reads the next one.
  void Take() {
    const bool first = sequence_ == 0;
    if (first) {
      introduced_ = true;
      state_->GaugeOf(source_.kind).Increment();
    }
    ++sequence_;
    for (LoadListener* listener : state_->listeners) listener->OnLoad(source_, request_, first);
    Acknowledge(sequence_);
    request_ =
        v1::ReportRequest();  // Clear would keep its memory, in each of thousands of streams.
    StartRead(&request_);
  }

  void Acknowledge(uint64_t sequence) {
    std::lock_guard lock(mutex_);
    last_heard_ = state_->clock.now();
    to_acknowledge_ = sequence;
    Pump();
  }

  // Writes the newest acknowledgement, or ends the stream, if it is time for it.
  void Pump() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (writing_ || proving_ || finished_) return;
    if (end_.has_value()) {
      finished_ = true;
      Finish(*end_);
    } else if (to_acknowledge_ > response_.acknowledged()) {
      writing_ = true;
      response_.set_acknowledged(to_acknowledge_);
      const Leadership::View leadership = state_->leadership.Get();
      response_.set_term(leadership.term);
      response_.set_leader_address(leadership.leader ? "" : leadership.address);
      StartWrite(&response_);
    }
  }

  const std::shared_ptr<State> state_;
  LoadSource source_;
  bool introduced_ = false;
  uint64_t sequence_ = 0;
  v1::ReportRequest request_;
  v1::ResourceKey key_;  // Of a sidecar.
  std::string token_;
  std::vector<std::string> peer_names_;

  std::mutex mutex_;
  v1::ReportResponse response_ ABSL_GUARDED_BY(mutex_);
  std::chrono::steady_clock::time_point last_heard_ ABSL_GUARDED_BY(mutex_);
  uint64_t to_acknowledge_ ABSL_GUARDED_BY(mutex_) = 0;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool proving_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<grpc::Status> end_ ABSL_GUARDED_BY(mutex_);
};

LoadServiceImpl::LoadServiceImpl(LoadSettings settings, Clock clock, const Leadership& leadership,
                                 std::vector<LoadListener*> listeners,
                                 prometheus::Registry& metrics)
    : state_(std::make_shared<State>(settings, std::move(clock), leadership, std::move(listeners),
                                     metrics)) {}

LoadServiceImpl::~LoadServiceImpl() = default;

grpc::ServerBidiReactor<v1::ReportRequest, v1::ReportResponse>* LoadServiceImpl::Report(
    grpc::CallbackServerContext* context) {
  Stream* stream = nullptr;
  grpc::Status refusal;
  {
    std::lock_guard lock(state_->mutex);
    stream = new Stream(state_, ++state_->last_stream);
    if (state_->stopping) {
      refusal = {grpc::StatusCode::UNAVAILABLE, "the manager is stopping"};
    } else if (static_cast<int>(state_->streams.size()) >= state_->settings.max_streams) {
      refusal = {grpc::StatusCode::RESOURCE_EXHAUSTED, "too many load streams are open"};
    } else {
      state_->streams.insert(stream);
    }
  }
  stream->Begin(*context, refusal);
  return stream;
}

void LoadServiceImpl::EndSilentStreams() {
  const auto heard_before = state_->clock.now() - state_->settings.silent_after;
  std::lock_guard lock(state_->mutex);
  for (Stream* stream : state_->streams) {
    if (stream->EndIfSilent(heard_before)) state_->silent.Increment();
  }
}

void LoadServiceImpl::EndStreams() {
  std::lock_guard lock(state_->mutex);
  for (Stream* stream : state_->streams) {
    stream->End({grpc::StatusCode::UNAVAILABLE, "the leadership has changed; report again"});
  }
}

void LoadServiceImpl::Shutdown() {
  std::lock_guard lock(state_->mutex);
  state_->stopping = true;
  for (Stream* stream : state_->streams) {
    stream->End({grpc::StatusCode::UNAVAILABLE, "the manager is stopping"});
  }
}

}  // namespace krypton::manager
