#include "common/load/reporter.h"

#include <grpcpp/channel.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "common/load/report_stream.h"
#include "common/log/log.h"
#include "common/rpc/backoff.h"
#include "common/rpc/status.h"

namespace krypton::load {
namespace {

using Clock = std::chrono::steady_clock;

// Leaders that name one another must not keep us running in a circle without a pause.
constexpr int kMovesWithoutPause = 2;

}  // namespace

class Reporter::Impl {
 public:
  Impl(ChannelFactory connect, v1::Reporter who, Settings settings, Collect collect)
      : connect_(std::move(connect)),
        who_(std::move(who)),
        settings_(std::move(settings)),
        collect_(std::move(collect)),
        backoff_({.min = settings_.min_backoff, .max = settings_.max_backoff}),
        address_(settings_.manager_address) {}

  void Start() {
    thread_ = std::thread([this] { Run(); });
  }
  void ReportNow();
  void Stop(std::chrono::milliseconds patience);
  Status status() const;

 private:
  // Why the thread wakes while a stream is up.
  enum class Wake { kNone, kStop, kBroken, kMoved, kSilent, kReport, kTick };

  void Run();
  bool Connect();
  Wake RunStream();
  Wake Serve(ReportStream& stream);
  Wake WaitForWork();
  void KeepGap();
  void NoteAcknowledgement(bool moved) ABSL_EXCLUSIVE_LOCKS_REQUIRED(bell_.mutex);
  Wake Look() ABSL_EXCLUSIVE_LOCKS_REQUIRED(bell_.mutex);
  void Send(ReportStream& stream, Scope scope);
  void End(ReportStream& stream, Clock::time_point deadline);
  std::string Token();
  void Prepare(Wake ended_by);
  void Say(Wake ended_by);
  std::chrono::milliseconds NextPause();

  const ChannelFactory connect_;
  const v1::Reporter who_;
  const Settings settings_;
  const Collect collect_;

  // Of the thread alone.
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::LoadService::Stub> stub_;
  rpc::Backoff backoff_;
  int moves_ = 0;
  bool said_lost_ = false;
  log::Limiter say_no_token_{std::chrono::minutes(1)};
  std::uint64_t sequence_ = 0;           // Of the last report on this stream.
  std::uint64_t seen_acknowledged_ = 0;  // Of `events_.acknowledged`, at the last look.
  Clock::time_point waiting_since_;      // For the acknowledgement after that one.
  Clock::time_point last_sent_;
  Clock::time_point next_tick_;

  std::atomic<bool> requested_ = false;

  mutable ReportStream::Bell bell_;
  StreamEvents events_ ABSL_GUARDED_BY(bell_.mutex);
  bool now_ ABSL_GUARDED_BY(bell_.mutex) = false;  // `requested_`, as the thread waits for it.
  std::optional<Clock::time_point> stop_by_ ABSL_GUARDED_BY(bell_.mutex);
  std::string address_ ABSL_GUARDED_BY(bell_.mutex);
  std::uint64_t streams_opened_ ABSL_GUARDED_BY(bell_.mutex) = 0;
  std::uint64_t reports_sent_ ABSL_GUARDED_BY(bell_.mutex) = 0;

  std::thread thread_;
};

void Reporter::Impl::ReportNow() {
  if (requested_.exchange(true)) return;
  const std::lock_guard lock(bell_.mutex);
  now_ = true;
  bell_.rung.notify_one();
}

void Reporter::Impl::Stop(std::chrono::milliseconds patience) {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(bell_.mutex);
    stop_by_ = Clock::now() + patience;
    bell_.rung.notify_one();
  }
  thread_.join();
}

Reporter::Status Reporter::Impl::status() const {
  const std::lock_guard lock(bell_.mutex);
  return {.connected = events_.acknowledged > 0 && !events_.broken,
          .address = address_,
          .streams_opened = streams_opened_,
          .reports_sent = reports_sent_};
}

