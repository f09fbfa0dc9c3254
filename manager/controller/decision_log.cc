#include "manager/controller/decision_log.h"

namespace krypton::manager {

void DecisionLog::Add(const v1::ScalingDecision& decision) {
  v1::DecisionRecord record;
  *record.mutable_decision() = decision;
  Push(record);
  last_refusal_.clear();
}

void DecisionLog::AddRefusal(const v1::ScalingDecision& decision, const std::string& reason) {
  if (last_refusal_ == reason && last_refused_ == decision.desired() && !records_.empty()) {
    records_.pop_back();
  }
  v1::DecisionRecord record;
  *record.mutable_decision() = decision;
  record.set_refused(true);
  record.set_refusal(reason);
  Push(record);
  last_refusal_ = reason;
  last_refused_ = decision.desired();
}

void DecisionLog::Push(const v1::DecisionRecord& record) {
  records_.push_back(record.SerializeAsString());
  if (records_.size() > kRecords) records_.pop_front();
}

std::vector<v1::DecisionRecord> DecisionLog::Last(size_t limit) const {
  std::vector<v1::DecisionRecord> result;
  for (auto packed = records_.rbegin(); packed != records_.rend() && result.size() < limit;
       ++packed) {
    result.emplace_back().ParseFromString(*packed);
  }
  return result;
}

}  // namespace krypton::manager
