#include "common/http/forward_head.h"

#include <algorithm>
#include <span>

#include "common/http/guard.h"
#include "common/http/response.h"
#include "common/http/text.h"

namespace krypton::http {
namespace {

bool StartsWithIgnoreCase(std::string_view text, std::string_view prefix) {
  return EqualsIgnoreCase(text.substr(0, prefix.size()), prefix);
}

// Tokens of Connection that say something about the connection and name no field to strip.
bool IsConnectionOption(std::string_view token) {
  return token.empty() || EqualsIgnoreCase(token, "close") ||
         EqualsIgnoreCase(token, "keep-alive") || EqualsIgnoreCase(token, "upgrade") ||
         EqualsIgnoreCase(token, "te");
}

// Naming these in Connection must not strip them.
bool IsProtected(std::string_view name) {
  switch (Identify(name)) {
    case FieldId::kAuthorization:
    case FieldId::kContentEncoding:
    case FieldId::kContentLength:
    case FieldId::kExpect:
    case FieldId::kHost:
    case FieldId::kVia:
    case FieldId::kXForwardedFor:
    case FieldId::kXForwardedHost:
    case FieldId::kXForwardedPrefix:
    case FieldId::kXForwardedProto:
      return true;
    default:
      return StartsWithIgnoreCase(name, "krypton-") || EqualsIgnoreCase(name, "cookie") ||
             EqualsIgnoreCase(name, "content-type");
  }
}

bool IsAmong(std::string_view name, std::span<const std::string_view> names) {
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view other) { return EqualsIgnoreCase(name, other); });
}

bool IsSet(std::string_view name, const std::vector<Field>& fields) {
  return std::any_of(fields.begin(), fields.end(),
                     [&](const Field& field) { return EqualsIgnoreCase(name, field.name); });
}

// What the gateway writes itself, from what the client sent.
bool IsForwardedField(const Field& field) {
  switch (field.id) {
    case FieldId::kVia:
    case FieldId::kXForwardedFor:
    case FieldId::kXForwardedHost:
    case FieldId::kXForwardedPrefix:
    case FieldId::kXForwardedProto:
      return true;
    default:
      return EqualsIgnoreCase(field.name, "forwarded");
  }
}

// One field for all hops: an agent that calls on and repeats what it was sent often keeps one of
// several fields only, and a loop through it would never be seen.
void AppendVia(std::string& out, const RequestHead& head, std::string_view own) {
  out.append("Via: ");
  for (const Field& field : head.fields) {
    if (field.id == FieldId::kVia && !field.value.empty()) out.append(field.value).append(", ");
  }
  out.append(own).append("\r\n");
}

void AppendForwardedFor(std::string& out, const RequestHead& head, bool trust,
                        std::string_view peer) {
  out.append("X-Forwarded-For: ");
  if (trust) {
    for (const Field& field : head.fields) {
      if (field.id == FieldId::kXForwardedFor) out.append(field.value).append(", ");
    }
  }
  out.append(peer).append("\r\n");
}

// X-Forwarded-* (-For: appended; the others: kept from a trusted peer, else ours) and Via.
void AppendGatewayFields(std::string& out, const RequestHead& head, const ForwardPlan& plan,
                         std::string_view peer) {
  const bool trust = plan.trust_forwarded;
  AppendForwardedFor(out, head, trust, peer);
  const std::string_view host = trust ? head.fields.Get("x-forwarded-host") : std::string_view();
  const std::string_view proto = trust ? head.fields.Get("x-forwarded-proto") : std::string_view();
  if (!host.empty() || !head.host.empty()) {
    AppendField(out, "X-Forwarded-Host", host.empty() ? head.host : host);
  }
  AppendField(out, "X-Forwarded-Proto", proto.empty() ? "http" : proto);
  const std::string_view outer = trust ? head.fields.Get("x-forwarded-prefix") : std::string_view();
  if (!outer.empty() || !plan.prefix.empty()) {
    out.append("X-Forwarded-Prefix: ").append(outer).append(plan.prefix).append("\r\n");
  }
  AppendVia(out, head, plan.via);
}

void AppendRequestConnection(std::string& out, const RequestHead& head) {
  const std::string_view te = head.fields.Get("te");
  const bool trailers = !te.empty() && ListHas(te, "trailers");
  if (head.wants_upgrade) {
    AppendField(out, "Connection", trailers ? "Upgrade, TE" : "Upgrade");
    AppendField(out, "Upgrade", head.fields.Get("upgrade"));
  } else if (trailers) {
    out.append("Connection: TE\r\n");
  }
  if (trailers) out.append("TE: trailers\r\n");
}

bool IsSafe(std::string_view method) { return method == "GET" || method == "HEAD"; }

void AppendFraming(std::string& out, const RequestHead& head, std::optional<uint64_t> collected,
                   int64_t growth) {
  // Also where a POST has no body: cpp-httplib would wait for the end of it.
  const bool may_have_body = head.framing != Framing::kNone || !IsSafe(head.method);
  if (may_have_body && collected) {
    out.append("Content-Length: ");
    AppendNumber(out, *collected);
    out.append("\r\n");
  } else if (head.framing == Framing::kChunked) {
    out.append("Transfer-Encoding: chunked\r\n");
  } else if (head.framing == Framing::kLength) {
    out.append("Content-Length: ");
    AppendNumber(out, head.content_length + static_cast<uint64_t>(growth));
    out.append("\r\n");
  }
}

