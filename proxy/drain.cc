#include "proxy/drain.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log/log.h"

namespace krypton::proxy {
namespace {

constexpr std::string_view kTokenHeader = "krypton-drain-token";
// Each holds a thread of the ops server, which has others to answer.
constexpr int kMaxCallers = 2;

}  // namespace

bool IsToken(std::string_view expected, std::string_view given) {
  if (expected.empty() || given.size() != expected.size()) return false;
  unsigned char difference = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference |= static_cast<unsigned char>(expected[i] ^ given[i]);
  }
  return difference == 0;
}

Drain::Drain(Settings settings, Limiter& limiter, Replica& replica, std::function<void()> announce)
    : settings_(std::move(settings)),
      limiter_(limiter),
      replica_(replica),
      announce_(std::move(announce)) {}

void Drain::Begin() {
  if (!replica_.StartDraining()) return;
  {
    const std::lock_guard lock(mutex_);
    began_ = std::chrono::steady_clock::now();
    changed_.notify_all();
  }
  log::Info("draining", {{"in_flight", limiter_.load().in_flight}});
  limiter_.Close();
  announce_();
  limiter_.WhenIdle([this] {
    const std::lock_guard lock(mutex_);
    idle_ = true;
    changed_.notify_all();
  });
}

bool Drain::Wait() {
  Begin();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return began_.has_value(); });
  changed_.wait_until(lock, *began_ + settings_.timeout, [this] { return idle_; });
  changed_.wait_until(lock, *began_ + settings_.linger, [] { return false; });
  return idle_;
}

ops::Response Drain::Handle(const ops::Request& request) {
  if (!IsToken(settings_.token, request.header(kTokenHeader))) {
    return {.status = 403, .body = R"({"error":"the drain token is missing or wrong"})"};
  }
  {
    const std::lock_guard lock(mutex_);
    if (callers_ >= kMaxCallers) {
      return {.status = 429, .body = R"({"error":"others wait for the drain already"})"};
    }
    ++callers_;
  }
  const bool idle = Wait();
  const std::lock_guard lock(mutex_);
  --callers_;
  return {.body = absl::StrCat(R"({"idle":)", idle ? "true" : "false", R"(,"in_flight":)",
                               limiter_.load().in_flight, "}")};
}

}  // namespace krypton::proxy