void Reporter::Impl::Run() {
  for (;;) {
    const Wake ended_by = RunStream();
    if (ended_by == Wake::kStop) return;
    Say(ended_by);
    Prepare(ended_by);
    const Clock::time_point resume = Clock::now() + NextPause();
    std::unique_lock lock(bell_.mutex);
    if (bell_.rung.wait_until(lock, resume, [this] { return stop_by_.has_value(); })) return;
  }
}

bool Reporter::Impl::Connect() {
  if (channel_ != nullptr) return true;
  auto channel = connect_(status().address);
  if (!channel.ok()) {
    const std::lock_guard lock(bell_.mutex);
    events_ = {};
    events_.broken = true;
    events_.status = rpc::ToGrpc(channel.status());
    return false;
  }
  channel_ = *std::move(channel);
  stub_ = v1::LoadService::NewStub(channel_);
  return true;
}

Reporter::Impl::Wake Reporter::Impl::RunStream() {
  if (!Connect()) return Wake::kBroken;
  // The pauses between attempts are ours, not the channel's.
  grpc::experimental::ChannelResetConnectionBackoff(channel_.get());
  {
    const std::lock_guard lock(bell_.mutex);
    events_ = {};
    ++streams_opened_;
  }
  sequence_ = seen_acknowledged_ = 0;
  ReportStream stream(*stub_, Token(), bell_, events_);
  Send(stream, Scope::kEverything);
  const Wake ended_by = Serve(stream);
  Clock::time_point deadline;
  {
    const std::lock_guard lock(bell_.mutex);
    deadline = stop_by_.value_or(Clock::time_point::min());
  }
  End(stream, deadline);
  return ended_by;
}

// As it is now: it is turned long before it ends. Without one the manager refuses the stream.
std::string Reporter::Impl::Token() {
  if (settings_.token_file.empty()) return "";
  std::ifstream file(settings_.token_file);
  std::string token;
  file >> token;
  if (token.empty() && say_no_token_.Allow()) {
    log::Warn("no token to report load with", {{"file", settings_.token_file}});
  }
  return token;
}

// Sends what is to be sent until the stream has to end, and says why.
Reporter::Impl::Wake Reporter::Impl::Serve(ReportStream& stream) {
  for (;;) {
    switch (const Wake wake = WaitForWork()) {
      case Wake::kReport:
        KeepGap();
        Send(stream, Scope::kChanges);
        break;
      case Wake::kTick: {
        const bool quiet = Clock::now() - last_sent_ >= settings_.heartbeat;
        Send(stream, quiet ? Scope::kHeartbeat : Scope::kChanges);
        break;
      }
      default:
        return wake;
    }
  }
}

Reporter::Impl::Wake Reporter::Impl::WaitForWork() {
  std::unique_lock lock(bell_.mutex);
  for (;;) {
    const Wake wake = Look();
    if (wake != Wake::kNone) return wake;
    // While a report is on its way, only its end or a silent manager can be news.
    bell_.rung.wait_until(lock, events_.writing ? Clock::now() + settings_.interval : next_tick_);
  }
}

// Several changes within a moment become one report.
void Reporter::Impl::KeepGap() {
  std::unique_lock lock(bell_.mutex);
  bell_.rung.wait_until(lock, last_sent_ + settings_.min_gap,
                        [this] { return events_.broken || stop_by_.has_value(); });
}

void Reporter::Impl::NoteAcknowledgement(bool moved) {
  if (events_.acknowledged == seen_acknowledged_) return;
  seen_acknowledged_ = events_.acknowledged;
  waiting_since_ = Clock::now();
  if (moved) return;
  backoff_.Reset();
  if (std::exchange(said_lost_, false)) log::Info("load is reported again", {{"to", address_}});
}

