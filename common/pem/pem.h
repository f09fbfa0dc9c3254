// Certificates and keys as PEM texts, and as OpenSSL's objects that free themselves. Leaves nothing
// in OpenSSL's queue of errors. Any thread.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace krypton::pem {

template <auto free>
struct Freer {
  template <typename T>
  void operator()(T* object) const {
    free(object);
  }
};
using Certificate = std::unique_ptr<X509, Freer<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using Bio = std::unique_ptr<BIO, Freer<BIO_free_all>>;

// A regular file of at most 1 MiB. kInvalidArgument: it cannot be read, or is empty. The message
// names the path.
absl::StatusOr<std::string> ReadFile(const std::string& path);

// All certificates of the text, in order.
std::vector<Certificate> ParseCertificates(const std::string& text);
// The first private key of the text; null: there is none that can be read without a password.
Key ParseKey(const std::string& text);
// What `write` (→ 1 when it is done) writes to a BIO; empty: it failed.
template <typename Write>
std::string ToText(Write write) {
  const Bio bio(BIO_new(BIO_s_mem()));
  if (write(bio.get()) != 1) return "";
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<size_t>(size)};
}

bool BelongTogether(const Certificate& certificate, const Key& key);
// When it ends.
std::chrono::system_clock::time_point ExpiryOf(const Certificate& certificate);

}  // namespace krypton::pem
