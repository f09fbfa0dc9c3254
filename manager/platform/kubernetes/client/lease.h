// A Lease object (coordination.k8s.io/v1) as the election reads and writes it. Pure; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "boost/json/fwd.hpp"
#include "manager/platform/kubernetes/client/resource.h"

namespace krypton::kube {

extern const GroupVersionResource kLeases;

struct LeaseRecord {
  std::string holder;  // empty: released
  std::string address;
  std::chrono::milliseconds duration{0};
  uint64_t transitions = 0;
};

LeaseRecord ReadLease(const boost::json::object& lease);

// A Lease that nobody holds yet.
boost::json::object NewLease(const ObjectName& name);

// `lease` as it was read, held from now on as `record` says; what else stands in it stays. A holder
// that changes gets a new acquireTime.
boost::json::object WriteLease(boost::json::object lease, const LeaseRecord& record,
                               std::chrono::system_clock::time_point now);

// metav1.MicroTime: "2026-11-24T23:18:00.123456Z".
std::string MicroTime(std::chrono::system_clock::time_point time);

}  // namespace krypton::kube
