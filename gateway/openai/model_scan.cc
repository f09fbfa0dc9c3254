#include "gateway/openai/model_scan.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace krypton::gateway {
namespace {

constexpr char kMissing[] = "you must name a model: the body has no key \"model\"";

}  // namespace

ModelScan::State ModelScan::Feed(std::string_view piece) {
  const bool to_the_end = extent_ == Extent::kWhole;
  while (state_ == State::kMore) {
    const JsonScanner::Step step = scanner_.Next(piece);
    piece.remove_prefix(step.consumed);
    if (step.token == Token::kMore) break;
    OnToken(step.token);
    if (!model_.empty() && !to_the_end && state_ == State::kMore) state_ = State::kFound;
  }
  return state_;
}

ModelScan::State ModelScan::End() {
  if (state_ != State::kMore) return state_;
  if (!scanner_.Finish()) {
    Fail(scanner_.offset() == 0 ? "the body is empty; it must be a JSON object"
                                : "the body ends in the middle of its JSON");
  } else if (!is_object_) {
    Fail("the body must be a JSON object");
  } else if (model_.empty()) {
    names_none_ = true;
    Fail(kMissing);
  } else {
    state_ = State::kFound;
  }
  return state_;
}

void ModelScan::OnToken(Token token) {
  if (token == Token::kBad) {
    return Fail(
        absl::StrCat("the body is no JSON at byte ", scanner_.offset(), ": ", scanner_.problem()));
  }
  if (!is_object_) {
    if (token != Token::kBeginObject) return Fail("the body must be a JSON object");
    is_object_ = true;
    return;
  }
  if (expects_model_) return OnModel(token);
  if (token != Token::kKey || scanner_.depth() != 1 || scanner_.text() != "model") return;
  if (!model_.empty()) return Fail("the body has two keys \"model\"");
  expects_model_ = true;
}

void ModelScan::OnModel(Token token) {
  expects_model_ = false;
  if (token != Token::kString) return Fail("\"model\" must be a string");
  if (scanner_.text().empty()) return Fail("\"model\" must not be empty");
  model_ = scanner_.text();
}

void ModelScan::Fail(std::string problem) {
  state_ = State::kBad;
  problem_ = std::move(problem);
}

}  // namespace krypton::gateway
