// JSON as a stranger sends it, into a message with every type of field: a message that prints and
// reads back as the same, or INVALID_ARGUMENT.
#include <cstdint>
#include <string>

#include "common/fuzz/check.h"
#include "common/transcode/json_printer.h"
#include "common/transcode/json_reader.h"
#include "common/transcode/json_value.h"
#include "krypton/oracle/v1/oracle.pb.h"

namespace krypton::transcode {
namespace {

using fuzz::Check;

absl::Status Read(absl::string_view text, oracle::v1::Everything& message) {
  text = StripJsonSpace(text);
  if (text.empty()) return absl::InvalidArgumentError("empty");
  const absl::StatusOr<JsonValue> json = TakeJson(text, {});
  return json.ok() ? ReadJsonMessage(*json, message) : json.status();
}

void RoundTrip(absl::string_view text) {
  oracle::v1::Everything message;
  const absl::Status read = Read(text, message);
  if (!read.ok()) {
    Check(read.code() == absl::StatusCode::kInvalidArgument, "wrong JSON is INVALID_ARGUMENT");
    return;
  }
  const absl::StatusOr<std::string> printed = PrintJson(message);
  Check(printed.ok(), "what was read prints");
  oracle::v1::Everything again;
  Check(Read(*printed, again).ok(), "what was printed reads");
  const absl::StatusOr<std::string> printed_again = PrintJson(again);
  Check(printed_again.ok() && *printed_again == *printed, "and comes to the same");
}

}  // namespace
}  // namespace krypton::transcode

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  krypton::transcode::RoundTrip({reinterpret_cast<const char*>(data), size});
  return 0;
}