Reporter::Impl::Wake Reporter::Impl::Look() {
  const Clock::time_point now = Clock::now();
  const bool moved = !events_.leader_address.empty() && events_.leader_address != address_;
  NoteAcknowledgement(moved);
  if (events_.broken) return Wake::kBroken;
  if (stop_by_.has_value()) return Wake::kStop;
  if (moved) return Wake::kMoved;
  if (seen_acknowledged_ < sequence_ && now - waiting_since_ > settings_.acknowledge_timeout) {
    return Wake::kSilent;
  }
  if (events_.writing) return Wake::kNone;
  if (now_) return Wake::kReport;
  return now >= next_tick_ ? Wake::kTick : Wake::kNone;
}

// Requires: no report on its way.
void Reporter::Impl::Send(ReportStream& stream, Scope scope) {
  const Clock::time_point now = Clock::now();
  next_tick_ = now + settings_.interval;
  {
    const std::lock_guard lock(bell_.mutex);
    now_ = false;
  }
  // Cleared before the question: whatever changes from here on asks for another report.
  requested_ = false;
  v1::ReportRequest report = collect_(scope);
  if (scope == Scope::kChanges && report.replicas().empty() && report.queues().empty()) return;
  if (sequence_ == seen_acknowledged_) waiting_since_ = now;
  if (scope == Scope::kEverything) *report.mutable_reporter() = who_;
  report.set_sequence(++sequence_);
  last_sent_ = now;
  {
    const std::lock_guard lock(bell_.mutex);
    ++reports_sent_;
  }
  stream.Write(std::move(report));
}

// Ends the stream in order until `deadline`, and by force then.
void Reporter::Impl::End(ReportStream& stream, Clock::time_point deadline) {
  const auto wait_for = [&](auto condition) {
    std::unique_lock lock(bell_.mutex);
    return bell_.rung.wait_until(lock, deadline, condition);
  };
  const auto written = [&] {
    const bool idle = wait_for([this] { return events_.broken || !events_.writing; });
    const std::lock_guard lock(bell_.mutex);
    return idle && !events_.broken;
  };
  const bool orderly = deadline > Clock::now() && written();
  if (orderly && requested_) Send(stream, Scope::kChanges);
  if (orderly && written()) stream.WritesDone();
  stream.Release();
  if (orderly && wait_for([this] { return events_.done; })) return;
  stream.Cancel();
  std::unique_lock lock(bell_.mutex);
  bell_.rung.wait(lock, [this] { return events_.done; });
}

// Once for each time that the manager is lost.
void Reporter::Impl::Say(Wake ended_by) {
  if (ended_by == Wake::kMoved || std::exchange(said_lost_, true)) return;
  const std::lock_guard lock(bell_.mutex);
  log::Warn("load is not reported",
            {{"to", address_}, {"because", events_.status.error_message()}});
}

// Says where the next stream goes.
void Reporter::Impl::Prepare(Wake ended_by) {
  const std::lock_guard lock(bell_.mutex);
  const bool moved = ended_by == Wake::kMoved;
  moves_ = moved ? moves_ + 1 : 0;
  std::string next = moved ? events_.leader_address : settings_.manager_address;
  if (next == address_) return;
  address_ = std::move(next);
  stub_.reset();
  channel_.reset();
}

std::chrono::milliseconds Reporter::Impl::NextPause() {
  if (moves_ > 0 && moves_ <= kMovesWithoutPause) return {};
  return backoff_.Next();
}

Reporter::Reporter(ChannelFactory connect, v1::Reporter who, Settings settings, Collect collect)
    : impl_(std::make_unique<Impl>(std::move(connect), std::move(who), std::move(settings),
                                   std::move(collect))) {}

Reporter::~Reporter() { Stop(); }

void Reporter::Start() { impl_->Start(); }

void Reporter::ReportNow() { impl_->ReportNow(); }

void Reporter::Stop(std::chrono::milliseconds patience) { impl_->Stop(patience); }

Reporter::Status Reporter::status() const { return impl_->status(); }

}  // namespace krypton::load
