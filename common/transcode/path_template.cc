#include "common/transcode/path_template.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "common/transcode/scalars.h"

namespace krypton::transcode {
// Template = "/" Segments [ ":" verb ]; see google/api/http.proto.
class PathTemplate::Parser {
 public:
  Parser(absl::string_view text, PathTemplate& result) : rest_(text), result_(result) {}

  absl::Status Parse() {
    if (!absl::ConsumePrefix(&rest_, "/")) return Wrong("does not begin with a slash");
    // A verb follows the last segment; a colon inside braces does not occur in a field path.
    const size_t last = rest_.find_last_of("/}");
    const size_t colon = rest_.find(':', last == absl::string_view::npos ? 0 : last);
    if (colon != absl::string_view::npos) {
      result_.verb_ = std::string(rest_.substr(colon + 1));
      if (result_.verb_.empty()) return Wrong("has an empty verb");
      rest_ = rest_.substr(0, colon);
    }
    absl::Status status = Segments(/*in_variable=*/false);
    if (!status.ok()) return status;
    const auto is_many = [](const Segment& s) { return s.kind == Segment::Kind::kMany; };
    if (std::count_if(result_.segments_.begin(), result_.segments_.end(), is_many) > 1) {
      return Wrong("has two **");
    }
    return rest_.empty() ? absl::OkStatus() : Wrong("has something behind its end");
  }

 private:
  absl::Status Wrong(absl::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat("path template ", result_.text_, " ", why));
  }

  absl::Status Segments(bool in_variable) {
    do {
      absl::Status status = OneSegment(in_variable);
      if (!status.ok()) return status;
    } while (absl::ConsumePrefix(&rest_, "/"));
    return absl::OkStatus();
  }

  absl::Status OneSegment(bool in_variable) {
    if (absl::ConsumePrefix(&rest_, "{")) {
      return in_variable ? Wrong("has a variable in a variable") : OneVariable();
    }
    const size_t end = std::min(rest_.find_first_of("/{}"), rest_.size());
    const absl::string_view text = rest_.substr(0, end);
    rest_.remove_prefix(end);
    if (text.empty()) return Wrong("has an empty segment");
    Segment::Kind kind = Segment::Kind::kLiteral;
    if (text == "*") kind = Segment::Kind::kOne;
    if (text == "**") kind = Segment::Kind::kMany;
    result_.segments_.push_back({kind, std::string(text)});
    return absl::OkStatus();
  }

  absl::Status OneVariable() {
    const size_t end = std::min(rest_.find_first_of("=}"), rest_.size());
    Variable variable{std::string(rest_.substr(0, end)), result_.segments_.size(), 0};
    rest_.remove_prefix(end);
    if (!IsFieldPath(variable.field_path)) return Wrong("has a variable without a field path");
    if (absl::ConsumePrefix(&rest_, "=")) {
      absl::Status status = Segments(/*in_variable=*/true);
      if (!status.ok()) return status;
    } else {
      result_.segments_.push_back({Segment::Kind::kOne, "*"});
    }
    if (!absl::ConsumePrefix(&rest_, "}")) return Wrong("has a variable without an end");
    variable.end = result_.segments_.size();
    result_.variables_.push_back(std::move(variable));
    return absl::OkStatus();
  }

  absl::string_view rest_;
  PathTemplate& result_;
};

absl::StatusOr<PathTemplate> PathTemplate::Parse(absl::string_view text) {
  PathTemplate result;
  result.text_ = std::string(text);
  absl::Status status = Parser(text, result).Parse();
  if (!status.ok()) return status;
  return result;
}

std::optional<std::vector<std::string>> PathTemplate::Match(
    const std::vector<absl::string_view>& path) const {
  absl::string_view last = path.back();
  if (!verb_.empty()) {
    // Something must stand before the verb.
    if (!absl::ConsumeSuffix(&last, verb_) || !absl::ConsumeSuffix(&last, ":") || last.empty()) {
      return std::nullopt;
    }
  }
  const auto part = [&](size_t i) { return i + 1 == path.size() ? last : path[i]; };

  // Where in `path` each segment begins; `**` takes what the others leave.
  std::vector<size_t> begins;
  size_t at = 0;
  for (const Segment& segment : segments_) {
    begins.push_back(at);
    if (segment.kind == Segment::Kind::kMany) {
      const size_t others = segments_.size() - 1;
      if (path.size() < others) return std::nullopt;
      at += path.size() - others;
      continue;
    }
    if (at >= path.size()) return std::nullopt;
    if (segment.kind == Segment::Kind::kLiteral && segment.text != part(at)) return std::nullopt;
    ++at;
  }
  if (at != path.size()) return std::nullopt;
  begins.push_back(at);

  std::vector<std::string> texts;
  for (const Variable& variable : variables_) {
    // One text for each segment, as it took it, and then a slash between: a `**` that took nothing
    // leaves an empty text.
    std::vector<std::string> taken;
    for (size_t i = variable.begin; i < variable.end; ++i) {
      std::vector<absl::string_view> parts;
      for (size_t p = begins[i]; p < begins[i + 1]; ++p) parts.push_back(part(p));
      taken.push_back(absl::StrJoin(parts, "/"));
    }
    texts.push_back(absl::StrJoin(taken, "/"));
  }
  return texts;
}

std::string PathTemplate::OpenApiPath() const {
  std::string path;
  for (size_t i = 0; i < segments_.size();) {
    const auto variable = std::find_if(variables_.begin(), variables_.end(),
                                       [&](const Variable& v) { return v.begin == i; });
    if (variable == variables_.end()) {
      absl::StrAppend(&path, "/", segments_[i++].text);
      continue;
    }
    absl::StrAppend(&path, "/{", variable->field_path, "}");
    i = variable->end;
  }
  if (!verb_.empty()) absl::StrAppend(&path, ":", verb_);
  return path;
}

bool PathTemplate::Overlaps(const PathTemplate& other) const {
  if (verb_ != other.verb_) return false;
  const auto many = [](const PathTemplate& t) {
    return std::any_of(t.segments_.begin(), t.segments_.end(),
                       [](const Segment& s) { return s.kind == Segment::Kind::kMany; });
  };
  const bool open_ended = many(*this) || many(other);
  if (!open_ended && segments_.size() != other.segments_.size()) return false;
  // With `**` only the segments before it are compared: rather a false alarm than a missed one.
  for (size_t i = 0; i < std::min(segments_.size(), other.segments_.size()); ++i) {
    const Segment& a = segments_[i];
    const Segment& b = other.segments_[i];
    if (a.kind == Segment::Kind::kMany || b.kind == Segment::Kind::kMany) return true;
    if (a.kind == Segment::Kind::kLiteral && b.kind == Segment::Kind::kLiteral &&
        a.text != b.text) {
      return false;
    }
  }
  return true;
}

}  // namespace krypton::transcode
