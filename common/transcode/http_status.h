#pragma once

// How a gRPC status becomes an HTTP answer (grpc-gateway v2.33.0, runtime/errors.go).
namespace krypton::transcode {

// Of a gRPC code (0-16); 500 for any other.
int HttpStatusOf(int grpc_code);

}  // namespace krypton::transcode
