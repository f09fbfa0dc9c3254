#include "proxy/load_report.h"

#include <google/protobuf/util/time_util.h>

#include <utility>

namespace krypton::proxy {

using google::protobuf::util::TimeUtil;

LoadReport::LoadReport(Identity identity, Limiter& limiter, const Replica& replica)
    : identity_(std::move(identity)), limiter_(limiter), replica_(replica) {}

v1::ReportRequest LoadReport::Collect(load::Scope scope) {
  const Limiter::Load load = limiter_.load();
  const State state(replica_.state(), load.in_flight, load.parked, load.streams,
                    load.requests_total, replica_.last_activity());
  v1::ReportRequest report;
  if (scope == load::Scope::kChanges && said_ == state && settled_) return report;

  const Limiter::Means means = limiter_.TakeMeans();
  said_ = state;
  settled_ = means.in_flight == load.in_flight && means.parked == load.parked;

  v1::ReplicaLoad& out = *report.add_replicas();
  *out.mutable_key() = identity_.key;
  out.set_instance(identity_.instance);
  out.set_state(replica_.state());
  out.set_port(identity_.port);
  out.set_in_flight(means.in_flight);
  out.set_parked(means.parked);
  *out.mutable_window() = TimeUtil::NanosecondsToDuration(means.window.count());
  out.set_requests_total(load.requests_total);
  if (const auto last = replica_.last_activity()) {
    *out.mutable_last_activity() = TimeUtil::NanosecondsToTimestamp(
        std::chrono::nanoseconds(last->time_since_epoch()).count());
  }
  out.set_streams(load.streams);
  out.set_concurrency(limiter_.settings().concurrency);
  return report;
}

}  // namespace krypton::proxy
