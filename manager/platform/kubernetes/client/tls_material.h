// A Config's PEM texts as OpenSSL's objects, set on a context: which authority counts, for which
// name, and what we show. Any thread.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "manager/platform/kubernetes/client/config.h"

namespace krypton::kube {

// The name or address that the server's certificate must carry.
const std::string& ExpectedName(const Config& config);

// Reads the files as they are now. `context` verifies against the authority and for the name alone,
// TLS 1.2 or newer, whatever its user sets besides; shows the client certificate if there is one.
absl::Status SetUpTls(const Config& config, SSL_CTX* context);

}  // namespace krypton::kube
