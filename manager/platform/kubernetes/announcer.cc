#include "manager/platform/kubernetes/announcer.h"

#include "absl/strings/str_cat.h"
#include "manager/platform/kubernetes/objects/names.h"

namespace krypton::kube {

void Announcer::Emit(const Declared& declared, EventType type, const std::string& reason,
                     const std::string& action, const std::string& note) {
  EventTarget target;
  target.api_version = kApiVersion;
  target.kind = std::string(KindName(declared.key.kind()));
  target.name_space = declared.key.namespace_();
  target.name = declared.key.name();
  target.uid = declared.uid;
  events_.Emit(target, type, reason, action, note);
}

void Announcer::Scaled(const Declared& declared, int from, int to) {
  const char* reason = to == 0 ? "ScaledToZero" : to > from ? "ScaledUp" : "ScaledDown";
  Emit(declared, EventType::kNormal, reason, "Scale",
       absl::StrCat("from ", from, " to ", to, to == 1 ? " replica" : " replicas"));
}

void Announcer::Restored(const Declared& declared, const std::string& what, bool deleted) {
  Emit(declared, EventType::kNormal, "Restored", "Restore",
       absl::StrCat(
           what, deleted ? " was deleted, and is made again" : " was changed, and is put right"));
}

void Announcer::Refused(const Declared& declared, const std::string& reason,
                        const std::string& why) {
  {
    std::lock_guard lock(mutex_);
    if (!told_.insert({declared.uid, reason + why}).second) return;
  }
  Emit(declared, EventType::kWarning, reason, "Apply", why);
}

void Announcer::Pods(const ResourceView& view) {
  if (!view.exists()) return;
  for (const auto& [name, pod] : view.pods) {
    if (pod->trouble.empty() || pod->deleting) continue;
    {
      std::lock_guard lock(mutex_);
      if (!told_.insert({pod->uid, pod->trouble}).second) continue;
    }
    Emit(*view.declared, EventType::kWarning, pod->trouble, "Run", pod->message);
  }
  if (view.deployment != nullptr && !view.deployment->failure.empty()) {
    {
      std::lock_guard lock(mutex_);
      // Under the resource's uid, with which it is forgotten.
      if (!told_.insert({view.declared->uid, "PodsRefused/" + view.deployment->uid}).second) return;
    }
    Emit(*view.declared, EventType::kWarning, "PodsRefused", "Run", view.deployment->failure);
  }
}

void Announcer::Forget(const std::string& uid) {
  std::lock_guard lock(mutex_);
  const auto first = told_.lower_bound({uid, ""});
  auto last = first;
  while (last != told_.end() && last->first == uid) ++last;
  told_.erase(first, last);
}

}  // namespace krypton::kube
