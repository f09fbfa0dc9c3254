#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/transcode/transcoder.h"

// HTTP headers ⇄ gRPC metadata (grpc-gateway v2.33.0, runtime/context.go and handler.go).
namespace krypton::transcode {

// The value of the first header of that name, in any case.
std::optional<absl::string_view> FindHeader(const std::vector<Header>& headers,
                                            absl::string_view name);

// What the RPC receives: IANA's permanent headers as `grpcgateway-<name>`, `authorization` as it is
// too, `x-forwarded-host`, `x-forwarded-for` with the peer appended, and `traceparent`/`tracestate`
// (which grpc-gateway drops). Nothing else, `Grpc-Metadata-*` least of all: it would let a client
// forge what a service trusts. Values outside 0x20-0x7E are dropped, since gRPC cannot carry them.
std::vector<Header> MetadataOf(const Request& request);

// `5S`, `100m`, ...; a huge value saturates; nullopt for what is no timeout.
std::optional<std::chrono::nanoseconds> ParseGrpcTimeout(absl::string_view text);

// `Grpc-Metadata-<key>` or `Grpc-Trailer-<key>`; values of `-bin` keys in base64.
Header HeaderOf(absl::string_view prefix, absl::string_view key, absl::string_view value);

// Whether the client asks for trailers (RFC 9110 §10.1.4).
bool AcceptsTrailers(const Request& request);

}  // namespace krypton::transcode
