// JsonScanner: walks through a JSON text as it arrives, in pieces cut anywhere, and tells its
// tokens one by one. It builds nothing: its memory is the beginning of the current string. What is
// no JSON (RFC 8259), no UTF-8 or nested too deeply is said at the byte where it shows. A value of
// one owner.
//
//   JsonScanner::Step step;
//   do {
//     step = scanner.Next(input);
//     input.remove_prefix(step.consumed);
//     ...
//   } while (step.token != JsonScanner::Token::kMore && step.token != JsonScanner::Token::kBad);
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace krypton::gateway {

class JsonScanner {
 public:
  // Containers in containers. Deeper than any request has reason to be; what reads the body after
  // us has a stack.
  static constexpr int kMaxDepth = 128;
  // How much of a key, a string or a number text() keeps.
  static constexpr size_t kMaxText = 512;

  enum class Token : uint8_t {
    kMore,  // The input is used up.
    kKey,
    kString,
    kNumber,
    kTrue,
    kFalse,
    kNull,
    kBeginObject,
    kEndObject,
    kBeginArray,
    kEndArray,
    kBad,  // problem() says why. It stays so.
  };
  struct Step {
    size_t consumed = 0;
    Token token = Token::kMore;
  };

  // Takes the input up to the end of the next token. A number's end is the byte behind it.
  Step Next(std::string_view input);
  // The input has ended. False: in the middle of a text.
  bool Finish();

  // Containers that are open, behind the last token.
  int depth() const { return depth_; }
  // A whole text was taken; white space may follow.
  bool complete() const { return expect_ == Expect::kNothing && !in_number(); }
  // Of the last key or string, decoded; of a number, as written. The first kMaxText bytes of it.
  std::string_view text() const { return text_; }
  bool text_cut() const { return text_cut_; }

  const char* problem() const { return problem_; }
  // Bytes taken so far.
  uint64_t offset() const { return offset_; }

 private:
  enum class Expect : uint8_t {
    kValue,
    kValueOrEnd,  // Behind '['.
    kKey,         // Behind ',' in an object.
    kKeyOrEnd,    // Behind '{'.
    kColon,
    kCommaOrEnd,
    kNothing,  // Behind the text.
  };
  enum class Within : uint8_t { kNone, kString, kEscape, kHex, kLiteral, kNumber };
  enum class Digits : uint8_t {
    kMinus,
    kZero,
    kInteger,
    kPoint,
    kFraction,
    kExponent,
    kExponentSign,
    kExponentDigits,
  };

  bool in_number() const { return within_ == Within::kNumber; }
  void OnStructure(char c);
  void BeginValue(char c);
  void BeginString(bool is_key);
  void BeginLiteral(std::string_view rest, Token token);
  void Open(bool is_object);
  void Close(bool is_object);
  void EndValue(Token token);

  const char* TakeString(const char* at, const char* end);
  void OnStringByte(char c);
  void OnUtf8Byte(unsigned char byte);
  void OnEscape(char c);
  void OnHex(char c);
  void EndCodeUnit();
  void EndString();
  void OnLiteralByte(char c);
  const char* TakeNumber(const char* at, const char* end);
  // False: the byte is the next token's.
  bool OnNumberByte(char c);
  bool NumberMayEnd() const;

  void Append(std::string_view bytes);
  void AppendCodePoint(uint32_t code);
  void Fail(const char* problem);

  Expect expect_ = Expect::kValue;
  Within within_ = Within::kNone;
  Token token_ = Token::kMore;
  Token literal_token_ = Token::kMore;
  Digits digits_ = Digits::kMinus;
  bool is_key_ = false;
  bool text_cut_ = false;
  // Continuation bytes to come, and the bounds of the next of them (RFC 3629 §4).
  uint8_t utf8_left_ = 0;
  uint8_t utf8_low_ = 0x80;
  uint8_t utf8_high_ = 0xbf;
  uint8_t hex_digits_ = 0;
  uint16_t code_unit_ = 0;
  // The first half of a surrogate pair, while the second may come.
  uint16_t high_surrogate_ = 0;
  int depth_ = 0;
  // Of each open container: it is an object.
  std::bitset<kMaxDepth> objects_;
  std::string_view literal_rest_;
  std::string text_;
  uint64_t offset_ = 0;
  const char* problem_ = nullptr;
};

}  // namespace krypton::gateway
