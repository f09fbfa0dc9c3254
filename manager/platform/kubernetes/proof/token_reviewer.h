// TokenReviewer asks the API server whose a service-account token is (authentication.k8s.io/v1
// TokenReview), and remembers the answer until the token ends, at most for ten minutes; a token
// that was refused is remembered for ten seconds. A few threads of its own ask, so that nobody
// waits in a thread of gRPC; what waits is bounded. Tokens are kept as hashes only.
//
// Any thread. Stop, and the destructor, answer what waits with UNAVAILABLE. The client outlives it;
// it has no write gate and a rate that bears all sidecars coming back at once.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace prometheus {
class Registry;
}
namespace krypton::kube {
class Client;
struct ClientSettings;
}  // namespace krypton::kube

namespace krypton::kube {

// The pod that a token was made for.
struct TokenIdentity {
  std::string name_space;
  std::string service_account;
  std::string pod_name;
  std::string pod_uid;
};

struct TokenReviewerSettings {
  std::string audience = "krypton";
  int threads = 4;
  size_t max_waiting = 10'000;
  size_t max_remembered = 20'000;
  std::chrono::seconds remember_good{600};
  std::chrono::seconds remember_bad{10};
};

class TokenReviewer {
 public:
  // UNAUTHENTICATED: no valid token of a pod for the audience. UNAVAILABLE: could not be asked.
  using Done = std::function<void(absl::StatusOr<TokenIdentity>)>;

  TokenReviewer(Client& client, TokenReviewerSettings settings, prometheus::Registry& metrics);
  ~TokenReviewer();
  TokenReviewer(const TokenReviewer&) = delete;
  TokenReviewer& operator=(const TokenReviewer&) = delete;

  void Start();
  // Calls `done` once: at once when the answer is remembered, else on one of its threads.
  void Review(const std::string& token, Done done);
  void Stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// What a client for reviews is made with.
ClientSettings TokenReviewClientSettings();

}  // namespace krypton::kube
