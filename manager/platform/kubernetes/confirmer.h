// Finds out whether a replica's sidecar answers, on a thread of its own: one attempt to connect for
// each question. Any thread may ask; the destructor waits for the attempt that runs.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"

namespace krypton::kube {

class Confirmer {
 public:
  // More questions than this are dropped: the kubelet's own probe tells, a little later.
  static constexpr size_t kMaxQuestions = 1000;

  Confirmer() : thread_([this](std::stop_token stop) { Run(stop); }) {}

  // `dead` is called, on the confirmer's thread, when nobody takes the connection. What does not
  // answer at all (a network policy may be in the way) says nothing.
  void Ask(const std::string& ip, int port, std::function<void()> dead);

 private:
  struct Question {
    std::string ip;
    int port = 0;
    std::function<void()> dead;
  };
  void Run(const std::stop_token& stop);

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Question> questions_ ABSL_GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace krypton::kube
