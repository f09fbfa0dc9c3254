#include "manager/platform/kubernetes/testing/test_authority.h"

#include <filesystem>

namespace krypton::kube {

TestAuthority::TestAuthority() {
  folder_ = (std::filesystem::temp_directory_path() / "krypton-authority-XXXXXX").string();
  if (mkdtemp(folder_.data()) == nullptr) std::abort();
  rpc::WriteTestCertificate(folder_ + "/ca",
                            rpc::MakeTestCertificate({.common_name = "ca", .authority = true}));
  certificate_file_ = folder_ + "/ca.crt";
  key_file_ = folder_ + "/ca.key";
}

TestAuthority::~TestAuthority() { std::filesystem::remove_all(folder_); }

}  // namespace krypton::kube
