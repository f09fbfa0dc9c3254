// The certificate, key and authority of a process, read again when they change: a file that is
// written anew, replaced by rename, or reached by a link that is swapped (as the kubelet does with
// projected Secrets). Each second the files are looked at; a pair that does not belong together (it
// is being written), or a file that is no PEM, leaves the last good one in place.
//
// gRPC reads certificates through paths. It is given those of two files in memory that hold what
// was found good, key and certificate in one, so that it never sees half of a change.
//
// One for each set of files, for the whole life of the process, made by Open; one thread looks at
// all of them, and is joined when the process ends. Any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/rpc/tls.h"

namespace krypton::rpc {

class CertificateFiles {
 public:
  // Begins to watch the files of `settings`, or gives what already watches them. kInvalidArgument
  // names what is missing, cannot be read, or does not belong together.
  static absl::StatusOr<CertificateFiles*> Open(const TlsSettings& settings);
  // All that were opened.
  static std::vector<CertificateFiles*> All();

  // Key and certificate chain together; the authorities.
  const std::string& identity_path() const;
  const std::string& authorities_path() const;

  // When the certificate ends, and the authority that ends last.
  std::chrono::system_clock::time_point certificate_expiry() const;
  std::chrono::system_clock::time_point authority_expiry() const;
  // Changes that were taken over, and changes that were found bad.
  uint64_t reloads() const;
  uint64_t failures() const;

  // Looks at the files now; the watching thread does so each second.
  void Look();

 private:
  class Impl;
  explicit CertificateFiles(Impl* impl) : impl_(impl) {}
  Impl* const impl_;
};

}  // namespace krypton::rpc
