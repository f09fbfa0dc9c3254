#include "manager/platform/kubernetes/pod_marks.h"

#include <map>
#include <set>

namespace krypton::kube {

std::vector<MarkChange> MarkChanges(const ResourceView& view, int present, int desired) {
  std::map<std::string, PodPtr> live;
  for (const auto& [name, pod] : view.pods) {
    if (!pod->deleting) live[pod->uid] = pod;
  }
  std::set<std::string> leaving;
  if (desired > 0 && desired < present) {
    for (const std::string& uid : view.idle) {
      if (static_cast<int>(leaving.size()) == present - desired) break;
      if (live.contains(uid)) leaving.insert(uid);
    }
  } else if (static_cast<int>(live.size()) > desired) {
    return {};  // Those that are marked are about to go.
  }
  std::vector<MarkChange> changes;
  for (const auto& [uid, pod] : live) {
    const bool marked = leaving.contains(uid);
    if (marked != pod->marked) changes.push_back({pod, marked});
  }
  return changes;
}

}  // namespace krypton::kube
