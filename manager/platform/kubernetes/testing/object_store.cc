#include "manager/platform/kubernetes/testing/object_store.h"

#include <utility>

#include "boost/json/parse.hpp"
#include "boost/json/serialize.hpp"
#include "manager/platform/kubernetes/objects/json.h"

namespace krypton::kube {
namespace {

namespace json = boost::json;

// "/apis/apps/v1/namespaces/default/deployments/echo" → "deployments/echo".
std::string ShortPath(const std::string& path) {
  const size_t at = path.find("/namespaces/");
  return at == path.npos ? path : path.substr(path.find('/', at + 12) + 1);
}

}  // namespace

std::vector<std::string> ObjectStore::TakeWrites() {
  std::lock_guard lock(mutex_);
  return std::exchange(writes_, {});
}

json::object ObjectStore::Get(const std::string& path) const {
  std::lock_guard lock(mutex_);
  const auto found = objects_.find(path);
  return found == objects_.end() ? json::object() : found->second;
}

void ObjectStore::Put(const std::string& path, json::object object) {
  std::lock_guard lock(mutex_);
  objects_[path] = std::move(object);
}

void ObjectStore::Remove(const std::string& path) {
  std::lock_guard lock(mutex_);
  objects_.erase(path);
}

void ObjectStore::Refuse(const std::string& path, int code, const std::string& reason) {
  std::lock_guard lock(mutex_);
  refusals_[path] = {code, reason};
  if (reason.empty()) refusals_.erase(path);
}

FakeReply ObjectStore::Answer(const FakeRequest& request) {
  std::lock_guard lock(mutex_);
  std::string path = ShortPath(request.path);
  if (request.method == "GET") {
    const auto found = objects_.find(path);
    if (found == objects_.end()) return Refusal(404, "NotFound");
    return {.body = json::serialize(found->second)};
  }
  json::object body;
  if (!request.body.empty()) body = json::parse(request.body).as_object();
  if (request.method == "POST") path += "/" + FindString(body, {"metadata", "name"});
  const auto type = request.headers.find("content-type");
  const bool applies =
      type != request.headers.end() && type->second.find("apply") != type->second.npos;
  const auto forced = request.query.find("force");
  const bool gentle = applies && (forced == request.query.end() || forced->second != "true");
  writes_.push_back(request.method + " " + path);
  if (const auto refused = refusals_.find(path); refused != refusals_.end()) {
    return Refusal(refused->second.first, refused->second.second);
  }
  if (request.method == "DELETE") return {.body = objects_.erase(path) > 0 ? "{}" : "{}"};
  if (request.method == "POST" && objects_.contains(path)) return Refusal(409, "AlreadyExists");
  if (gentle && objects_.contains(path)) return Refusal(409, "Conflict");
  json::object& slot = objects_[path];
  const std::string uid =
      slot.empty() ? "uid-" + std::to_string(++uids_) : FindString(slot, {"metadata", "uid"});
  slot = std::move(body);
  slot["metadata"].as_object()["uid"] = uid;
  return {.body = json::serialize(slot)};
}

}  // namespace krypton::kube
