// The sidecars' authority from its files, which are read again when they change. Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "manager/platform/kubernetes/objects/certificate.h"

namespace krypton::kube {

class AuthorityFiles {
 public:
  AuthorityFiles(std::string certificate_file, std::string key_file)
      : certificate_file_(std::move(certificate_file)), key_file_(std::move(key_file)) {}

  // Requires: Reload has been OK once.
  std::shared_ptr<const CertificateAuthority> Get() const {
    std::lock_guard lock(mutex_);
    return authority_;
  }

  // True when the authority is another than before. What cannot be read leaves the one before.
  absl::StatusOr<bool> Reload() {
    auto loaded = CertificateAuthority::Load(certificate_file_, key_file_);
    if (!loaded.ok()) return loaded.status();
    std::lock_guard lock(mutex_);
    if (authority_ != nullptr && authority_->fingerprint() == loaded->fingerprint()) return false;
    authority_ = std::make_shared<const CertificateAuthority>(*std::move(loaded));
    return true;
  }

 private:
  const std::string certificate_file_;
  const std::string key_file_;
  mutable std::mutex mutex_;
  std::shared_ptr<const CertificateAuthority> authority_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace krypton::kube
