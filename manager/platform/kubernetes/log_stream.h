// The logs of a resource's pods as a stream that is pulled: a thread for each pod reads from the
// API server, and waits while nobody takes what it has read.
//
// While one follows, pods that come are followed too, from their first line; after a break, and in
// a container that was started again, reading goes on behind the last line; and the stream ends
// when the resource is gone and its pods are. So many pods are read at once, the others when there
// is room; who follows is told.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "manager/platform/kubernetes/client/client.h"
#include "manager/platform/kubernetes/cluster_view.h"
#include "manager/platform/platform.h"

namespace krypton::kube {

struct LogSources {
  // The resource is declared.
  bool exists = false;
  std::vector<PodPtr> pods;
};

struct LogSettings {
  size_t max_pods = 32;
  // Between two looks for pods that came.
  std::chrono::milliseconds look_interval{250};
  // Before a log that ended or broke is read on.
  std::chrono::milliseconds min_pause{250};
  std::chrono::milliseconds max_pause{5'000};
};

// `find`: what there is to read now; of one replica alone, where `options` name it. Any thread. The
// client, and what `find` looks into, outlive the stream.
std::unique_ptr<platform::LogStream> OpenLogs(Client& client, std::function<LogSources()> find,
                                              const platform::LogOptions& options,
                                              const LogSettings& settings = {});

}  // namespace krypton::kube
