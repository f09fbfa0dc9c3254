// A body that is changed on its way: the same however it is cut, JSON when it was JSON, with one
// member changed and no other.
#include <boost/json.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/fuzz/check.h"
#include "gateway/openai/usage_splice.h"

namespace krypton::gateway {
namespace {

using fuzz::Check;
using Fill = UsageSplice::Fill;

std::string Pass(std::string_view first, std::string_view second, Fill fill) {
  UsageSplice splice(fill);
  std::string out;
  const auto pass = [&](const std::string& bytes, bool last) {
    http::IoVecs pieces;
    pieces.Add(bytes);
    splice.Pass(pieces, last);
    for (size_t i = 0; i < pieces.count(); ++i) {
      out.append(static_cast<const char*>(pieces.data()[i].iov_base), pieces.data()[i].iov_len);
    }
  };
  pass(std::string(first), false);
  pass(std::string(second), true);
  return out;
}

boost::json::value Parse(std::string_view text) {
  boost::system::error_code error;
  boost::json::value value = boost::json::parse({text.data(), text.size()}, error);
  return error ? boost::json::value() : value;
}

// What both say without their stream_options.
void CheckSame(std::string_view before, std::string_view after) {
  boost::json::value old_value = Parse(before);
  if (!old_value.is_object()) return;
  boost::json::value new_value = Parse(after);
  Check(new_value.is_object(), "JSON stays JSON");
  old_value.get_object().erase("stream_options");
  new_value.get_object().erase("stream_options");
  Check(old_value == new_value, "nothing else changes");
}

}  // namespace
}  // namespace krypton::gateway

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using krypton::fuzz::Check;
  using krypton::gateway::UsageSplice;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t cut = text.empty() ? 0 : data[0] % (text.size() + 1);
  const std::string_view first = text.substr(0, cut);
  const std::string_view second = text.substr(cut);
  const std::string whole = krypton::gateway::Pass(text, {}, UsageSplice::Fill::kNone);
  Check(krypton::gateway::Pass(first, second, UsageSplice::Fill::kNone) == whole,
        "the split makes no difference");
  const std::string filled = krypton::gateway::Pass(first, second, UsageSplice::Fill::kToGrowth);
  Check(filled.size() == text.size() + UsageSplice::kGrowth, "a body with a length grows so much");
  Check(filled.starts_with(whole), "what is filled up is the same before");
  krypton::gateway::CheckSame(text, whole);
  if (const auto spliced = krypton::gateway::SpliceWhole(text)) {
    krypton::gateway::CheckSame(text, *spliced);
  }
  return 0;
}
