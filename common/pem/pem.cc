#include "common/pem/pem.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <time.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/config/file.h"

namespace krypton::pem {
namespace {

constexpr size_t kMaxFileBytes = 1 << 20;

Bio Reader(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// Nobody is asked for a password.
int NoPassword(char*, int, int, void*) { return -1; }

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  absl::StatusOr<std::string> text = config::ReadFile(path, kMaxFileBytes);
  if (!text.ok()) return absl::InvalidArgumentError(text.status().message());
  if (text->empty()) return absl::InvalidArgumentError(absl::StrCat(path, " is empty"));
  return text;
}

std::vector<Certificate> ParseCertificates(const std::string& text) {
  const Bio reader = Reader(text);
  std::vector<Certificate> certificates;
  while (X509* one = PEM_read_bio_X509(reader.get(), nullptr, nullptr, nullptr)) {
    certificates.emplace_back(one);
  }
  ERR_clear_error();  // The end of the text counts as one.
  return certificates;
}

Key ParseKey(const std::string& text) {
  Key key(PEM_read_bio_PrivateKey(Reader(text).get(), nullptr, NoPassword, nullptr));
  ERR_clear_error();
  return key;
}

bool BelongTogether(const Certificate& certificate, const Key& key) {
  const bool matches = X509_check_private_key(certificate.get(), key.get()) == 1;
  ERR_clear_error();
  return matches;
}

std::chrono::system_clock::time_point ExpiryOf(const Certificate& certificate) {
  std::tm parts = {};
  ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &parts);
  return std::chrono::system_clock::from_time_t(timegm(&parts));
}

}  // namespace krypton::pem
