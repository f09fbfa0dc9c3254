// Asks for usage in the request of a stream on the client's behalf (`spec.usage: always`): makes
// the body's `stream_options.include_usage` true where `stream` is, as the body passes. One edit at
// most, and none where the client asks by itself; every other byte stays as it is. Options that
// come before `stream` in a body that is not known as a whole are left alone: what is no stream
// must have none. A body that is no JSON is left to the model's server.
//
// What the edit adds is known only at the end of a body, its length before: a body with a
// Content-Length grows by kGrowth in any case, filled up with spaces behind the JSON text.
// Belongs to one attempt to send one request.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/http/socket.h"
#include "gateway/openai/json_scanner.h"

namespace krypton::gateway {

class UsageSplice {
 public:
  static constexpr std::string_view kMember = R"(,"stream_options":{"include_usage":true})";
  static constexpr int64_t kGrowth = kMember.size();

  enum class Fill : uint8_t {
    kNone,
    kToGrowth,  // The body grows by kGrowth, whatever is in it.
  };
  // `is_stream`: it is known beforehand that `stream` is true.
  explicit UsageSplice(Fill fill, bool is_stream = false) : fill_(fill), is_stream_(is_stream) {}

  // Takes the next pieces of the body and leaves in them what goes on. What they point to is good
  // until the next call.
  void Pass(http::IoVecs& pieces, bool last);

  // The gateway has asked: the client has not.
  bool asked() const { return asked_; }

 private:
  using Token = JsonScanner::Token;
  enum class Key : uint8_t { kOther, kStream, kOptions, kIncludeUsage };
  // Of the body as it came: `at` counts its bytes.
  struct Edit {
    uint64_t at = 0;
    uint64_t erase = 0;
    std::string_view insert;
  };

  void Scan(std::string_view bytes);
  void OnToken(Token token);
  void OnKey();
  void OnValue(Token token);
  void Replace(uint64_t length, std::string_view by);
  void InsertBeforeEnd(std::string_view text);
  void Fix(Edit edit);
  bool MayChange() const { return hold_from_ != kNever; }

  static constexpr uint64_t kNever = UINT64_MAX;

  const Fill fill_;
  JsonScanner scanner_;
  Key key_ = Key::kOther;
  bool is_stream_ = false;
  bool has_options_ = false;
  bool in_options_ = false;
  bool options_empty_ = true;
  bool has_include_ = false;
  bool asked_ = false;
  bool given_up_ = false;
  // The edit that is due, until it is made.
  std::optional<Edit> edit_;
  // From here on nothing goes out: a value that may have to change has not ended.
  uint64_t hold_from_ = kNever;
  // Bytes of the body before held_.
  uint64_t passed_ = 0;
  std::string held_;
  std::string passing_;
  int64_t grown_ = 0;
};

// The whole body with the edit, or nothing where none is due.
std::optional<std::string> SpliceWhole(std::string_view body);

}  // namespace krypton::gateway
