#include "common/http/message.h"

#include <algorithm>
#include <array>

namespace krypton::http {
namespace {

// ASCII lower case of a letter; any other byte as it is.
constexpr unsigned char Lower(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
}

struct KnownField {
  std::string_view name;
  FieldId id;
};

constexpr std::array kKnownFields{
    KnownField{"authorization", FieldId::kAuthorization},
    KnownField{"connection", FieldId::kConnection},
    KnownField{"content-encoding", FieldId::kContentEncoding},
    KnownField{"content-length", FieldId::kContentLength},
    KnownField{"date", FieldId::kDate},
    KnownField{"expect", FieldId::kExpect},
    KnownField{"host", FieldId::kHost},
    KnownField{"keep-alive", FieldId::kKeepAlive},
    KnownField{"location", FieldId::kLocation},
    KnownField{"proxy-authenticate", FieldId::kProxyAuthenticate},
    KnownField{"proxy-authorization", FieldId::kProxyAuthorization},
    KnownField{"proxy-connection", FieldId::kProxyConnection},
    KnownField{"te", FieldId::kTe},
    KnownField{"trailer", FieldId::kTrailer},
    KnownField{"transfer-encoding", FieldId::kTransferEncoding},
    KnownField{"upgrade", FieldId::kUpgrade},
    KnownField{"via", FieldId::kVia},
    KnownField{"x-forwarded-for", FieldId::kXForwardedFor},
    KnownField{"x-forwarded-host", FieldId::kXForwardedHost},
    KnownField{"x-forwarded-prefix", FieldId::kXForwardedPrefix},
    KnownField{"x-forwarded-proto", FieldId::kXForwardedProto},
};

// A small perfect hash over length, first, middle and last letter, found by trying multipliers at
// compile time.
constexpr size_t kHashSize = 128;

constexpr size_t Hash(std::string_view name, size_t multiplier) {
  const size_t first = Lower(name.front());
  const size_t middle = Lower(name[name.size() / 2]);
  const size_t last = Lower(name.back());
  return ((name.size() * 7 + first * 3 + middle * 17 + last * 31) * multiplier >> 8) % kHashSize;
}

constexpr size_t FindMultiplier() {
  for (size_t multiplier = 1; multiplier < 65536; ++multiplier) {
    std::array<bool, kHashSize> used{};
    bool clash = false;
    for (const KnownField& field : kKnownFields) {
      bool& slot = used[Hash(field.name, multiplier)];
      clash |= slot;
      slot = true;
    }
    if (!clash) return multiplier;
  }
  return 0;
}

constexpr size_t kMultiplier = FindMultiplier();
static_assert(kMultiplier != 0, "no perfect hash: enlarge kHashSize");

constexpr std::array<KnownField, kHashSize> MakeTable() {
  std::array<KnownField, kHashSize> table{};
  for (const KnownField& field : kKnownFields) table[Hash(field.name, kMultiplier)] = field;
  return table;
}

constexpr std::array<KnownField, kHashSize> kTable = MakeTable();

}  // namespace

FieldId Identify(std::string_view name) {
  if (name.empty()) return FieldId::kOther;
  const KnownField& candidate = kTable[Hash(name, kMultiplier)];
  return EqualsIgnoreCase(name, candidate.name) ? candidate.id : FieldId::kOther;
}

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && Lower(a[i]) != Lower(b[i])) return false;
  }
  return true;
}

std::string_view Fields::Get(std::string_view name) const {
  for (const Field& field : fields_) {
    if (EqualsIgnoreCase(field.name, name)) return field.value;
  }
  return {};
}

int Fields::Count(std::string_view name) const {
  return static_cast<int>(std::count_if(fields_.begin(), fields_.end(), [&](const Field& field) {
    return EqualsIgnoreCase(field.name, name);
  }));
}

bool RequestHead::idempotent() const {
  return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "TRACE" ||
         method == "PUT" || method == "DELETE";
}

void RequestHead::Release() {
  method = target = path = query = host = {};
  fields.Release();
  std::string().swap(bytes);
}

void ResponseHead::Release() {
  reason = {};
  fields.Release();
  std::string().swap(bytes);
}

bool ResponseHead::is_event_stream() const {
  constexpr std::string_view kType = "text/event-stream";
  const std::string_view type = fields.Get("content-type");
  if (!EqualsIgnoreCase(type.substr(0, kType.size()), kType)) return false;
  const std::string_view rest = type.substr(kType.size());
  return rest.empty() || rest[0] == ';' || rest[0] == ' ' || rest[0] == '\t';
}

}  // namespace krypton::http
