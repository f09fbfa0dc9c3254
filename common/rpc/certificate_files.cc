#include "common/rpc/certificate_files.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>
#include <tuple>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "common/log/log.h"
#include "common/pem/pem.h"

namespace krypton::rpc {
namespace {

using Wall = std::chrono::system_clock;

constexpr std::chrono::seconds kInterval(1);

// What changes when a file does, or a link on the way to it.
using Stamp = std::tuple<dev_t, ino_t, off_t, time_t, int64_t>;

Stamp StampOf(const std::string& path) {
  struct stat found = {};
  if (stat(path.c_str(), &found) != 0) return {};
  return {found.st_dev, found.st_ino, found.st_size, found.st_mtim.tv_sec, found.st_mtim.tv_nsec};
}

struct Content {
  std::string cert;
  std::string key;
  std::string ca;
  Wall::time_point certificate_expiry;
  Wall::time_point authority_expiry;
};

absl::StatusOr<std::string> ReadFile(const char* flag, const std::string& path) {
  if (path.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(flag, " is missing: mutual TLS needs --tls-cert, --tls-key and --tls-ca"));
  }
  absl::StatusOr<std::string> content = pem::ReadFile(path);
  if (content.ok()) return content;
  return absl::InvalidArgumentError(
      absl::StrCat(flag, ": ", std::string(content.status().message())));
}

absl::Status CheckContent(const TlsSettings& settings, Content& content) {
  const auto wrong = [](const char* flag, const std::string& path, const char* what) {
    return absl::InvalidArgumentError(absl::StrCat(flag, ": ", path, what));
  };
  const std::vector<pem::Certificate> chain = pem::ParseCertificates(content.cert);
  if (chain.empty()) return wrong("--tls-cert", settings.cert, " holds no PEM certificate");
  const std::vector<pem::Certificate> authorities = pem::ParseCertificates(content.ca);
  if (authorities.empty()) return wrong("--tls-ca", settings.ca, " holds no PEM certificate");
  const pem::Key key = pem::ParseKey(content.key);
  if (key == nullptr) return wrong("--tls-key", settings.key, " holds no PEM key");
  if (!pem::BelongTogether(chain.front(), key)) {
    return wrong("--tls-key", settings.key, " is not the key of --tls-cert");
  }
  content.certificate_expiry = pem::ExpiryOf(chain.front());
  for (const pem::Certificate& authority : authorities) {
    content.authority_expiry = std::max(content.authority_expiry, pem::ExpiryOf(authority));
  }
  return absl::OkStatus();
}

absl::StatusOr<Content> ReadContent(const TlsSettings& settings) {
  auto cert = ReadFile("--tls-cert", settings.cert);
  if (!cert.ok()) return cert.status();
  auto key = ReadFile("--tls-key", settings.key);
  if (!key.ok()) return key.status();
  auto ca = ReadFile("--tls-ca", settings.ca);
  if (!ca.ok()) return ca.status();
  Content content;
  content.cert = *std::move(cert);
  content.key = *std::move(key);
  content.ca = *std::move(ca);
  if (absl::Status status = CheckContent(settings, content); !status.ok()) return status;
  return content;
}

// A file without a name, which others open through /proc.
class MemoryFile {
 public:
  explicit MemoryFile(const char* name)
      : fd_(memfd_create(name, MFD_CLOEXEC)), path_(absl::StrCat("/proc/self/fd/", fd_)) {}

  bool ok() const { return fd_ >= 0; }
  const std::string& path() const { return path_; }

  // gRPC, which reads the file each second, compares its times (in seconds) before and after: each
  // content gets a time of its own.
  bool Write(const std::string& content, int64_t generation) const {
    const auto size = static_cast<ssize_t>(content.size());
    const bool written =
        ftruncate(fd_, size) == 0 && pwrite(fd_, content.data(), content.size(), 0) == size;
    const timespec time = {.tv_sec = generation, .tv_nsec = 0};
    const std::array<timespec, 2> times = {time, time};
    return futimens(fd_, times.data()) == 0 && written;
  }

 private:
  const int fd_;
  const std::string path_;
};

}  // namespace

class CertificateFiles::Impl {
 public:
  explicit Impl(TlsSettings settings) : settings_(std::move(settings)) {}

  absl::Status Begin() {
    const std::lock_guard lock(mutex_);
    if (!identity_.ok() || !authorities_.ok()) {
      return absl::InternalError("no memory file for certificates: memfd_create failed");
    }
    const Stamps stamps = Now();
    absl::StatusOr<Content> content = ReadContent(settings_);
    if (!content.ok()) return content.status();
    TakeOver(*std::move(content), stamps);
    return absl::OkStatus();
  }

