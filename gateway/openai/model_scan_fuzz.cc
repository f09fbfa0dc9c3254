// A request's body as a stranger sends it: the scanner and what finds the model. How the bytes are
// split makes no difference, and a JSON library takes for JSON what the scanner does.
#include <boost/json.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/fuzz/check.h"
#include "gateway/openai/model_scan.h"

namespace krypton::gateway {
namespace {

using fuzz::Check;

std::string Scan(std::string_view first, std::string_view second, ModelScan::Extent extent) {
  ModelScan scan(extent);
  ModelScan::State state = scan.Feed(first);
  if (state == ModelScan::State::kMore) state = scan.Feed(second);
  if (state == ModelScan::State::kMore) state = scan.End();
  Check(state != ModelScan::State::kMore, "the end decides");
  if (state == ModelScan::State::kBad) {
    Check(!scan.problem().empty(), "what is refused has a reason");
    return "! " + scan.problem();
  }
  Check(!scan.model().empty(), "what is found has a name");
  return scan.model();
}

bool IsJson(std::string_view text) {
  JsonScanner scanner;
  while (true) {
    const JsonScanner::Step step = scanner.Next(text);
    Check(step.consumed <= text.size(), "no more is consumed than there is");
    Check(scanner.depth() <= JsonScanner::kMaxDepth, "nesting has a bound");
    Check(scanner.text().size() <= JsonScanner::kMaxText, "text has a bound");
    text.remove_prefix(step.consumed);
    if (step.token == JsonScanner::Token::kBad) return false;
    if (step.token == JsonScanner::Token::kMore) return scanner.Finish();
  }
}

bool LibraryTakes(std::string_view text) {
  boost::json::parse_options options;
  options.max_depth = JsonScanner::kMaxDepth;
  boost::system::error_code error;
  boost::json::parse({text.data(), text.size()}, error, {}, options);
  return !error;
}

}  // namespace
}  // namespace krypton::gateway

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using krypton::fuzz::Check;
  using krypton::gateway::ModelScan;
  if (size == 0) return 0;
  // The first byte says where to cut.
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t cut = text.empty() ? 0 : data[0] % (text.size() + 1);
  for (const auto extent : {ModelScan::Extent::kUpToModel, ModelScan::Extent::kWhole}) {
    const std::string whole = krypton::gateway::Scan(text, {}, extent);
    const std::string split = krypton::gateway::Scan(text.substr(0, cut), text.substr(cut), extent);
    Check(whole == split, "the split makes no difference");
  }
  const bool is_json = krypton::gateway::IsJson(text);
  const bool library = krypton::gateway::LibraryTakes(text);
  if (library) Check(is_json, "the scanner takes what the library takes");
  // The library minds halves of surrogate pairs and numbers out of range.
  const bool is_plain = text.find("\\u") == text.npos && text.find_first_of("eE.") == text.npos;
  if (is_json && is_plain) Check(library, "the library takes what the scanner takes");
  return 0;
}
