// The logs of pods as a stream that is pulled: a thread for each pod reads from the API server and
// waits while nobody takes what it has read.
#pragma once

#include <memory>
#include <vector>

#include "manager/platform/kubernetes/client/client.h"
#include "manager/platform/kubernetes/cluster_view.h"
#include "manager/platform/platform.h"

namespace krypton::kube {

// The client outlives the stream.
std::unique_ptr<platform::LogStream> OpenLogs(Client& client, std::vector<PodPtr> pods,
                                              const platform::LogOptions& options);

}  // namespace krypton::kube
