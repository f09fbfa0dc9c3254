// bench-manager: the manager's budgets (design.md §7), measured with real streams and simulated
// agents. Prints one JSON object a figure. `bench-manager [registry] [scaler] [wake] [sidecars]`;
// without arguments all of them.
#include <cstdio>
#include <set>
#include <string>

#include "common/log/log.h"
#include "manager/bench/figures.h"

int main(int argc, char** argv) {
  std::set<std::string> wanted(argv + 1, argv + argc);
  const std::set<std::string> known = {"registry", "scaler", "wake", "sidecars"};
  for (const std::string& name : wanted) {
    if (known.contains(name)) continue;
    std::fprintf(stderr, "bench-manager: %s is none of registry, scaler, wake, sidecars\n",
                 name.c_str());
    return 2;
  }
  if (wanted.empty()) wanted = known;
  krypton::log::SetLevel(krypton::log::Level::kWarn);
  // First: it forks, which no process with gRPC's threads can.
  if (wanted.contains("sidecars")) krypton::manager::MeasureSidecars(2'000);
  if (wanted.contains("registry")) krypton::manager::MeasureRegistry(10'000, 5, 10, 300);
  if (wanted.contains("scaler")) krypton::manager::MeasureScaler(10'000, 5, 30);
  if (wanted.contains("wake")) krypton::manager::MeasureWake(500);
  return 0;
}
