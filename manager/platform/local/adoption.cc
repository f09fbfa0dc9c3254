// Taking over what an earlier manager started.
#include <algorithm>

#include "common/log/log.h"
#include "manager/platform/local/local_platform_impl.h"

namespace krypton::platform {
namespace {

constexpr size_t kMaxRecordBytes = 64 << 10;

absl::StatusOr<Survivor> FindSurvivor(Loop& loop, const std::string& folder) {
  const auto text = ReadFile(folder + "/replica.json", kMaxRecordBytes);
  if (!text.ok()) {
    // Made, and not yet written down, when its manager died: nobody knows it, so it ends.
    auto link = SupervisorLink::Adopt(loop, folder, ProcessId());
    return text.status();
  }
  auto record = ReplicaRecordFromJson(*text);
  if (!record.ok()) return record.status();
  auto link = SupervisorLink::Adopt(loop, folder, record->supervisor);
  if (!link.ok()) return link.status();
  return Survivor{*std::move(record), *std::move(link)};
}

}  // namespace

std::vector<Survivor> FindSurvivors(Loop& loop, const std::string& folder) {
  std::vector<Survivor> survivors;
  std::vector<std::string> dead;
  const auto names = ListFolder(folder);
  for (const std::string& name : names.ok() ? *names : std::vector<std::string>()) {
    auto survivor = FindSurvivor(loop, folder + "/" + name);
    if (survivor.ok()) {
      survivors.push_back(*std::move(survivor));
    } else {
      dead.push_back(name);
    }
  }
  if (dead.empty()) return survivors;
  const int killed = KillByInstance(dead);
  for (const std::string& name : dead) RemoveFolder(folder + "/" + name);
  log::Info("replicas that ended without a manager are cleared away",
            {{"replicas", static_cast<int64_t>(dead.size())}, {"processes_ended", killed}});
  return survivors;
}

void LocalPlatform::TakeOver(std::vector<Survivor> survivors) {
  for (Survivor& survivor : survivors) {
    const v1::ResourceKey key = survivor.record.key;
    ReplicaGroup& group = GroupOf(key);
    group.Adopt(std::move(survivor.record), std::move(survivor.link));
    // Not declared any more: it ends.
    if (group.resource() == nullptr) group.Delete();
  }
}

void LocalPlatform::SyncWhenHeard(Loop::Clock::time_point deadline) {
  const bool waits = std::any_of(groups_.begin(), groups_.end(),
                                 [](const auto& group) { return group.second->awaits_hello(); });
  if (waits && Loop::Clock::now() < deadline) {
    loop_.After(std::chrono::milliseconds(2), [this, deadline] { SyncWhenHeard(deadline); });
    return;
  }
  synced_ = true;
  for (const auto& [key, group] : groups_) {
    if (!group->empty()) OnReport(key, group->Report());
  }
  listener_->OnSynced();
}

}  // namespace krypton::platform
