#include "gateway/openai/usage_splice.h"

#include <utility>

namespace krypton::gateway {
namespace {

constexpr std::string_view kOptionsObject = R"({"include_usage":true})";
constexpr std::string_view kIncludeMember = R"(,"include_usage":true)";
// Of white space before a value that may have to change. Whoever sends more is not helped.
constexpr size_t kMaxHeld = 1024;

// The last top-level `stream` counts, as JSON parsers have it.
bool IsStream(std::string_view body) {
  using Token = JsonScanner::Token;
  JsonScanner scanner;
  bool is_stream = false;
  bool is_key = false;
  while (true) {
    const JsonScanner::Step step = scanner.Next(body);
    body.remove_prefix(step.consumed);
    if (step.token == Token::kMore || step.token == Token::kBad) return is_stream;
    if (is_key) is_stream = step.token == Token::kTrue;
    is_key = step.token == Token::kKey && scanner.depth() == 1 && scanner.text() == "stream";
  }
}

}  // namespace

void UsageSplice::Pass(http::IoVecs& pieces, bool last) {
  const bool held_before = !held_.empty();
  for (size_t i = 0; i < pieces.count(); ++i) {
    const iovec& piece = pieces.data()[i];
    Scan({static_cast<const char*>(piece.iov_base), piece.iov_len});
  }
  const uint64_t fill = last && fill_ == Fill::kToGrowth ? kGrowth - grown_ : 0;
  if (!held_before && !edit_ && !MayChange() && fill == 0) {
    passed_ += pieces.bytes();
    return;
  }
  passing_ = std::move(held_);
  held_.clear();
  for (size_t i = 0; i < pieces.count(); ++i) {
    passing_.append(static_cast<const char*>(pieces.data()[i].iov_base), pieces.data()[i].iov_len);
  }
  if (MayChange() && !last) {
    held_ = passing_.substr(hold_from_ - passed_);
    passing_.resize(hold_from_ - passed_);
  }
  const uint64_t taken = passing_.size();
  if (edit_) {
    passing_.replace(edit_->at - passed_, edit_->erase, edit_->insert);
    edit_.reset();
  }
  passed_ += taken;
  passing_.append(fill, ' ');
  pieces.Clear();
  pieces.Add(passing_);
}

void UsageSplice::Scan(std::string_view bytes) {
  while (!given_up_) {
    const JsonScanner::Step step = scanner_.Next(bytes);
    bytes.remove_prefix(step.consumed);
    if (step.token == Token::kMore) break;
    OnToken(step.token);
  }
  if (MayChange() && scanner_.offset() - hold_from_ > kMaxHeld) {
    given_up_ = true;
    hold_from_ = kNever;
  }
}

void UsageSplice::OnToken(Token token) {
  if (token == Token::kBad) {
    given_up_ = true;
    hold_from_ = kNever;
  } else if (token == Token::kKey) {
    OnKey();
  } else {
    hold_from_ = kNever;
    OnValue(token);
    key_ = Key::kOther;
  }
}

void UsageSplice::OnKey() {
  const std::string_view name = scanner_.text();
  key_ = Key::kOther;
  if (scanner_.depth() == 1) {
    if (name == "stream") key_ = Key::kStream;
    if (name == "stream_options" && !has_options_) key_ = Key::kOptions;
  } else if (in_options_ && scanner_.depth() == 2) {
    options_empty_ = false;
    if (name == "include_usage" && !has_include_) key_ = Key::kIncludeUsage;
  }
  if (key_ == Key::kOptions || key_ == Key::kIncludeUsage) hold_from_ = scanner_.offset();
}

void UsageSplice::OnValue(Token token) {
  switch (std::exchange(key_, Key::kOther)) {
    case Key::kStream:
      is_stream_ = token == Token::kTrue;
      return;
    case Key::kOptions:
      has_options_ = true;
      in_options_ = token == Token::kBeginObject;
      if (token == Token::kNull && is_stream_) Replace(4, kOptionsObject);
      return;
    case Key::kIncludeUsage:
      has_include_ = true;
      if (token == Token::kFalse && is_stream_) Replace(5, "true");
      if (token == Token::kNull && is_stream_) Replace(4, "true");
      return;
    case Key::kOther:
      break;
  }
  if (token != Token::kEndObject) return;
  if (in_options_ && scanner_.depth() == 1) {
    in_options_ = false;
    if (!has_include_ && is_stream_) InsertBeforeEnd(kIncludeMember.substr(options_empty_ ? 1 : 0));
  } else if (scanner_.depth() == 0 && is_stream_ && !has_options_) {
    InsertBeforeEnd(kMember);
  }
}

// The value that has just ended.
void UsageSplice::Replace(uint64_t length, std::string_view by) {
  Fix({.at = scanner_.offset() - length, .erase = length, .insert = by});
}

// Of the object that has just ended.
void UsageSplice::InsertBeforeEnd(std::string_view text) {
  Fix({.at = scanner_.offset() - 1, .erase = 0, .insert = text});
}

void UsageSplice::Fix(Edit edit) {
  asked_ = true;
  given_up_ = true;
  grown_ = static_cast<int64_t>(edit.insert.size()) - static_cast<int64_t>(edit.erase);
  edit_ = edit;
}

std::optional<std::string> SpliceWhole(std::string_view body) {
  if (!IsStream(body)) return std::nullopt;
  UsageSplice splice(UsageSplice::Fill::kNone, /*is_stream=*/true);
  http::IoVecs pieces;
  pieces.Add(body);
  splice.Pass(pieces, /*last=*/true);
  if (!splice.asked()) return std::nullopt;
  return std::string(static_cast<const char*>(pieces.data()->iov_base), pieces.data()->iov_len);
}

}  // namespace krypton::gateway
