// An API server that keeps what is applied, for tests of what is written: server-side apply
// replaces the whole object, get gives it back, and the test sees every request. No watches: a test
// gives the view what it wants it to know.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "boost/json/object.hpp"
#include "manager/platform/kubernetes/client/testing/fake_api_server.h"
#include "manager/platform/kubernetes/objects/names.h"

namespace krypton::kube {

class ObjectStore {
 public:
  ObjectStore() : server_([this](const FakeRequest& request) { return Answer(request); }) {}

  Config config() const { return server_.config(); }
  // "PATCH deployments/echo", in order, since the last call.
  std::vector<std::string> TakeWrites();
  // Null: not there. By resource and name: "deployments/echo".
  boost::json::object Get(const std::string& path) const;
  void Put(const std::string& path, boost::json::object object);
  void Remove(const std::string& path);
  // Answers writes of this path with a refusal from now on; an empty reason: no more.
  void Refuse(const std::string& path, int code, const std::string& reason);

 private:
  FakeReply Answer(const FakeRequest& request);

  mutable std::mutex mutex_;
  std::map<std::string, boost::json::object> objects_;
  std::map<std::string, std::pair<int, std::string>> refusals_;
  std::vector<std::string> writes_;
  int uids_ = 0;
  FakeApiServer server_;
};

}  // namespace krypton::kube
