#include "common/transcode/json_value.h"

#include <boost/json/basic_parser_impl.hpp>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace krypton::transcode {
namespace {

using boost::json::error_code;
using boost::json::string_view;
using Kind = JsonValue::Kind;

// Boost.JSON's events → the tree.
struct Builder {
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);

  JsonValue root;
  // The arrays and objects that are open; pointers stay valid, since only the innermost one grows.
  std::vector<JsonValue*> open;
  std::string part;
  size_t values_left = 0;
  bool too_many = false;

  JsonValue* Add(Kind kind, error_code& ec) {
    if (values_left == 0) {
      too_many = true;
      ec = boost::json::error::array_too_large;
      return nullptr;
    }
    --values_left;
    JsonValue* value = &root;
    if (!open.empty()) {
      open.back()->items.emplace_back();
      value = &open.back()->items.back();
    }
    value->kind = kind;
    return value;
  }
  bool AddScalar(Kind kind, error_code& ec) { return Add(kind, ec) != nullptr; }
  bool AddText(Kind kind, string_view rest, error_code& ec) {
    JsonValue* value = Add(kind, ec);
    if (value == nullptr) return false;
    part.append(rest.data(), rest.size());
    value->text = std::move(part);
    part.clear();
    return true;
  }
  bool Open(Kind kind, error_code& ec) {
    JsonValue* value = Add(kind, ec);
    if (value != nullptr) open.push_back(value);
    return value != nullptr;
  }
  bool Close() {
    open.pop_back();
    return true;
  }
  bool Part(string_view text) {
    part.append(text.data(), text.size());
    return true;
  }

  // The names are Boost.JSON's.
  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_array_begin(error_code& ec) { return Open(Kind::kArray, ec); }
  bool on_array_end(std::size_t, error_code&) { return Close(); }
  bool on_object_begin(error_code& ec) { return Open(Kind::kObject, ec); }
  bool on_object_end(std::size_t, error_code&) { return Close(); }
  bool on_string_part(string_view text, std::size_t, error_code&) { return Part(text); }
  bool on_string(string_view text, std::size_t, error_code& ec) {
    return AddText(Kind::kString, text, ec);
  }
  bool on_key_part(string_view text, std::size_t, error_code&) { return Part(text); }
  bool on_key(string_view text, std::size_t, error_code&) {
    Part(text);
    open.back()->keys.push_back(std::move(part));
    part.clear();
    return true;
  }
  bool on_number_part(string_view text, error_code&) { return Part(text); }
  bool on_int64(int64_t, string_view text, error_code& ec) {
    return AddText(Kind::kNumber, text, ec);
  }
  bool on_uint64(uint64_t, string_view text, error_code& ec) {
    return AddText(Kind::kNumber, text, ec);
  }
  bool on_double(double, string_view text, error_code& ec) {
    return AddText(Kind::kNumber, text, ec);
  }
  bool on_bool(bool value, error_code& ec) {
    return AddScalar(value ? Kind::kTrue : Kind::kFalse, ec);
  }
  bool on_null(error_code& ec) { return AddScalar(Kind::kNull, ec); }
  bool on_comment_part(string_view, error_code&) { return true; }
  bool on_comment(string_view, error_code&) { return true; }
};

}  // namespace

absl::string_view StripJsonSpace(absl::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == absl::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

absl::StatusOr<JsonValue> TakeJson(absl::string_view& text, const JsonLimits& limits) {
  boost::json::parse_options options;
  options.max_depth = limits.max_depth;
  boost::json::basic_parser<Builder> parser(options);
  parser.handler().values_left = limits.max_values;
  error_code error;
  const size_t used = parser.write_some(false, text.data(), text.size(), error);
  if (error) {
    return absl::InvalidArgumentError(
        absl::StrCat("JSON, byte ", used, ": ",
                     parser.handler().too_many ? "too many values" : error.message()));
  }
  text = StripJsonSpace(text.substr(used));
  return std::move(parser.handler().root);
}

}  // namespace krypton::transcode
