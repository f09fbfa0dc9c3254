// What is kept on disk of one replica, so that the next manager can take it over: one JSON file in
// the replica's folder. A plain value.
#pragma once

#include <chrono>
#include <string>

#include "absl/status/statusor.h"
#include "krypton/v1/resource.pb.h"
#include "manager/platform/local/process.h"

namespace krypton::platform {

struct ReplicaRecord {
  std::string instance;
  v1::ResourceKey key;
  // Of the resource that it was made for; a resource that was deleted and made again has another.
  std::string uid;
  int64_t generation = 0;
  // Of what its processes were told (TemplateOf); a new generation that tells them the same goes on
  // with this replica.
  std::string process_template;
  int agent_port = 0;
  std::chrono::system_clock::time_point start_time;
  int restarts = 0;
  // How long its drain may take.
  std::chrono::milliseconds grace{0};
  ProcessId supervisor;
};

std::string ToJson(const ReplicaRecord& record);
absl::StatusOr<ReplicaRecord> ReplicaRecordFromJson(const std::string& json);

}  // namespace krypton::platform
