// Times between std::chrono and protobuf. Pure.
#pragma once

#include <chrono>

#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace krypton::manager {

google::protobuf::Timestamp ToProto(std::chrono::system_clock::time_point time);
google::protobuf::Duration ToProto(std::chrono::nanoseconds duration);
std::chrono::nanoseconds FromProto(const google::protobuf::Duration& duration);
// Of a message from outside: what no clock can say becomes the epoch.
std::chrono::system_clock::time_point FromProto(const google::protobuf::Timestamp& time);

}  // namespace krypton::manager
