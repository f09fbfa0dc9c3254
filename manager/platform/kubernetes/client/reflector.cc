#include "manager/platform/kubernetes/client/reflector.h"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <condition_variable>
#include <mutex>
#include <random>
#include <stop_token>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "common/log/log.h"
#include "common/rpc/backoff.h"
#include "manager/platform/kubernetes/client/api_status.h"
#include "manager/platform/kubernetes/client/client.h"
#include "manager/platform/kubernetes/client/json.h"

namespace krypton::kube {
namespace {

using Clock = std::chrono::steady_clock;

// After so long without a fault the next one is the first again (client-go).
constexpr auto kGoodTime = std::chrono::minutes(2);

}  // namespace

class Reflector::Impl {
 public:
  Impl(Client& client, ReflectorSettings settings, ReflectorSink sink)
      : client_(client),
        settings_(std::move(settings)),
        sink_(std::move(sink)),
        what_(ToString(settings_.gvr)),
        backoff_({.min = settings_.min_backoff, .max = settings_.max_backoff}) {}

  void Start() {
    thread_ = std::jthread([this](std::stop_token stop) { Run(stop); });
  }
  void Stop() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
  }
  ReflectorState state() const {
    const std::lock_guard lock(mutex_);
    return state_;
  }

 private:
  void Run(const std::stop_token& stop);
  absl::Status List(const std::stop_token& stop);
  absl::Status Watch(const std::stop_token& stop);
  bool Take(std::string_view type, const boost::json::object& object);
  void NoteSuccess(const std::string& resource_version);
  void NoteFailure(const absl::Status& status);
  void Pause(const std::stop_token& stop, const absl::Status& status);
  std::chrono::seconds WatchTime();

  Client& client_;
  const ReflectorSettings settings_;
  const ReflectorSink sink_;
  const std::string what_;

  // Of the thread alone.
  std::string version_;  // Seen last; empty: a list is due.
  rpc::Backoff backoff_;
  Clock::time_point last_fault_;
  std::minstd_rand random_{std::random_device{}()};

  mutable std::mutex mutex_;
  std::condition_variable_any stopped_;
  ReflectorState state_ ABSL_GUARDED_BY(mutex_);
  std::jthread thread_;
};

void Reflector::Impl::Run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const absl::Status status = version_.empty() ? List(stop) : Watch(stop);
    if (stop.stop_requested()) return;
    if (status.ok()) continue;
    NoteFailure(status);
    if (IsGone(status)) {
      // The server has forgotten what we saw last. A list that is too old for its own pages is not
      // asked for again without a pause.
      if (!std::exchange(version_, {}).empty()) continue;
    }
    Pause(stop, status);
  }
}

absl::Status Reflector::Impl::List(const std::stop_token& stop) {
  {
    const std::lock_guard lock(mutex_);
    ++state_.lists;
  }
  sink_.list_begin();
  ListOptions options;
  options.label_selector = settings_.label_selector;
  options.field_selector = settings_.field_selector;
  options.stop = stop;
  auto version = client_.List(settings_.gvr, settings_.name_space, options, sink_.listed);
  if (version.ok() && version->empty()) {
    version = absl::InternalError(what_ + ": the list has no resource version");
  }
  sink_.list_done(version.ok());
  if (!version.ok()) return version.status();
  version_ = *std::move(version);
  const std::lock_guard lock(mutex_);
  state_.synced = true;
  state_.connected = true;
  state_.cut_off_since.reset();
  state_.resource_version = version_;
  return absl::OkStatus();
}

// One watch. OK: the server ended it in order.
absl::Status Reflector::Impl::Watch(const std::stop_token& stop) {
  {
    const std::lock_guard lock(mutex_);
    ++state_.watches;
  }
  const Clock::time_point began = Clock::now();
  bool took = false;
  WatchOptions options;
  options.label_selector = settings_.label_selector;
  options.field_selector = settings_.field_selector;
  options.resource_version = version_;
  options.timeout = WatchTime();
  const absl::Status status =
      client_.Watch(settings_.gvr, settings_.name_space, options, stop,
                    [&](std::string_view type, const boost::json::object& object) {
                      took = true;
                      return Take(type, object);
                    });
  // A server that ends each watch at once must not be asked without end.
  if (status.ok() && !took && Clock::now() - began < std::chrono::seconds(1)) {
    return absl::UnavailableError("the watch ended at once");
  }
  if (status.ok()) NoteSuccess(version_);
  return status;
}

bool Reflector::Impl::Take(std::string_view type, const boost::json::object& object) {
  const std::string version(MetadataAt(object, "resourceVersion"));
  if (type == "ADDED" || type == "MODIFIED") {
    sink_.changed(true, object);
  } else if (type == "DELETED") {
    sink_.changed(false, object);
  } else if (type != "BOOKMARK") {
    log::Warn("an event of an unknown type was left out", {{"resource", what_}, {"type", type}});
  }
  if (!version.empty()) version_ = version;
  NoteSuccess(version_);
  return true;
}

void Reflector::Impl::NoteSuccess(const std::string& resource_version) {
  const std::lock_guard lock(mutex_);
  if (!std::exchange(state_.connected, true)) {
    log::Info("watching again", {{"resource", what_}});
  }
  state_.cut_off_since.reset();
  state_.resource_version = resource_version;
}

void Reflector::Impl::NoteFailure(const absl::Status& status) {
  const std::lock_guard lock(mutex_);
  state_.last_error = std::string(status.message());
  if (IsGone(status)) return;
  const bool was_connected = std::exchange(state_.connected, false);
  if (!state_.cut_off_since.has_value()) state_.cut_off_since = Clock::now();
  if (was_connected || state_.lists == 1) {
    log::Warn("cannot watch", {{"resource", what_}, {"error", status}});
  }
}

void Reflector::Impl::Pause(const std::stop_token& stop, const absl::Status& status) {
  const Clock::time_point now = Clock::now();
  if (now - last_fault_ > kGoodTime) backoff_.Reset();
  last_fault_ = now;
  const std::chrono::milliseconds asked = RetryAfter(status).value_or(std::chrono::milliseconds(0));
  const std::chrono::milliseconds pause = std::max(backoff_.Next(), asked);
  std::unique_lock lock(mutex_);
  stopped_.wait_for(lock, stop, pause, [] { return false; });
}

std::chrono::seconds Reflector::Impl::WatchTime() {
  std::uniform_int_distribution<int64_t> seconds(settings_.min_watch.count(),
                                                 settings_.max_watch.count());
  return std::chrono::seconds(seconds(random_));
}

Reflector::Reflector(Client& client, ReflectorSettings settings, ReflectorSink sink)
    : impl_(std::make_unique<Impl>(client, std::move(settings), std::move(sink))) {}
Reflector::~Reflector() { Stop(); }

void Reflector::Start() { impl_->Start(); }
void Reflector::Stop() { impl_->Stop(); }
ReflectorState Reflector::state() const { return impl_->state(); }

}  // namespace krypton::kube
