// The figures of bench-manager; each function measures one and prints it.
#pragma once

#include <string>
#include <vector>

namespace krypton::manager {

// Of `agents` with `endpoints` each, one changes at a time: until each of `gateways` has it.
void MeasureRegistry(int agents, int endpoints, int gateways, int changes);
// One tick over `agents`, all of them with `replicas` under load.
void MeasureScaler(int agents, int replicas, int ticks);
// A gateway's report that a request waits at zero → the platform is asked for a replica.
void MeasureWake(int wakes);
// Resident memory for each sidecar that is connected and reports; forks.
void MeasureSidecars(int sidecars);

// Prints `{"figure":...,"p50_ms":...,"p99_ms":...,"max_ms":...,"budget_ms":...}`.
void PrintTimes(const std::string& figure, std::vector<double> milliseconds, double budget_ms);

}  // namespace krypton::manager