  void Look() {
    const std::lock_guard lock(mutex_);
    const Stamps stamps = Now();
    if (stamps == good_) return;
    absl::StatusOr<Content> content = ReadContent(settings_);
    if (!content.ok()) {
      if (stamps == bad_) return;
      bad_ = stamps;
      ++failures_;
      log::Warn("certificate files changed and are not taken over",
                {{"cert", settings_.cert}, {"error", content.status()}});
      return;
    }
    ++reloads_;
    TakeOver(*std::move(content), stamps);
    log::Info("certificate files were read again", {{"cert", settings_.cert}});
  }

  const std::string& identity_path() const { return identity_.path(); }
  const std::string& authorities_path() const { return authorities_.path(); }
  Content content() const {
    const std::lock_guard lock(mutex_);
    return content_;
  }
  std::pair<uint64_t, uint64_t> counts() const {
    const std::lock_guard lock(mutex_);
    return {reloads_, failures_};
  }

 private:
  using Stamps = std::array<Stamp, 3>;

  Stamps Now() const {
    return {StampOf(settings_.cert), StampOf(settings_.key), StampOf(settings_.ca)};
  }
  // What was stamped before it was read: a later change is seen at the next look.
  void TakeOver(Content content, const Stamps& stamps) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    content_ = std::move(content);
    good_ = stamps;
    ++generation_;
    if (!identity_.Write(absl::StrCat(content_.key, "\n", content_.cert), generation_) ||
        !authorities_.Write(content_.ca, generation_)) {
      log::Error("certificates could not be handed to gRPC", {{"cert", settings_.cert}});
    }
  }

  const TlsSettings settings_;
  const MemoryFile identity_{"krypton-identity"};
  const MemoryFile authorities_{"krypton-authorities"};

  mutable std::mutex mutex_;
  Content content_ ABSL_GUARDED_BY(mutex_);
  Stamps good_ ABSL_GUARDED_BY(mutex_);
  Stamps bad_ ABSL_GUARDED_BY(mutex_);
  int64_t generation_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t reloads_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t failures_ ABSL_GUARDED_BY(mutex_) = 0;
};

namespace {

// All sets of files, never destroyed: gRPC's threads read through them to the end.
struct Opened {
  std::mutex mutex;
  std::map<std::tuple<std::string, std::string, std::string>, CertificateFiles*> files
      ABSL_GUARDED_BY(mutex);
};
Opened& GetOpened() {
  static auto* const opened = new Opened;
  return *opened;
}

// Looks at all sets of files each second, until the process ends.
class Watcher {
 public:
  Watcher() : thread_([this](const std::stop_token& stop) { Run(stop); }) {}

 private:
  void Run(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!stopped_.wait_for(lock, stop, kInterval, [&] { return stop.stop_requested(); })) {
      for (CertificateFiles* files : CertificateFiles::All()) files->Look();
    }
  }

  std::mutex mutex_;
  std::condition_variable_any stopped_;
  std::jthread thread_;  // The last member: it uses the others.
};

void BeginToWatch() { static const Watcher watcher; }

}  // namespace

absl::StatusOr<CertificateFiles*> CertificateFiles::Open(const TlsSettings& settings) {
  Opened& opened = GetOpened();
  const std::lock_guard lock(opened.mutex);
  CertificateFiles*& files = opened.files[{settings.cert, settings.key, settings.ca}];
  if (files != nullptr) return files;
  auto impl = std::make_unique<Impl>(settings);
  if (absl::Status status = impl->Begin(); !status.ok()) {
    opened.files.erase({settings.cert, settings.key, settings.ca});
    return status;
  }
  files = new CertificateFiles(impl.release());
  BeginToWatch();
  return files;
}

std::vector<CertificateFiles*> CertificateFiles::All() {
  Opened& opened = GetOpened();
  const std::lock_guard lock(opened.mutex);
  std::vector<CertificateFiles*> all;
  for (const auto& [paths, files] : opened.files) all.push_back(files);
  return all;
}

const std::string& CertificateFiles::identity_path() const { return impl_->identity_path(); }
const std::string& CertificateFiles::authorities_path() const { return impl_->authorities_path(); }
Wall::time_point CertificateFiles::certificate_expiry() const {
  return impl_->content().certificate_expiry;
}
Wall::time_point CertificateFiles::authority_expiry() const {
  return impl_->content().authority_expiry;
}
uint64_t CertificateFiles::reloads() const { return impl_->counts().first; }
uint64_t CertificateFiles::failures() const { return impl_->counts().second; }
void CertificateFiles::Look() { impl_->Look(); }

}  // namespace krypton::rpc
