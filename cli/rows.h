// Agents, models, endpoints and refused manifests as rows of `krypton get`. Pure.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "krypton/v1/control_plane.pb.h"

namespace krypton::cli {

using TimePoint = std::chrono::system_clock::time_point;
using Row = std::vector<std::string>;

Row AgentHeader();
Row ModelHeader();
Row EndpointHeader();
Row ToRow(const v1::Agent& agent, TimePoint now);
Row ToRow(const v1::Model& model, TimePoint now);
Row ToRow(const v1::EndpointItem& item, TimePoint now);

// Why it is not available, as the manager says it: of a resource that has failed, or whose name
// another one has. Empty: nothing is wrong.
std::string TroubleOf(const v1::Agent& agent);
std::string TroubleOf(const v1::Model& model);
std::string TroubleOf(const v1::EndpointItem& item);

// "3/5": ready of those that exist or are wanted, whichever are more.
std::string Replicas(int ready, int replicas, int desired);

}  // namespace krypton::cli
