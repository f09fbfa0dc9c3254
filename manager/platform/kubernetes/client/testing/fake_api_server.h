// An API server that answers as its test says, over real TLS on a free port of loopback.
//
// The handler is called for each request, on a thread of the server; its reply may be a stream of
// pieces that ends in order, is cut, or is held open until the client goes or the server ends.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/rpc/testing/certificates.h"
#include "common/testing/wait_for.h"
#include "manager/platform/kubernetes/client/config.h"

namespace krypton::kube {

struct FakeRequest {
  std::string method;
  std::string path;
  std::map<std::string, std::string> query;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;

  bool is_watch() const { return query.contains("watch"); }
};

struct FakeReply {
  enum class End { kInOrder, kCut, kHold };

  int code = 200;
  std::string body;
  std::map<std::string, std::string> headers;
  // When not empty, or when it does not end in order: sent in chunks, instead of `body`.
  std::vector<std::string> pieces;
  End end = End::kInOrder;
};

class FakeApiServer {
 public:
  using Handler = std::function<FakeReply(const FakeRequest&)>;

  explicit FakeApiServer(Handler handler);
  ~FakeApiServer();
  FakeApiServer(const FakeApiServer&) = delete;
  FakeApiServer& operator=(const FakeApiServer&) = delete;

  // For a client of this server, without a token.
  Config config() const;
  // All requests so far.
  std::vector<FakeRequest> requests() const;
  // Lets go of held streams (in order) and of what follows at once.
  void Release();
  // The certificate's authority.
  const rpc::TestCertificate& authority() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// {"kind":"Status",...} with this code and reason.
FakeReply Refusal(int code, const std::string& reason, const std::string& message = "no");

// A line of a watch:
// {"type":TYPE,"object":{"metadata":{"name","namespace","resourceVersion"},...}}.
std::string EventLine(const std::string& type, const std::string& name, int version);
// The object alone.
std::string ObjectText(const std::string& name, int version);
// A list of such objects.
FakeReply ListReply(int version, const std::vector<std::string>& objects,
                    const std::string& next = {});

}  // namespace krypton::kube
