#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace krypton::transcode {

// A path template of google/api/http.proto: `/v1/{name=shelves/*}/books/**:verb`. Immutable.
//
// Matching is grpc-gateway's: `*` takes one segment, an empty one too; `**` takes any number, none
// too; the text of a variable is what its segments took, joined by slashes.
class PathTemplate {
 public:
  struct Variable {
    // Dotted: `key.name`.
    std::string field_path;
    // Which segments it spans: [begin, end).
    size_t begin;
    size_t end;
  };

  static absl::StatusOr<PathTemplate> Parse(absl::string_view text);

  // The variables' texts, in the order of variables(); nullopt when the path is another one.
  // `path` is a decoded path split at its slashes, without the one it begins with.
  std::optional<std::vector<std::string>> Match(const std::vector<absl::string_view>& path) const;

  const std::vector<Variable>& variables() const { return variables_; }
  const std::string& text() const { return text_; }
  // With each variable as `{field_path}`, as OpenAPI writes it.
  std::string OpenApiPath() const;
  // Whether some path matches both.
  bool Overlaps(const PathTemplate& other) const;

 private:
  struct Segment {
    enum class Kind { kLiteral, kOne, kMany } kind;
    std::string text;
  };
  class Parser;

  std::string text_;
  std::vector<Segment> segments_;
  std::vector<Variable> variables_;
  std::string verb_;
};

}  // namespace krypton::transcode
