// HeadReader: gathers the head of a message out of the pieces in which it arrives, then parses it
// in one go: llhttp first, our guard over its spans after that (parser.cc, guard.h). Since parsing
// sees whole heads only, how the bytes were split can make no difference. One owner, one thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/http/error.h"
#include "common/http/message.h"

namespace krypton::http {

struct HeadLimits {
  size_t max_head_bytes = 64 * 1024;
  size_t max_target_bytes = 8 * 1024;
  int max_fields = 200;
};

class HeadReader {
 public:
  struct Step {
    size_t consumed = 0;
    bool complete = false;
    std::optional<Error> error;
  };

  // `request` also switches the check of the first line's bytes on, so that garbage is answered at
  // once and not when the time for the head is over.
  HeadReader(std::string& bytes, const HeadLimits& limits, bool request)
      : bytes_(bytes), limits_(limits), request_(request) {
    bytes_.clear();
  }

  // Takes input up to the end of the head, at most. After an error or completion: no more calls.
  Step Feed(std::string_view input);
  // Whether a byte of a head was seen (empty lines before it do not count).
  bool started() const { return !bytes_.empty(); }
  // Nothing at all was seen yet.
  bool untouched() const { return bytes_.empty() && empty_lines_ == 0; }

 private:
  std::optional<Error> CheckGrowth(std::string_view added) const;

  std::string& bytes_;
  const HeadLimits& limits_;
  const bool request_;
  size_t line_start_ = 0;
  bool in_first_line_ = true;
  int empty_lines_ = 0;
};

// Parses head.bytes. Requires: HeadReader said complete.
std::optional<Error> ParseRequest(RequestHead& head, const HeadLimits& limits);
// False: malformed, must not be passed on.
bool ParseResponse(ResponseHead& head, std::string_view request_method, const HeadLimits& limits);

}  // namespace krypton::http
