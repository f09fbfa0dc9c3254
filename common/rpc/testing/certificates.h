// Certificates for tests, made on the spot: an authority, and what it signs. One thread.
#pragma once

#include <chrono>
#include <string>

namespace krypton::rpc {

// A key and its certificate, as PEM.
struct TestCertificate {
  std::string cert;
  std::string key;
};

struct TestCertificateOptions {
  std::string common_name = "krypton";
  // As OpenSSL writes it: "DNS:localhost,IP:127.0.0.1".
  std::string alternative_names = "DNS:localhost,IP:127.0.0.1";
  std::chrono::seconds valid_for{3600};
  bool authority = false;
};

// Signed by `issuer`; by itself without one.
TestCertificate MakeTestCertificate(const TestCertificateOptions& options,
                                    const TestCertificate* issuer = nullptr);

// Files `NAME.crt` and `NAME.key`.
void WriteTestCertificate(const std::string& path, const TestCertificate& certificate);

}  // namespace krypton::rpc
