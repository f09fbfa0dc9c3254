// Durations and addresses as flags and manifests write them: what is read is printed and reads back
// as the same.
#include <cstdint>
#include <string_view>

#include "common/config/address.h"
#include "common/config/duration.h"
#include "common/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using krypton::fuzz::Check;
  namespace config = krypton::config;
  const std::string_view text(reinterpret_cast<const char*>(data), size);

  if (const auto duration = config::ParseDuration(text); duration.ok()) {
    const auto again = config::ParseDuration(config::FormatDuration(*duration));
    Check(again.ok() && *again == *duration, "a printed duration reads back");
  }
  if (const auto address = config::ParseHostPort(text); address.ok()) {
    const auto again = config::ParseHostPort(config::ToString(*address));
    Check(again.ok() && *again == *address, "a printed address reads back");
  }
  return 0;
}
