// A template on the first line, a path on the second: what matches, matches the path that the
// template's own variables spell.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "common/fuzz/check.h"
#include "common/transcode/path_template.h"
#include "common/transcode/scalars.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using krypton::fuzz::Check;
  namespace transcode = krypton::transcode;
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const std::pair<absl::string_view, absl::string_view> lines =
      absl::StrSplit(text, absl::MaxSplits('\n', 1));

  const auto path_template = transcode::PathTemplate::Parse(lines.first);
  if (!path_template.ok()) return 0;
  Check(path_template->Overlaps(*path_template), "a template overlaps itself");
  path_template->OpenApiPath();

  const auto decoded = transcode::DecodePercent(lines.second, false);
  if (!decoded || decoded->empty() || decoded->front() != '/') return 0;
  const std::vector<absl::string_view> path =
      absl::StrSplit(absl::string_view(*decoded).substr(1), '/');
  const auto values = path_template->Match(path);
  if (!values) return 0;
  Check(values->size() == path_template->variables().size(), "a text for each variable");
  for (const std::string& value : *values) {
    Check(decoded->find(value) != std::string::npos, "a variable's text stands in the path");
  }
  return 0;
}