bool PassesRequestField(const Field& field, const ForwardPlan& plan, const HopByHop& hop,
                        bool pass_expect) {
  if (field.id == FieldId::kHost || field.id == FieldId::kContentLength) return false;
  if (field.id == FieldId::kExpect && !pass_expect) return false;
  if (hop.Ends(field)) return false;
  if (plan.as_gateway && IsForwardedField(field)) return false;
  return !IsSet(field.name, plan.set_fields) && !IsAmong(field.name, plan.drop_fields);
}

}  // namespace

HopByHop::HopByHop(const Fields& fields) {
  for (const Field& field : fields) {
    if (field.id != FieldId::kConnection) continue;
    for (std::string_view rest = field.value; count_ < kMaxNamed;) {
      const size_t comma = rest.find(',');
      const std::string_view token = TrimOws(rest.substr(0, comma));
      if (!IsConnectionOption(token) && !IsProtected(token)) named_[count_++] = token;
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
}

bool HopByHop::Ends(const Field& field) const {
  switch (field.id) {
    case FieldId::kConnection:
    case FieldId::kKeepAlive:
    case FieldId::kProxyAuthenticate:
    case FieldId::kProxyAuthorization:
    case FieldId::kProxyConnection:
    case FieldId::kTe:
    case FieldId::kTransferEncoding:
    case FieldId::kUpgrade:
      return true;
    default:
      break;
  }
  for (size_t i = 0; i < count_; ++i) {
    if (EqualsIgnoreCase(field.name, named_[i])) return true;
  }
  return false;
}

void AppendForwardedRequest(std::string& out, const RequestHead& head, const ForwardPlan& plan,
                            const ForwardedRequest& to) {
  out.append(head.method).append(" ");
  out.append(plan.target.empty() ? head.target : std::string_view(plan.target));
  out.append(" HTTP/1.1\r\n");
  std::string_view host = plan.host.empty() ? head.host : plan.host;
  // HTTP/1.0 without Host, to an address of ours: the address is what is meant.
  const std::string_view address = plan.endpoint.address();
  if (host.empty()) host = address[0] == '/' ? std::string_view("localhost") : address;
  AppendField(out, "Host", host);
  const HopByHop hop(head.fields);
  for (const Field& field : head.fields) {
    if (PassesRequestField(field, plan, hop, to.pass_expect))
      AppendField(out, field.name, field.value);
  }
  for (const Field& field : plan.set_fields) AppendField(out, field.name, field.value);
  if (plan.as_gateway) AppendGatewayFields(out, head, plan, to.peer);
  AppendFraming(out, head, to.collected, plan.request_growth);
  if (!to.collected) AppendRequestConnection(out, head);
  out.append("\r\n");
}

void AppendForwardedResponse(std::string& out, const ResponseHead& head, const RequestHead& request,
                             const ForwardPlan& plan, const ForwardedAnswer& answer) {
  AppendStatusLine(out, head.status, head.reason);
  const HopByHop hop(head.fields);
  bool has_date = false;
  for (const Field& field : head.fields) {
    if (hop.Ends(field)) continue;
    if (field.id == FieldId::kTrailer && !answer.chunked) continue;
    if (answer.drop && IsAmong(field.name, *answer.drop)) continue;
    has_date |= field.id == FieldId::kDate;
    if (field.id == FieldId::kLocation && plan.as_gateway && !plan.prefix.empty()) {
      const std::string_view authority = plan.host.empty() ? request.host : plan.host;
      AppendField(out, field.name, RewriteLocation(field.value, authority, plan.prefix));
      continue;
    }
    AppendField(out, field.name, field.value);
  }
  if (head.status >= 200 && plan.as_gateway && !has_date) out.append(DateField());
  out.append(answer.extra_fields);
  if (answer.chunked) out.append("Transfer-Encoding: chunked\r\n");
  if (head.status == 101) {
    out.append("Connection: Upgrade\r\n");
    AppendField(out, "Upgrade", head.fields.Get("upgrade"));
  }
  out.append(answer.connection_field).append("\r\n");
}

std::string RewriteLocation(std::string_view location, std::string_view authority,
                            std::string_view prefix) {
  std::string_view path = location;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!StartsWithIgnoreCase(location, scheme)) continue;
    path = location.substr(scheme.size());
    if (!StartsWithIgnoreCase(path, authority)) return std::string(location);
    path.remove_prefix(authority.size());
    if (path.empty()) path = "/";
    break;
  }
  if (path.empty() || path[0] != '/' || path.substr(0, 2) == "//") return std::string(location);
  const std::string_view behind = path.substr(std::min(prefix.size(), path.size()));
  const bool under_prefix = path.substr(0, prefix.size()) == prefix &&
                            (behind.empty() || behind[0] == '/' || behind[0] == '?');
  return under_prefix ? std::string(location) : Concat(prefix, path);
}

void AppendTrailers(std::string& out, const Fields& trailers) {
  for (const Field& field : trailers) {
    if (field.id != FieldId::kOther) continue;
    if (EqualsIgnoreCase(field.name, "cookie") || EqualsIgnoreCase(field.name, "set-cookie") ||
        EqualsIgnoreCase(field.name, "content-type") ||
        EqualsIgnoreCase(field.name, "content-range") ||
        EqualsIgnoreCase(field.name, "forwarded") || EqualsIgnoreCase(field.name, "max-forwards") ||
        StartsWithIgnoreCase(field.name, "krypton-")) {
      continue;
    }
    AppendField(out, field.name, field.value);
  }
}

}  // namespace krypton::http
