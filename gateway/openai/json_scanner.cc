#include "gateway/openai/json_scanner.h"

#include <algorithm>
#include <array>

namespace krypton::gateway {
namespace {

constexpr uint32_t kReplacement = 0xfffd;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Bytes of a string that stand for themselves and need no further look.
constexpr std::array<bool, 256> MakePlain() {
  std::array<bool, 256> plain{};
  for (int byte = 0x20; byte < 0x80; ++byte) plain[byte] = byte != '"' && byte != '\\';
  return plain;
}
constexpr std::array<bool, 256> kPlain = MakePlain();

}  // namespace

JsonScanner::Step JsonScanner::Next(std::string_view input) {
  const char* at = input.data();
  const char* const end = at + input.size();
  token_ = problem_ != nullptr ? Token::kBad : Token::kMore;
  while (at != end && token_ == Token::kMore) {
    switch (within_) {
      case Within::kNone:
        OnStructure(*at++);
        break;
      case Within::kString:
        at = TakeString(at, end);
        break;
      case Within::kEscape:
        OnEscape(*at++);
        break;
      case Within::kHex:
        OnHex(*at++);
        break;
      case Within::kLiteral:
        OnLiteralByte(*at++);
        break;
      case Within::kNumber:
        at = TakeNumber(at, end);
        break;
    }
  }
  const size_t consumed = static_cast<size_t>(at - input.data());
  offset_ += consumed;
  return {consumed, token_};
}

bool JsonScanner::Finish() {
  if (problem_ != nullptr) return false;
  if (in_number() && depth_ == 0 && NumberMayEnd()) EndValue(Token::kNumber);
  return complete();
}

void JsonScanner::Fail(const char* problem) {
  problem_ = problem;
  token_ = Token::kBad;
}

// ---- Structure ----

void JsonScanner::OnStructure(char c) {
  if (c == ' ' || c == '\n' || c == '\r' || c == '\t') return;
  switch (expect_) {
    case Expect::kValueOrEnd:
      if (c == ']') return Close(/*is_object=*/false);
      [[fallthrough]];
    case Expect::kValue:
      return BeginValue(c);
    case Expect::kKeyOrEnd:
      if (c == '}') return Close(/*is_object=*/true);
      [[fallthrough]];
    case Expect::kKey:
      if (c != '"') return Fail("a key was expected");
      return BeginString(/*is_key=*/true);
    case Expect::kColon:
      if (c != ':') return Fail("a colon was expected");
      expect_ = Expect::kValue;
      return;
    case Expect::kCommaOrEnd:
      if (c == '}' || c == ']') return Close(c == '}');
      if (c != ',') return Fail("a comma or the end was expected");
      expect_ = objects_[depth_ - 1] ? Expect::kKey : Expect::kValue;
      return;
    case Expect::kNothing:
      return Fail("something follows its end");
  }
}

void JsonScanner::BeginValue(char c) {
  switch (c) {
    case '{':
    case '[':
      return Open(c == '{');
    case '"':
      return BeginString(/*is_key=*/false);
    case 't':
      return BeginLiteral("rue", Token::kTrue);
    case 'f':
      return BeginLiteral("alse", Token::kFalse);
    case 'n':
      return BeginLiteral("ull", Token::kNull);
    default:
      if (c != '-' && !IsDigit(c)) return Fail("a value was expected");
  }
  within_ = Within::kNumber;
  digits_ = c == '-' ? Digits::kMinus : c == '0' ? Digits::kZero : Digits::kInteger;
  text_.assign(1, c);
  text_cut_ = false;
}

void JsonScanner::Open(bool is_object) {
  if (depth_ == kMaxDepth) return Fail("it is nested too deeply");
  objects_[depth_++] = is_object;
  expect_ = is_object ? Expect::kKeyOrEnd : Expect::kValueOrEnd;
  token_ = is_object ? Token::kBeginObject : Token::kBeginArray;
}

void JsonScanner::Close(bool is_object) {
  if (objects_[depth_ - 1] != is_object) return Fail("brackets do not match");
  --depth_;
  EndValue(is_object ? Token::kEndObject : Token::kEndArray);
}

void JsonScanner::EndValue(Token token) {
  within_ = Within::kNone;
  expect_ = depth_ == 0 ? Expect::kNothing : Expect::kCommaOrEnd;
  token_ = token;
}

// ---- Literals and numbers ----

void JsonScanner::BeginLiteral(std::string_view rest, Token token) {
  within_ = Within::kLiteral;
  literal_rest_ = rest;
  literal_token_ = token;
}

void JsonScanner::OnLiteralByte(char c) {
  if (c != literal_rest_[0]) return Fail("a value was expected");
  literal_rest_.remove_prefix(1);
  if (literal_rest_.empty()) EndValue(literal_token_);
}

const char* JsonScanner::TakeNumber(const char* at, const char* end) {
  const char* const begin = at;
  while (at != end && OnNumberByte(*at)) ++at;
  Append({begin, static_cast<size_t>(at - begin)});
  return at;
}

bool JsonScanner::NumberMayEnd() const {
  return digits_ == Digits::kZero || digits_ == Digits::kInteger || digits_ == Digits::kFraction ||
         digits_ == Digits::kExponentDigits;
}

bool JsonScanner::OnNumberByte(char c) {
  const bool digit = IsDigit(c);
  const bool exponent = c == 'e' || c == 'E';
  const Digits before = digits_;
  switch (before) {
    case Digits::kMinus:
      if (digit) digits_ = c == '0' ? Digits::kZero : Digits::kInteger;
      break;
    case Digits::kZero:
    case Digits::kInteger:
      if (c == '.') digits_ = Digits::kPoint;
      if (exponent) digits_ = Digits::kExponent;
      break;
    case Digits::kPoint:
      if (digit) digits_ = Digits::kFraction;
      break;
    case Digits::kFraction:
      if (exponent) digits_ = Digits::kExponent;
      break;
    case Digits::kExponent:
      if (c == '+' || c == '-') digits_ = Digits::kExponentSign;
      if (digit) digits_ = Digits::kExponentDigits;
      break;
    case Digits::kExponentSign:
      if (digit) digits_ = Digits::kExponentDigits;
      break;
    case Digits::kExponentDigits:
      break;
  }
  const bool goes_on = digit && (before == Digits::kInteger || before == Digits::kFraction ||
                                 before == Digits::kExponentDigits);
  if (digits_ != before || goes_on) return true;
  if (NumberMayEnd() && !digit) {
    EndValue(Token::kNumber);
  } else {
    Fail("a number is broken");
  }
  return false;
}

// ---- Strings ----

void JsonScanner::BeginString(bool is_key) {
  within_ = Within::kString;
  is_key_ = is_key;
  text_.clear();
  text_cut_ = false;
  high_surrogate_ = 0;
}

const char* JsonScanner::TakeString(const char* at, const char* end) {
  if (utf8_left_ == 0) {
    const char* run = at;
    while (run != end && kPlain[static_cast<unsigned char>(*run)]) ++run;
    if (run != at) {
      EndCodeUnit();
      Append({at, static_cast<size_t>(run - at)});
      return run;
    }
  }
  OnStringByte(*at);
  return at + 1;
}

void JsonScanner::OnStringByte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  if (utf8_left_ > 0 || byte >= 0x80) return OnUtf8Byte(byte);
  if (c == '"') return EndString();
  if (c != '\\') return Fail("a string has a control character");
  within_ = Within::kEscape;
}

