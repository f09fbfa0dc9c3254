// Finds out whether replicas' sidecars answer, on a thread of its own: one attempt to connect for
// each question, those that wait at once (a node that is lost takes many with it). Any thread may
// ask; the destructor waits for the attempts that run.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"

namespace krypton::kube {

class Confirmer {
 public:
  // More questions than this are dropped: the kubelet's own probe tells, a little later.
  static constexpr size_t kMaxQuestions = 1000;

  Confirmer() : thread_([this](std::stop_token stop) { Run(stop); }) {}

  // What it means when nobody takes or refuses the connection within a second.
  enum class Silence {
    // Nothing: a network policy may be in the way.
    kUnknown,
    // That it is dead: others do not hear of its node either.
    kDead,
  };

  // `dead` is called, on the confirmer's thread, when the connection is refused, or by `silence`.
  void Ask(const std::string& ip, int port, Silence silence, std::function<void()> dead);

 private:
  struct Question {
    std::string ip;
    int port = 0;
    Silence silence = Silence::kUnknown;
    std::function<void()> dead;
  };
  // At once; more have to wait for those before them.
  static constexpr size_t kMaxAtOnce = 100;

  static void Answer(const std::vector<Question>& questions);
  void Run(const std::stop_token& stop);

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Question> questions_ ABSL_GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace krypton::kube
