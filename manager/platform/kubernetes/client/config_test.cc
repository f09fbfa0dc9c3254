#include "manager/platform/kubernetes/client/config.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace krypton::kube {
namespace {

class ConfigTest : public testing::Test {
 protected:
  ConfigTest() : folder_(testing::TempDir() + "kube_config_test." + std::to_string(getpid())) {
    std::filesystem::create_directories(folder_);
  }
  ~ConfigTest() override {
    std::filesystem::remove_all(folder_);
    unsetenv("KUBERNETES_SERVICE_HOST");
    unsetenv("KUBERNETES_SERVICE_PORT");
  }
  std::string Write(const std::string& name, const std::string& content) const {
    std::ofstream(folder_ + "/" + name) << content;
    return folder_ + "/" + name;
  }
  // A kubeconfig whose cluster and user have these fields.
  absl::StatusOr<Config> Read(const std::string& cluster, const std::string& user) const {
    return KubeconfigFile(Write("config", R"(
apiVersion: v1
kind: Config
current-context: here
contexts:
- {name: there, context: {cluster: other, user: other}}
- {name: here, context: {cluster: c, user: u, namespace: team}}
clusters:
- name: other
  cluster: {server: "https://other"}
- name: c
  cluster: {)" + cluster + R"(}
users:
- name: u
  user: {)" + user + "}\n"));
  }

  const std::string folder_;
};

TEST_F(ConfigTest, AKubeconfigWithDataAndFiles) {
  const auto config = Read(
      "server: 'https://[fd00::1]:6443/k8s/c1/', certificate-authority: pki/ca.crt, "
      "tls-server-name: kubernetes",
      "client-certificate-data: Y2VydA==, client-key-data: a2V5, token: secret");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->host, "fd00::1");
  EXPECT_EQ(config->port, 6443);
  EXPECT_EQ(config->path_prefix, "/k8s/c1");
  EXPECT_EQ(config->tls_server_name, "kubernetes");
  EXPECT_EQ(config->name_space, "team");
  EXPECT_EQ(config->ca.file, folder_ + "/pki/ca.crt");
  EXPECT_EQ(*config->client_cert.Read(), "cert");
  EXPECT_EQ(*config->client_key.Read(), "key");
  EXPECT_EQ(*config->token.Read(), "secret");
}

TEST_F(ConfigTest, ThePortDefaultsToHttps) {
  EXPECT_EQ(Read("server: 'https://example.com'", "token: t")->port, 443);
  EXPECT_EQ(Read("server: 'https://[::1]'", "token: t")->port, 443);
}

TEST_F(ConfigTest, WhatIsNotSafeOrNotSupportedIsRefused) {
  const std::pair<const char*, const char*> wrong[] = {
      {"server: 'http://example.com'", "token: t"},
      {"server: 'https://example.com', insecure-skip-tls-verify: true", "token: t"},
      {"server: 'https://example.com', proxy-url: 'http://proxy'", "token: t"},
      {"server: 'https://example.com:99999'", "token: t"},
      {"server: 'https://example.com', certificate-authority-data: '%'", "token: t"},
      {"server: 'https://example.com'", "exec: {command: aws}"},
      {"server: 'https://example.com'", "username: u, password: p"},
      {"server: 'https://example.com'", "client-certificate: a.crt"},
      {"token: [", ""},
  };
  for (const auto& [cluster, user] : wrong) {
    const auto config = Read(cluster, user);
    EXPECT_TRUE(absl::IsInvalidArgument(config.status())) << cluster << "; " << user;
  }
  EXPECT_TRUE(absl::IsInvalidArgument(KubeconfigFile(folder_ + "/none").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(KubeconfigFile(Write("empty", "")).status()));
}

TEST_F(ConfigTest, InAPodTheServiceAccountCounts) {
  EXPECT_FALSE(InClusterConfig(folder_).ok());
  setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
  setenv("KUBERNETES_SERVICE_PORT", "443", 1);
  EXPECT_FALSE(InClusterConfig(folder_).ok());
  Write("token", "one\n");
  Write("ca.crt", "authority");
  Write("namespace", "krypton-system");
  const auto config = InClusterConfig(folder_);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->host, "fd00::1");
  EXPECT_EQ(config->name_space, "krypton-system");
  EXPECT_EQ(*config->token.Read(), "one");
  Write("token", "two\n");
  EXPECT_EQ(*config->token.Read(), "two");
}

}  // namespace
}  // namespace krypton::kube
