#include "manager/platform/kubernetes/client/client.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/config/percent.h"
#include "manager/platform/kubernetes/client/caller.h"
#include "manager/platform/kubernetes/client/json.h"
#include "manager/platform/kubernetes/client/watch_decoder.h"

namespace krypton::kube {
namespace {

namespace json = boost::json;

// etcd holds objects up to 1.5 MiB.
constexpr size_t kMaxEventBytes = 16 << 20;
// Over the time after which the server ends a watch by itself.
constexpr std::chrono::seconds kWatchMargin(30);

// A target's query, part by part.
class Query {
 public:
  explicit Query(std::string path) : target_(std::move(path)) {}
  Query& Add(std::string_view key, std::string_view value) {
    absl::StrAppend(&target_, empty_ ? "?" : "&", std::string(key), "=",
                    config::EncodePercent(value));
    empty_ = false;
    return *this;
  }
  Query& AddIf(bool condition, std::string_view key, std::string_view value) {
    return condition ? Add(key, value) : *this;
  }
  Query& AddUnlessEmpty(std::string_view key, std::string_view value) {
    return AddIf(!value.empty(), key, value);
  }
  std::string target() const { return target_; }

 private:
  std::string target_;
  bool empty_ = true;
};

std::string Describe(std::string_view verb, const GroupVersionResource& gvr, const ObjectName& name,
                     std::string_view subresource = {}) {
  std::string text = absl::StrCat(std::string(verb), " ", ToString(gvr));
  if (!subresource.empty()) absl::StrAppend(&text, "/", std::string(subresource));
  const std::string object = ToString(name);
  return object.empty() ? text : absl::StrCat(text, " \"", object, "\"");
}

absl::StatusOr<json::value> ParseObject(const Call& call, absl::StatusOr<std::string> body) {
  if (!body.ok()) return body.status();
  auto value = ParseJson(*body);
  if (value.ok() && value->is_object()) return value;
  return absl::InternalError(call.what + ": the server's answer is no JSON object");
}

// What the kinds of writes have in common.
Call Write(std::string method, std::string_view verb, const GroupVersionResource& gvr,
           const ObjectName& name, const WriteOptions& options) {
  Call call;
  call.method = std::move(method);
  call.content_type = "application/json";
  call.what = Describe(verb, gvr, name, options.subresource);
  call.target = Query(name.name.empty() ? CollectionPath(gvr, name.name_space)
                                        : ObjectPath(gvr, name, options.subresource))
                    .AddUnlessEmpty("fieldManager", options.field_manager)
                    .AddIf(options.dry_run, "dryRun", "All")
                    .target();
  call.write = true;
  return call;
}

json::object DeleteBody(const DeleteOptions& options) {
  json::object body = {{"apiVersion", "v1"}, {"kind", "DeleteOptions"}};
  body["propagationPolicy"] = options.propagation;
  if (options.grace_period_seconds >= 0) body["gracePeriodSeconds"] = options.grace_period_seconds;
  json::object preconditions;
  if (!options.uid.empty()) preconditions["uid"] = options.uid;
  if (!options.resource_version.empty()) {
    preconditions["resourceVersion"] = options.resource_version;
  }
  if (!preconditions.empty()) body["preconditions"] = std::move(preconditions);
  return body;
}

}  // namespace

class Client::Impl {
 public:
  Impl(Config config_in, ClientSettings settings, prometheus::Registry& metrics)
      : config(std::move(config_in)), caller(config, std::move(settings), metrics) {}

  absl::StatusOr<json::value> Do(const Call& call) { return ParseObject(call, caller.Do(call)); }

