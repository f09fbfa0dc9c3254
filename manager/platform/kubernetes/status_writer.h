// Writes status where it differs from what is written, and only there. Any thread, never twice at
// once for one key.
#pragma once

#include <string>

#include "manager/platform/kubernetes/client/client.h"
#include "manager/platform/kubernetes/client/work_queue.h"
#include "manager/platform/kubernetes/cluster_view.h"

namespace krypton::kube {

class StatusWriter {
 public:
  StatusWriter(Client& client, ClusterView& view) : client_(client), view_(view) {}

  ReconcileResult Reconcile(const std::string& queue_key);

 private:
  Client& client_;
  ClusterView& view_;
};

}  // namespace krypton::kube
