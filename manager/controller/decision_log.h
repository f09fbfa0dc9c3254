// The last decisions about one resource that changed something, and the last refusals, with their
// inputs: why it has the replicas it has. A ring of packed records; a refusal that repeats the one
// before takes its place. A value, guarded by whoever holds it.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <vector>

#include "krypton/v1/scaling.pb.h"

namespace krypton::manager {

class DecisionLog {
 public:
  // 64 × about 300 bytes: 20 KiB for an agent that scales all the time.
  static constexpr size_t kRecords = 64;

  void Add(const v1::ScalingDecision& decision);
  void AddRefusal(const v1::ScalingDecision& decision, const std::string& reason);
  // The newest first.
  std::vector<v1::DecisionRecord> Last(size_t limit) const;

 private:
  void Push(const v1::DecisionRecord& record);

  std::deque<std::string> records_;  // The oldest first.
  // Of the newest record, if it is a refusal.
  std::string last_refusal_;
  int last_refused_ = -1;
};

}  // namespace krypton::manager
