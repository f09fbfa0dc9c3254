// What answers say of the tokens they took, read as they pass: the object "usage" of a JSON answer
// or of an event's data, also inside "response", where the Responses API has it. Nothing is kept
// but the numbers. Values of one owner.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "gateway/openai/json_scanner.h"

namespace krypton::gateway {

struct Usage {
  int64_t prompt_tokens = 0;
  int64_t completion_tokens = 0;
  bool operator==(const Usage&) const = default;
};

class UsageReader {
 public:
  enum class Extent : uint8_t { kUpToUsage, kWhole };

  explicit UsageReader(Extent extent = Extent::kUpToUsage) : extent_(extent) {}

  // The next bytes of a JSON text.
  void Feed(std::string_view json);

  // Once a whole "usage" object was there.
  const std::optional<Usage>& usage() const { return usage_; }
  // The rest of the text need not be fed.
  bool done() const { return broken_ || (usage_ && extent_ == Extent::kUpToUsage); }
  // kWhole: there is a top-level "choices", and nothing in it: what OpenAI sends when
  // `include_usage` asks for usage.
  bool choices_empty() const { return choices_empty_; }

 private:
  using Token = JsonScanner::Token;
  enum class Key : uint8_t { kOther, kUsage, kResponse, kChoices, kPrompt, kCompletion };

  void OnToken(Token token);
  void OnKey();
  void OnValue(Token token);
  void OnNumber();

  const Extent extent_;
  JsonScanner scanner_;
  Key key_ = Key::kOther;
  bool in_response_ = false;
  bool in_choices_ = false;
  bool choices_empty_ = false;
  bool broken_ = false;
  // Depth inside the usage object that is being read; 0: none is.
  int usage_depth_ = 0;
  Usage reading_;
  std::optional<Usage> usage_;
};

}  // namespace krypton::gateway
