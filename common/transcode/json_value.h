#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// A JSON text as a tree that keeps what a strict reader needs and a common DOM loses: doubled keys,
// and numbers as they were written.
namespace krypton::transcode {

struct JsonValue {
  enum class Kind { kNull, kFalse, kTrue, kNumber, kString, kArray, kObject };
  Kind kind = Kind::kNull;
  // A string's contents, decoded; a number's text.
  std::string text;
  // An array's elements, or an object's values in the order of the text.
  std::vector<JsonValue> items;
  // An object's keys, one for each of `items`; may hold one twice.
  std::vector<std::string> keys;
};

struct JsonLimits {
  // Nested arrays and objects.
  int max_depth = 64;
  // Values in one text: a byte of JSON can cost a hundred bytes of tree.
  size_t max_values = 200000;
};

// Reads one value off the front of `text`, and the white space around it, and moves `text` behind
// it. Strict RFC 8259: UTF-8 without lone surrogates, no comments. INVALID_ARGUMENT says what and
// where. Requires: `text` holds something other than white space.
absl::StatusOr<JsonValue> TakeJson(absl::string_view& text, const JsonLimits& limits);

// Without JSON's white space on either side.
absl::string_view StripJsonSpace(absl::string_view text);

}  // namespace krypton::transcode
