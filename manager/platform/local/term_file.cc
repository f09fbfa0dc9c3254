#include "manager/platform/local/term_file.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "manager/platform/local/files.h"

namespace krypton::platform {
namespace {

absl::Status Unusable(const std::string& state_dir, const std::string& why) {
  return absl::UnavailableError(
      absl::StrCat("the state folder ", state_dir, " cannot be used: ", why,
                   "; make it writable, or give another one with --state-dir"));
}

uint64_t Seconds() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(
                                   std::chrono::system_clock::now().time_since_epoch())
                                   .count());
}

// The last term; 0: there was none.
uint64_t LastTerm(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) return 0;
  std::string text;
  std::getline(file, text);
  uint64_t term = 0;
  return absl::SimpleAtoi(text, &term) && term < UINT64_MAX / 2 ? term : Seconds();
}

}  // namespace

absl::StatusOr<uint64_t> NextTerm(const std::string& state_dir) {
  std::error_code error;
  std::filesystem::create_directories(state_dir, error);
  if (error) return Unusable(state_dir, error.message());
  const std::string path = state_dir + "/term";
  const uint64_t term = LastTerm(path) + 1;
  if (absl::Status status = WriteFilesDurably(state_dir, {{path, absl::StrCat(term, "\n")}});
      !status.ok()) {
    return Unusable(state_dir, std::string(status.message()));
  }
  return term;
}

}  // namespace krypton::platform
