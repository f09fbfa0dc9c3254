#include "common/load/reporter.h"

#include <grpcpp/channel.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <thread>
#include <utility>

#include "absl/random/random.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/load/report_stream.h"

namespace krypton::load {
namespace {

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
        address_(settings_.manager_address) {}

  void Start() {
    thread_ = std::thread([this] { Run(); });
  }
  void ReportNow();
  void Stop(absl::Duration patience);
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
  // Any thread may run it, under the mutex, while ours waits.
  Wake Look() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Send(ReportStream& stream, Scope scope);
  void End(ReportStream& stream, absl::Time deadline);
  void Prepare(Wake ended_by);
  absl::Duration NextPause();

  const ChannelFactory connect_;
  const v1::Reporter who_;
  const Settings settings_;
  const Collect collect_;

  // Of the thread alone.
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::LoadService::Stub> stub_;
  absl::BitGen random_;
  int failures_ = 0;
  int moves_ = 0;
  std::uint64_t sequence_ = 0;           // Of the last report on this stream.
  std::uint64_t seen_acknowledged_ = 0;  // Of `events_.acknowledged`, at the last look.
  absl::Time waiting_since_;             // For the acknowledgement after that one.
  absl::Time last_sent_;
  absl::Time next_tick_;

  std::atomic<bool> requested_ = false;

  mutable absl::Mutex mutex_;
  StreamEvents events_ ABSL_GUARDED_BY(mutex_);
  bool now_ ABSL_GUARDED_BY(mutex_) = false;  // `requested_`, as the thread waits for it.
  std::optional<absl::Time> stop_by_ ABSL_GUARDED_BY(mutex_);
  std::string address_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t streams_opened_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint64_t reports_sent_ ABSL_GUARDED_BY(mutex_) = 0;

  std::thread thread_;
};

void Reporter::Impl::ReportNow() {
  if (requested_.exchange(true)) return;
  absl::MutexLock lock(&mutex_);
  now_ = true;
}

void Reporter::Impl::Stop(absl::Duration patience) {
  if (!thread_.joinable()) return;
  {
    absl::MutexLock lock(&mutex_);
    stop_by_ = absl::Now() + patience;
  }
  thread_.join();
}

Reporter::Status Reporter::Impl::status() const {
  absl::MutexLock lock(&mutex_);
  return {.connected = events_.acknowledged > 0 && !events_.broken,
          .address = address_,
          .streams_opened = streams_opened_,
          .reports_sent = reports_sent_};
}

void Reporter::Impl::Run() {
  for (;;) {
    const Wake ended_by = RunStream();
    if (ended_by == Wake::kStop) return;
    Prepare(ended_by);
    const absl::Time resume = absl::Now() + NextPause();
    absl::MutexLock lock(&mutex_);
    const auto stopping = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return stop_by_.has_value();
    };
    if (mutex_.AwaitWithDeadline(absl::Condition(&stopping), resume)) return;
  }
}

bool Reporter::Impl::Connect() {
  if (channel_ != nullptr) return true;
  auto channel = connect_(status().address);
  if (!channel.ok()) return false;
  channel_ = *std::move(channel);
  stub_ = v1::LoadService::NewStub(channel_);
  return true;
}

Reporter::Impl::Wake Reporter::Impl::RunStream() {
  if (!Connect()) return Wake::kBroken;
  // The pauses between attempts are ours, not the channel's.
  grpc::experimental::ChannelResetConnectionBackoff(channel_.get());
  {
    absl::MutexLock lock(&mutex_);
    events_ = {};
    ++streams_opened_;
  }
  sequence_ = seen_acknowledged_ = 0;
  ReportStream stream(*stub_, mutex_, events_);
  Send(stream, Scope::kEverything);
  const Wake ended_by = Serve(stream);
  End(stream, [&]() {
    absl::MutexLock lock(&mutex_);
    return stop_by_.value_or(absl::InfinitePast());
  }());
  return ended_by;
}

// Several changes within a moment become one report.
void Reporter::Impl::KeepGap() {
  absl::MutexLock lock(&mutex_);
  const auto ending = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return events_.broken || stop_by_.has_value();
  };
  mutex_.AwaitWithDeadline(absl::Condition(&ending),
                           last_sent_ + absl::FromChrono(settings_.min_gap));
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
        const bool quiet = absl::Now() - last_sent_ >= absl::FromChrono(settings_.heartbeat);
        Send(stream, quiet ? Scope::kHeartbeat : Scope::kChanges);
        break;
      }
      default:
        return wake;
    }
  }
}

