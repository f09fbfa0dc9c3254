// The files of a sidecars' authority for tests.
#pragma once

#include <string>

#include "common/rpc/testing/certificates.h"

namespace krypton::kube {

class TestAuthority {
 public:
  TestAuthority();
  ~TestAuthority();

  const std::string& certificate_file() const { return certificate_file_; }
  const std::string& key_file() const { return key_file_; }

 private:
  std::string folder_;
  std::string certificate_file_;
  std::string key_file_;
};

}  // namespace krypton::kube
