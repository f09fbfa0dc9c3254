// Which pods are marked to go first (kDeletionCostAnnotation). Before there are to be fewer, the
// idlest are; what is left of marks when none is to go any more would let these go first another
// time. Pure.
#pragma once

#include <vector>

#include "manager/platform/kubernetes/cluster_view.h"

namespace krypton::kube {

struct MarkChange {
  PodPtr pod;
  bool marked = false;
};

// What is to be changed on the pods of a Deployment that says `present` replicas before it says
// `desired`.
std::vector<MarkChange> MarkChanges(const ResourceView& view, int present, int desired);

}  // namespace krypton::kube
