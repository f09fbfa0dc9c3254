#include "manager/proto_time.h"

namespace krypton::manager {
namespace {

constexpr int64_t kNanos = 1'000'000'000;

}  // namespace

google::protobuf::Duration ToProto(std::chrono::nanoseconds duration) {
  google::protobuf::Duration proto;
  proto.set_seconds(duration.count() / kNanos);
  proto.set_nanos(static_cast<int32_t>(duration.count() % kNanos));
  return proto;
}

google::protobuf::Timestamp ToProto(std::chrono::system_clock::time_point time) {
  const auto nanos =
      std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
  google::protobuf::Timestamp proto;
  proto.set_seconds(nanos / kNanos);
  proto.set_nanos(static_cast<int32_t>(nanos % kNanos));
  return proto;
}

std::chrono::nanoseconds FromProto(const google::protobuf::Duration& duration) {
  constexpr int64_t kMaxSeconds = 9'000'000'000;
  if (duration.seconds() > kMaxSeconds || duration.seconds() < -kMaxSeconds) {
    return std::chrono::nanoseconds::zero();
  }
  return std::chrono::seconds(duration.seconds()) + std::chrono::nanoseconds(duration.nanos());
}

std::chrono::system_clock::time_point FromProto(const google::protobuf::Timestamp& time) {
  constexpr int64_t kMaxSeconds = 9'000'000'000;
  if (time.seconds() < 0 || time.seconds() > kMaxSeconds) return {};
  return std::chrono::system_clock::time_point(
      std::chrono::duration_cast<std::chrono::system_clock::duration>(
          std::chrono::seconds(time.seconds()) + std::chrono::nanoseconds(time.nanos())));
}

}  // namespace krypton::manager
