// The heads that a forwarded request and its answer carry on the other side: hop-by-hop fields
// taken out, our own put in (conventions §5). Pure: values in, text out.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/http/forward.h"
#include "common/http/message.h"

namespace krypton::http {

// Which fields of a head end at this hop: the standard ones, and those that Connection names,
// except where naming them would strip what must reach the other end (Host, Content-Length,
// Authorization, Via, X-Forwarded-*, the mesh's own).
class HopByHop {
 public:
  explicit HopByHop(const Fields& fields);
  bool Ends(const Field& field) const;

 private:
  static constexpr size_t kMaxNamed = 32;
  std::array<std::string_view, kMaxNamed> named_;
  size_t count_ = 0;
};

struct ForwardedRequest {
  std::string_view peer;
  bool pass_expect = false;           // The client still waits for 100 Continue.
  std::optional<uint64_t> collected;  // ForwardPlan::collected: the size of the body.
};
// The head of the request as the endpoint gets it, with its empty line.
void AppendForwardedRequest(std::string& out, const RequestHead& head, const ForwardPlan& plan,
                            const ForwardedRequest& to);

struct ForwardedAnswer {
  bool chunked = false;               // We frame the body ourselves.
  std::string_view connection_field;  // A whole line, or nothing.
  std::string_view extra_fields;      // Whole lines.
  const std::vector<std::string_view>* drop = nullptr;
};
void AppendForwardedResponse(std::string& out, const ResponseHead& head, const RequestHead& request,
                             const ForwardPlan& plan, const ForwardedAnswer& answer);

// The Location that the client can follow: under `prefix` when it is path-absolute or names
// `authority`, which is what the agent took itself to be; unchanged otherwise.
std::string RewriteLocation(std::string_view location, std::string_view authority,
                            std::string_view prefix);

// Trailer lines that may pass: not framing, routing, or authentication (RFC 9110 §6.5.1).
void AppendTrailers(std::string& out, const Fields& trailers);

}  // namespace krypton::http
