#include "gateway/openai/usage.h"

#include <algorithm>
#include <charconv>

namespace krypton::gateway {

void UsageReader::Feed(std::string_view json) {
  while (!done()) {
    const JsonScanner::Step step = scanner_.Next(json);
    json.remove_prefix(step.consumed);
    if (step.token == Token::kMore) return;
    OnToken(step.token);
  }
}

void UsageReader::OnToken(Token token) {
  if (token == Token::kBad) {
    broken_ = true;
  } else if (token == Token::kKey) {
    OnKey();
  } else {
    OnValue(token);
    key_ = Key::kOther;
  }
}

void UsageReader::OnKey() {
  const std::string_view name = scanner_.text();
  const int depth = scanner_.depth();
  key_ = Key::kOther;
  if (usage_depth_ > 0) {
    if (depth != usage_depth_) return;
    // Chat and completions; embeddings have no second one; the Responses API has its own names.
    if (name == "prompt_tokens" || name == "input_tokens") key_ = Key::kPrompt;
    if (name == "completion_tokens" || name == "output_tokens") key_ = Key::kCompletion;
    return;
  }
  if (depth == (in_response_ ? 2 : 1) && name == "usage") key_ = Key::kUsage;
  if (depth == 1 && name == "response") key_ = Key::kResponse;
  if (depth == 1 && name == "choices") key_ = Key::kChoices;
}

void UsageReader::OnValue(Token token) {
  const int depth = scanner_.depth();
  if (in_choices_) choices_empty_ = token == Token::kEndArray;
  in_choices_ = key_ == Key::kChoices && token == Token::kBeginArray;
  if (token == Token::kNumber) return OnNumber();
  if (token == Token::kBeginObject) {
    if (key_ == Key::kUsage) usage_depth_ = depth;
    if (key_ == Key::kResponse) in_response_ = true;
    return;
  }
  if (token != Token::kEndObject) return;
  if (usage_depth_ > 0 && depth < usage_depth_) {
    usage_ = reading_;
    usage_depth_ = 0;
  } else if (depth == 1) {
    in_response_ = false;
  }
}

// Leniently: what is no whole number counts as far as it is one.
void UsageReader::OnNumber() {
  if (key_ != Key::kPrompt && key_ != Key::kCompletion) return;
  int64_t value = 0;
  const std::string_view text = scanner_.text();
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc()) return;
  // A server's word is no reason to let a counter fall, or leap beyond what it can hold.
  value = std::clamp<int64_t>(value, 0, int64_t{1} << 40);
  (key_ == Key::kPrompt ? reading_.prompt_tokens : reading_.completion_tokens) = value;
}

}  // namespace krypton::gateway
