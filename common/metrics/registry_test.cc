#include "common/metrics/registry.h"

#include <gtest/gtest.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <set>
#include <sstream>

#include "common/metrics/family.h"

namespace krypton::metrics {
namespace {

double ValueOf(const Registry& registry, const std::string& name) {
  for (const auto& family : registry.Collect()) {
    if (family.name != name) continue;
    const auto& metric = family.metric.at(0);
    return family.type == prometheus::MetricType::Counter ? metric.counter.value
                                                          : metric.gauge.value;
  }
  ADD_FAILURE() << name << " is missing";
  return -1;
}

TEST(RegistryTest, HasTheNamesOfEveryLinuxClientLibrary) {
  const Registry registry("test");
  EXPECT_GT(ValueOf(registry, "process_cpu_seconds_total"), -1);
  EXPECT_GE(ValueOf(registry, "process_open_fds"), 3);
  EXPECT_GE(ValueOf(registry, "process_max_fds"), 3);
  EXPECT_GT(ValueOf(registry, "process_virtual_memory_bytes"), 1e6);
  ValueOf(registry, "process_virtual_memory_max_bytes");
  EXPECT_GT(ValueOf(registry, "process_resident_memory_bytes"), 1e6);
  EXPECT_GE(ValueOf(registry, "process_threads"), 1);
  const double age =
      static_cast<double>(time(nullptr)) - ValueOf(registry, "process_start_time_seconds");
  EXPECT_GE(age, -1.5);
  EXPECT_LT(age, 600);
}

TEST(RegistryTest, EachFamilyStandsOnce) {
  Registry registry("test");
  CounterFamily::Make(registry, "krypton_a_total", "A.")->Get({{"x", "1"}});
  CounterFamily::Make(registry, "krypton_a_total", "A.")->Get({{"x", "2"}});
  prometheus::BuildCounter()
      .Name("krypton_a_total")
      .Help("A.")
      .Register(registry)
      .Add({{"x", "3"}});
  std::set<std::string> names;
  for (const auto& family : registry.Collect()) {
    EXPECT_TRUE(names.insert(family.name).second) << family.name;
    if (family.name == "krypton_a_total") {
      EXPECT_EQ(family.metric.size(), 3u);
    }
  }
}

TEST(RegistryTest, WhatIsExposedIsOrderedByNameEachOnce) {
  Registry registry("test");
  CounterFamily::Make(registry, "krypton_a_total", "A.")->Get({{"x", "1"}});
  CounterFamily::Make(registry, "krypton_a_total", "A.")->Get({{"x", "2"}});
  CounterFamily::Make(registry, "krypton_a_total", "A.")->Get({{"x", "3"}});
  GaugeFamily::Make(registry, "zebra", "Z.")->Get({});
  GaugeFamily::Make(registry, "krypton_c", "C.")->Get({});
  prometheus::BuildGauge().Name("krypton_b").Help("B.").Register(registry).Add({});
  std::istringstream lines(registry.Expose(Format::kText));
  std::vector<std::string> names;
  size_t a_series = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# TYPE ")) names.push_back(line.substr(7, line.rfind(' ') - 7));
    if (line.starts_with("krypton_a_total{")) ++a_series;
  }
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
  EXPECT_EQ(names.back(), "zebra");
  EXPECT_EQ(a_series, 3u);
}

TEST(RegistryTest, PromtoolFindsNothing) {
  if (system("command -v promtool >/dev/null") != 0) GTEST_SKIP() << "no promtool here";
  Registry registry("test");
  HistogramFamily::Make(registry, "krypton_wait_seconds", "Wait.", {0.1})
      ->Get({{"agent", "a"}})
      ->Observe(1);
  FILE* promtool = popen("promtool check metrics", "w");
  ASSERT_NE(promtool, nullptr);
  fputs(registry.Expose(Format::kText).c_str(), promtool);
  EXPECT_EQ(pclose(promtool), 0);
}

}  // namespace
}  // namespace krypton::metrics