// RFC 3629 §4: no overlong forms, no surrogates, nothing above U+10FFFF.
void JsonScanner::OnUtf8Byte(unsigned char byte) {
  if (utf8_left_ > 0) {
    if (byte < utf8_low_ || byte > utf8_high_) return Fail("a string is not UTF-8");
    --utf8_left_;
    utf8_low_ = 0x80;
    utf8_high_ = 0xbf;
  } else {
    if (byte < 0xc2 || byte > 0xf4) return Fail("a string is not UTF-8");
    EndCodeUnit();
    utf8_left_ = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    if (byte == 0xe0) utf8_low_ = 0xa0;
    if (byte == 0xed) utf8_high_ = 0x9f;
    if (byte == 0xf0) utf8_low_ = 0x90;
    if (byte == 0xf4) utf8_high_ = 0x8f;
  }
  const char c = static_cast<char>(byte);
  Append({&c, 1});
}

void JsonScanner::OnEscape(char c) {
  within_ = Within::kString;
  constexpr std::string_view kLetters = "\"\\/bfnrt";
  constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  if (c == 'u') {
    within_ = Within::kHex;
    hex_digits_ = 0;
    code_unit_ = 0;
    return;
  }
  const size_t which = kLetters.find(c);
  if (which == kLetters.npos) return Fail("a string has an unknown escape");
  EndCodeUnit();
  Append(kMeanings.substr(which, 1));
}

void JsonScanner::OnHex(char c) {
  int value = -1;
  if (IsDigit(c)) value = c - '0';
  if (c >= 'a' && c <= 'f') value = c - 'a' + 10;
  if (c >= 'A' && c <= 'F') value = c - 'A' + 10;
  if (value < 0) return Fail("a string has an unknown escape");
  code_unit_ = static_cast<uint16_t>(code_unit_ << 4 | value);
  if (++hex_digits_ < 4) return;
  within_ = Within::kString;
  const bool is_low = code_unit_ >= 0xdc00 && code_unit_ < 0xe000;
  if (is_low && high_surrogate_ != 0) {
    AppendCodePoint(0x10000 + ((high_surrogate_ - 0xd800u) << 10) + (code_unit_ - 0xdc00u));
    high_surrogate_ = 0;
    return;
  }
  EndCodeUnit();
  if (code_unit_ >= 0xd800 && code_unit_ < 0xdc00) {
    high_surrogate_ = code_unit_;
  } else {
    AppendCodePoint(is_low ? kReplacement : code_unit_);
  }
}

// Half a surrogate pair is allowed in a JSON text (RFC 8259 §8.2); it has no meaning.
void JsonScanner::EndCodeUnit() {
  if (high_surrogate_ != 0) AppendCodePoint(kReplacement);
  high_surrogate_ = 0;
}

void JsonScanner::EndString() {
  EndCodeUnit();
  if (!is_key_) return EndValue(Token::kString);
  within_ = Within::kNone;
  expect_ = Expect::kColon;
  token_ = Token::kKey;
}

void JsonScanner::AppendCodePoint(uint32_t code) {
  char bytes[4];
  size_t size = 0;
  const auto add = [&](uint32_t byte) { bytes[size++] = static_cast<char>(byte); };
  if (code < 0x80) {
    add(code);
  } else if (code < 0x800) {
    add(0xc0 | code >> 6);
    add(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    add(0xe0 | code >> 12);
    add(0x80 | (code >> 6 & 0x3f));
    add(0x80 | (code & 0x3f));
  } else {
    add(0xf0 | code >> 18);
    add(0x80 | (code >> 12 & 0x3f));
    add(0x80 | (code >> 6 & 0x3f));
    add(0x80 | (code & 0x3f));
  }
  Append({bytes, size});
}

void JsonScanner::Append(std::string_view bytes) {
  const size_t room = kMaxText - text_.size();
  text_.append(bytes.substr(0, room));
  text_cut_ |= bytes.size() > room;
}

}  // namespace krypton::gateway
