#include "manager/platform/kubernetes/client/lease.h"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <utility>

#include "absl/time/time.h"
#include "manager/platform/kubernetes/client/json.h"

namespace krypton::kube {
namespace {

namespace json = boost::json;

constexpr char kAddress[] = "krypton.ai/leader-address";

// The object under `key`, made when it is not there.
json::object& Made(json::object& object, std::string_view key) {
  json::value& value = object[key];
  return value.is_object() ? value.get_object() : value.emplace_object();
}

}  // namespace

const GroupVersionResource kLeases = {"coordination.k8s.io", "v1", "leases"};

LeaseRecord ReadLease(const json::object& lease) {
  LeaseRecord record;
  if (const json::object* metadata = ObjectAt(lease, "metadata")) {
    if (const json::object* annotations = ObjectAt(*metadata, "annotations")) {
      record.address = std::string(StringAt(*annotations, kAddress));
    }
  }
  const json::object* spec = ObjectAt(lease, "spec");
  if (spec == nullptr) return record;
  record.holder = std::string(StringAt(*spec, "holderIdentity"));
  record.duration = std::chrono::seconds(IntAt(*spec, "leaseDurationSeconds"));
  record.transitions =
      static_cast<uint64_t>(std::max<int64_t>(0, IntAt(*spec, "leaseTransitions")));
  return record;
}

json::object NewLease(const ObjectName& name) {
  return {{"apiVersion", "coordination.k8s.io/v1"},
          {"kind", "Lease"},
          {"metadata", {{"namespace", name.name_space}, {"name", name.name}}},
          {"spec", json::object()}};
}

json::object WriteLease(json::object lease, const LeaseRecord& record,
                        std::chrono::system_clock::time_point now) {
  Made(Made(lease, "metadata"), "annotations")[kAddress] = record.address;
  json::object& spec = Made(lease, "spec");
  if (StringAt(spec, "holderIdentity") != record.holder) spec["acquireTime"] = MicroTime(now);
  spec["holderIdentity"] = record.holder;
  spec["renewTime"] = MicroTime(now);
  spec["leaseTransitions"] = record.transitions;
  // Whole seconds, and at least one: the API knows no less.
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(record.duration).count();
  spec["leaseDurationSeconds"] = std::max<int64_t>(1, seconds);
  return lease;
}

std::string MicroTime(std::chrono::system_clock::time_point time) {
  return absl::FormatTime("%Y-%m-%d%ET%H:%M:%E6SZ", absl::FromChrono(time), absl::UTCTimeZone());
}

}  // namespace krypton::kube
