// The head of a request or of a response as spans over one block of bytes that the head owns. Spans
// stay valid as long as the head lives and is not parsed into again. Values are exactly as received
// but for the optional white space around them. Belongs to one worker.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace krypton::http {

// ASCII comparison without case.
bool EqualsIgnoreCase(std::string_view a, std::string_view b);

// Fields that the front itself looks at, so that nothing compares names twice.
enum class FieldId : uint8_t {
  kOther,
  kAuthorization,
  kConnection,
  kContentEncoding,
  kContentLength,
  kDate,
  kExpect,
  kHost,
  kKeepAlive,
  kLocation,
  kProxyAuthenticate,
  kProxyAuthorization,
  kProxyConnection,
  kTe,
  kTrailer,
  kTransferEncoding,
  kUpgrade,
  kVia,
  kXForwardedFor,
  kXForwardedHost,
  kXForwardedPrefix,
  kXForwardedProto,
};

FieldId Identify(std::string_view name);

struct Field {
  std::string_view name;
  std::string_view value;
  FieldId id = FieldId::kOther;  // Set by the parsers only.
};

// Fields in the order received; names repeat. Look-ups ignore case and walk the list, which for the
// few dozen fields of a real head beats any map.
class Fields {
 public:
  // The first value of `name`, or an empty view whose data() is null.
  std::string_view Get(std::string_view name) const;
  bool Has(std::string_view name) const { return Get(name).data() != nullptr; }
  int Count(std::string_view name) const;

  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }
  size_t size() const { return fields_.size(); }
  bool empty() const { return fields_.empty(); }

  void Add(std::string_view name, std::string_view value) {
    fields_.push_back({name, value, Identify(name)});
  }
  void Clear() { fields_.clear(); }
  // Gives the memory back too.
  void Release() { std::vector<Field>().swap(fields_); }
  // Room for exactly so many, where there is less: a long stream keeps its heads.
  void Reserve(size_t count) { fields_.reserve(count); }

 private:
  std::vector<Field> fields_;
};

enum class Framing : uint8_t { kNone, kLength, kChunked, kUntilClose };

struct RequestHead {
  RequestHead() = default;
  RequestHead(RequestHead&&) = default;  // No copies: the spans would point into the other's bytes.
  RequestHead& operator=(RequestHead&&) = default;

  std::string_view method;  // "GET"; only methods that llhttp knows arrive here.
  std::string_view target;  // Origin-form ("/a/b?c") or "*", as received; never decoded.
  std::string_view path;    // Up to '?'.
  std::string_view query;   // After '?', empty without.
  std::string_view host;    // Of Host, or of an absolute-form target, which replaces it.
  int version_minor = 1;    // HTTP/1.x
  Fields fields;
  Framing framing = Framing::kNone;
  uint64_t content_length = 0;  // With kLength.
  bool keep_alive = true;
  bool expect_continue = false;
  bool wants_upgrade = false;  // Connection: upgrade and an Upgrade other than h2c.

  bool idempotent() const;  // RFC 9110 §9.2.2
  // Gives all memory back; the spans are empty then.
  void Release();

  std::string bytes;  // What the spans point into.
};

struct ResponseHead {
  ResponseHead() = default;
  ResponseHead(ResponseHead&&) = default;
  ResponseHead& operator=(ResponseHead&&) = default;

  int status = 0;
  int version_minor = 1;
  std::string_view reason;
  Fields fields;
  Framing framing = Framing::kNone;
  uint64_t content_length = 0;
  bool has_content_length = false;  // Also where the body is absent (HEAD, 304).
  bool keep_alive = true;

  bool is_event_stream() const;  // content-type is text/event-stream.
  void Release();

  std::string bytes;
};

}  // namespace krypton::http