Reporter::Impl::Wake Reporter::Impl::WaitForWork() {
  absl::MutexLock lock(&mutex_);
  Wake wake = Wake::kNone;
  const auto look = [this, &wake]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    wake = Look();
    return wake != Wake::kNone;
  };
  while (wake == Wake::kNone) {
    // While a report is on its way, only its end or a silent manager can be news.
    const absl::Time deadline =
        events_.writing ? absl::Now() + absl::FromChrono(settings_.interval) : next_tick_;
    mutex_.AwaitWithDeadline(absl::Condition(&look), deadline);
  }
  return wake;
}

Reporter::Impl::Wake Reporter::Impl::Look() {
  const absl::Time now = absl::Now();
  if (events_.acknowledged != seen_acknowledged_) {
    seen_acknowledged_ = events_.acknowledged;
    waiting_since_ = now;
    failures_ = 0;
  }
  if (events_.broken) return Wake::kBroken;
  if (stop_by_.has_value()) return Wake::kStop;
  if (!events_.leader_address.empty() && events_.leader_address != address_) return Wake::kMoved;
  if (seen_acknowledged_ < sequence_ &&
      now - waiting_since_ > absl::FromChrono(settings_.acknowledge_timeout)) {
    return Wake::kSilent;
  }
  if (events_.writing) return Wake::kNone;
  if (now_) return Wake::kReport;
  return now >= next_tick_ ? Wake::kTick : Wake::kNone;
}

// Requires: no report on its way.
void Reporter::Impl::Send(ReportStream& stream, Scope scope) {
  const absl::Time now = absl::Now();
  next_tick_ = now + absl::FromChrono(settings_.interval);
  {
    absl::MutexLock lock(&mutex_);
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
    absl::MutexLock lock(&mutex_);
    ++reports_sent_;
  }
  stream.Write(std::move(report));
}

// Ends the stream in order until `deadline`, and by force then.
void Reporter::Impl::End(ReportStream& stream, absl::Time deadline) {
  const auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return events_.broken || !events_.writing;
  };
  const auto written = [&] {
    absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithDeadline(absl::Condition(&idle), deadline) && !events_.broken;
  };
  const auto done = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return events_.done; };

  const bool orderly = deadline > absl::Now() && written();
  if (orderly && requested_) Send(stream, Scope::kChanges);
  if (orderly && written()) stream.WritesDone();
  stream.Release();
  if (orderly) {
    absl::MutexLock lock(&mutex_);
    if (mutex_.AwaitWithDeadline(absl::Condition(&done), deadline)) return;
  }
  stream.Cancel();
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(&done));
}

// Says where the next stream goes.
void Reporter::Impl::Prepare(Wake ended_by) {
  absl::MutexLock lock(&mutex_);
  std::string next = settings_.manager_address;
  if (ended_by == Wake::kMoved) {
    next = events_.leader_address;
    ++moves_;
  } else {
    moves_ = 0;
    ++failures_;
  }
  if (next == address_) return;
  address_ = std::move(next);
  stub_.reset();
  channel_.reset();
}

absl::Duration Reporter::Impl::NextPause() {
  if (moves_ > 0 && moves_ <= kMovesWithoutPause) return absl::ZeroDuration();
  const int doublings = std::min(std::max(failures_, moves_ - kMovesWithoutPause) - 1, 16);
  const absl::Duration least = absl::FromChrono(settings_.min_backoff) * (1 << doublings);
  return std::min(least * absl::Uniform(random_, 1.0, 1.5),
                  absl::FromChrono(settings_.max_backoff));
}

Reporter::Reporter(ChannelFactory connect, v1::Reporter who, Settings settings, Collect collect)
    : impl_(std::make_unique<Impl>(std::move(connect), std::move(who), std::move(settings),
                                   std::move(collect))) {}

Reporter::~Reporter() { Stop(); }

void Reporter::Start() { impl_->Start(); }

void Reporter::ReportNow() { impl_->ReportNow(); }

void Reporter::Stop(std::chrono::milliseconds patience) { impl_->Stop(absl::FromChrono(patience)); }

Reporter::Status Reporter::status() const { return impl_->status(); }

}  // namespace krypton::load
