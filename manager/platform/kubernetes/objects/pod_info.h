// A pod of ours, reduced to what the platform says of a replica. Pure.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "boost/json/object.hpp"
#include "krypton/v1/resource.pb.h"
#include "manager/platform/platform.h"

namespace krypton::kube {

// The trouble of a pod whose containers have all ended, for good.
inline constexpr char kPodOver[] = "PodFailed";

struct PodInfo {
  v1::ResourceKey key;
  std::string name;
  std::string uid;
  // Empty until it has one.
  std::string ip;
  // What it says in kTemplateAnnotation.
  std::string pod_template;
  // The kubelet's word, and its end.
  bool ready = false;
  // Not ready by the node controller's word alone, since it did not hear of the node: the
  // containers were ready when the kubelet spoke last. Says something of the way between the node
  // and the API server; whether the replica answers must be asked.
  bool unheard = false;
  bool deleting = false;
  // It goes before others when there are to be fewer (kIdleCost).
  bool marked = false;
  std::chrono::system_clock::time_point start_time;
  // Of the agent's container.
  int restarts = 0;
  // What is wrong, as the reason of an Event ("ImagePullFailed", "CrashLooping", ...), and for
  // people; empty: nothing.
  std::string trouble;
  std::string message;
  // It cannot run as things are; otherwise it may only take longer.
  bool failed = false;
  // Its sidecar did not answer when it was asked. Not the API server's word.
  bool silent = false;

  bool operator==(const PodInfo& other) const;
};

// Nothing: the pod has no label that says whose it is.
std::optional<PodInfo> ReadPod(const boost::json::object& pod);

// As the manager has it. `present`: its template is that of the present generation.
platform::Replica ToReplica(const PodInfo& pod, int64_t generation, bool present);

}  // namespace krypton::kube
