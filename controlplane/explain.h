// Why a resource has the replicas it has, in words: composed from its status and the scaler's last
// decisions. Pure.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "krypton/v1/registry.pb.h"
#include "krypton/v1/scaling.pb.h"

namespace krypton::controlplane {

// One to four sentences. `decisions` are newest first.
std::string Summarize(const v1::RegistryEntry& entry,
                      const google::protobuf::RepeatedPtrField<v1::DecisionRecord>& decisions,
                      std::chrono::system_clock::time_point now);

}  // namespace krypton::controlplane
