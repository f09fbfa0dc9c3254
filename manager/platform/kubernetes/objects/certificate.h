// What proves a sidecar: a client certificate signed by the sidecars' authority, and the token with
// which the kubelet drains. Immutable once loaded; any thread.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "krypton/v1/resource.pb.h"

namespace krypton::kube {

// PEM.
struct SidecarCertificate {
  std::string certificate;
  std::string key;
  std::string authority;
  std::chrono::system_clock::time_point expires;
};

class CertificateAuthority {
 public:
  // PEM files: a certificate and its key. kInvalidArgument names the file that cannot be used, or
  // says that the two do not belong together.
  static absl::StatusOr<CertificateAuthority> Load(const std::string& certificate_file,
                                                   const std::string& key_file);
  ~CertificateAuthority();
  CertificateAuthority(CertificateAuthority&&) noexcept;
  CertificateAuthority& operator=(CertificateAuthority&&) noexcept;

  // A new key (P-256) and its certificate, for the sidecars of one resource: good for TLS clients
  // only, from five minutes ago on (clocks differ) for `lifetime`, but not longer than the
  // authority itself.
  absl::StatusOr<SidecarCertificate> Issue(const v1::ResourceKey& key,
                                           std::chrono::system_clock::time_point now,
                                           std::chrono::seconds lifetime) const;
  // HMAC-SHA256 by the authority's key, in hexadecimal digits: the same after a restart, another
  // for each resource, and for one that was made anew.
  std::string DrainToken(const v1::ResourceKey& key, const std::string& uid) const;
  // Changes with the authority.
  const std::string& fingerprint() const;

 private:
  struct Parts;
  explicit CertificateAuthority(std::unique_ptr<Parts> parts);
  std::unique_ptr<const Parts> parts_;
};

}  // namespace krypton::kube