  const Config config;
  Caller caller;
};

Client::Client(Config config, ClientSettings settings, prometheus::Registry& metrics)
    : impl_(std::make_unique<Impl>(std::move(config), std::move(settings), metrics)) {}
Client::~Client() = default;

const Config& Client::config() const { return impl_->config; }

absl::StatusOr<json::value> Client::Get(const GroupVersionResource& gvr, const ObjectName& name,
                                        std::string_view subresource) {
  Call call;
  call.method = "GET";
  call.target = ObjectPath(gvr, name, subresource);
  call.what = Describe("get", gvr, name, subresource);
  return impl_->Do(call);
}

absl::StatusOr<std::string> Client::List(const GroupVersionResource& gvr,
                                         const std::string& name_space, const ListOptions& options,
                                         const Each& each) {
  Call call;
  call.method = "GET";
  call.what = Describe("list", gvr, {name_space, ""});
  call.stop = options.stop;
  std::string next;
  do {
    call.target = Query(CollectionPath(gvr, name_space))
                      .Add("limit", absl::StrCat(options.limit))
                      .AddUnlessEmpty("labelSelector", options.label_selector)
                      .AddUnlessEmpty("fieldSelector", options.field_selector)
                      .AddUnlessEmpty("continue", next)
                      .target();
    const absl::StatusOr<json::value> page = impl_->Do(call);
    if (!page.ok()) return page.status();
    const json::object& list = page->get_object();
    if (const json::array* items = ArrayAt(list, "items")) {
      for (const json::value& item : *items) {
        if (item.is_object()) each(item.get_object());
      }
    }
    next = std::string(MetadataAt(list, "continue"));
    if (next.empty()) return std::string(MetadataAt(list, "resourceVersion"));
  } while (true);
}

absl::Status Client::Watch(const GroupVersionResource& gvr, const std::string& name_space,
                           const WatchOptions& options, std::stop_token stop,
                           const EachEvent& each) {
  bool enough = false;
  WatchDecoder decoder(kMaxEventBytes, [&](std::string_view type, const json::object& object) {
    enough = !each(type, object);
    return !enough;
  });
  Call call;
  call.method = "GET";
  call.what = Describe("watch", gvr, {name_space, ""});
  call.target = Query(CollectionPath(gvr, name_space))
                    .Add("watch", "true")
                    .Add("allowWatchBookmarks", "true")
                    .Add("timeoutSeconds", absl::StrCat(options.timeout.count()))
                    .AddUnlessEmpty("resourceVersion", options.resource_version)
                    .AddUnlessEmpty("labelSelector", options.label_selector)
                    .AddUnlessEmpty("fieldSelector", options.field_selector)
                    .target();
  call.repeatable = false;  // What it said has been taken.
  call.read_timeout = options.timeout + kWatchMargin;
  call.stop = std::move(stop);
  call.receive = [&decoder](std::string_view piece) { return decoder.Feed(piece); };
  const absl::Status status = impl_->caller.Do(call).status();
  if (enough) return absl::OkStatus();
  if (!decoder.status().ok()) return decoder.status();
  return status.ok() ? decoder.Finish() : status;
}

absl::StatusOr<json::value> Client::Create(const GroupVersionResource& gvr,
                                           const std::string& name_space,
                                           const json::object& object,
                                           const WriteOptions& options) {
  Call call = Write("POST", "create", gvr, {name_space, ""}, options);
  if (!options.subresource.empty()) {
    call.target =
        ObjectPath(gvr, {name_space, std::string(MetadataAt(object, "name"))}, options.subresource);
  }
  call.body = json::serialize(object);
  call.repeatable = false;
  return impl_->Do(call);
}

absl::StatusOr<json::value> Client::Replace(const GroupVersionResource& gvr, const ObjectName& name,
                                            const json::object& object,
                                            const WriteOptions& options) {
  Call call = Write("PUT", "replace", gvr, name, options);
  call.body = json::serialize(object);
  // Sent again, it would find the version that it made itself.
  call.repeatable = MetadataAt(object, "resourceVersion").empty();
  return impl_->Do(call);
}

absl::StatusOr<json::value> Client::Apply(const GroupVersionResource& gvr, const ObjectName& name,
                                          const json::object& object, const WriteOptions& options) {
  Call call = Write("PATCH", "apply", gvr, name, options);
  if (options.force) absl::StrAppend(&call.target, "&force=true");
  call.content_type = "application/apply-patch+yaml";  // JSON is YAML.
  call.body = json::serialize(object);
  return impl_->Do(call);
}

absl::StatusOr<json::value> Client::Patch(const GroupVersionResource& gvr, const ObjectName& name,
                                          PatchType type, const json::value& patch,
                                          const WriteOptions& options) {
  Call call = Write("PATCH", "patch", gvr, name, options);
  call.content_type =
      type == PatchType::kMerge ? "application/merge-patch+json" : "application/json-patch+json";
  call.body = json::serialize(patch);
  call.repeatable = type == PatchType::kMerge;
  return impl_->Do(call);
}

absl::Status Client::Delete(const GroupVersionResource& gvr, const ObjectName& name,
                            const DeleteOptions& options) {
  Call call = Write("DELETE", "delete", gvr, name, {.field_manager = {}, .subresource = {}});
  call.body = json::serialize(DeleteBody(options));
  return impl_->caller.Do(call).status();
}

absl::Status Client::ReadLog(const ObjectName& pod, const LogQuery& query, std::stop_token stop,
                             const std::function<bool(std::string_view)>& each) {
  bool enough = false;
  Call call;
  call.method = "GET";
  const GroupVersionResource pods = {"", "v1", "pods"};
  call.what = Describe("read the log of", pods, pod);
  call.target = Query(ObjectPath(pods, pod, "log"))
                    .AddUnlessEmpty("container", query.container)
                    .AddIf(query.follow, "follow", "true")
                    .AddIf(query.previous, "previous", "true")
                    .AddIf(query.timestamps, "timestamps", "true")
                    .AddIf(query.tail_lines >= 0, "tailLines", absl::StrCat(query.tail_lines))
                    .AddUnlessEmpty("sinceTime", query.since_time)
                    .target();
  call.repeatable = false;
  if (query.follow) call.read_timeout = std::chrono::hours(24 * 365);
  call.stop = std::move(stop);
  call.receive = [&](std::string_view piece) {
    enough = !each(piece);
    return !enough;
  };
  const absl::Status status = impl_->caller.Do(call).status();
  return enough ? absl::OkStatus() : status;
}

void Client::Shutdown() { impl_->caller.Shutdown(); }

}  // namespace krypton::kube
