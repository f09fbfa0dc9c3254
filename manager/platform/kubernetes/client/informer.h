// Informer<T> keeps a copy of all objects of one kind, each reduced to the T that its owner needs:
// list, then watch, for ever (reflector.h says how breaks and 410 are dealt with).
//
//   Informer<Pod> pods(client, {.gvr = kPods, .label_selector = "krypton.ai/agent"},
//                      [](const boost::json::object& pod) { return ReducePod(pod); },
//                      {.added = ..., .updated = ..., .deleted = ...}, metrics);
//   pods.Start();
//
// Handlers are called on the informer's one thread, in the order of the changes, after the copy has
// changed; an object that is listed again in the same resource version calls none. Whatever is gone
// after a fresh list is reported as deleted. The copy may be read by any thread. Stop waits for the
// handler that runs; the destructor stops. The client outlives the informer.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "boost/json/fwd.hpp"
#include "manager/platform/kubernetes/client/reflector.h"
#include "manager/platform/kubernetes/client/resource.h"

namespace prometheus {
class Registry;
}

namespace krypton::kube {

class Client;

// The part that does not depend on T; used through Informer.
class UntypedInformer {
 public:
  using Object = std::shared_ptr<const void>;
  struct Callbacks {
    // Null: the object is of no interest, as if it were not there.
    std::function<Object(const boost::json::object&)> reduce;
    std::function<void(const ObjectName&, Object before, Object now)> changed;
    std::function<void()> synced;
  };
  UntypedInformer(Client& client, ReflectorSettings settings, Callbacks callbacks,
                  prometheus::Registry& metrics);
  ~UntypedInformer();
  void Start();
  void Stop();
  bool HasSynced() const;
  Object Find(const ObjectName& name) const;
  std::vector<std::pair<ObjectName, Object>> All() const;
  ReflectorState state() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

template <typename T>
class Informer {
 public:
  using Ptr = std::shared_ptr<const T>;
  // nullopt: of no interest.
  using Reduce = std::function<std::optional<T>(const boost::json::object&)>;
  // Each may be empty.
  struct Handlers {
    std::function<void(const ObjectName&, const Ptr& now)> added;
    std::function<void(const ObjectName&, const Ptr& before, const Ptr& now)> updated;
    std::function<void(const ObjectName&, const Ptr& before)> deleted;
    // Once, when the first list has been taken over whole.
    std::function<void()> synced;
  };

  Informer(Client& client, ReflectorSettings settings, Reduce reduce, Handlers handlers,
           prometheus::Registry& metrics)
      : handlers_(std::move(handlers)),
        untyped_(client, std::move(settings), CallbacksFor(std::move(reduce)), metrics) {}

  void Start() { untyped_.Start(); }
  void Stop() { untyped_.Stop(); }
  // The first list has been taken over whole and its handlers have been called.
  bool HasSynced() const { return untyped_.HasSynced(); }
  // Null: not there.
  Ptr Find(const ObjectName& name) const {
    return std::static_pointer_cast<const T>(untyped_.Find(name));
  }
  std::vector<std::pair<ObjectName, Ptr>> All() const {
    std::vector<std::pair<ObjectName, Ptr>> all;
    for (auto& [name, object] : untyped_.All()) {
      all.emplace_back(std::move(name), std::static_pointer_cast<const T>(std::move(object)));
    }
    return all;
  }
  // For readiness checks: since when it has been cut off, and why.
  ReflectorState state() const { return untyped_.state(); }

 private:
  UntypedInformer::Callbacks CallbacksFor(Reduce reduce) {
    UntypedInformer::Callbacks callbacks;
    callbacks.reduce = [reduce = std::move(reduce)](const boost::json::object& object) -> Ptr {
      std::optional<T> reduced = reduce(object);
      return reduced.has_value() ? std::make_shared<const T>(*std::move(reduced)) : nullptr;
    };
    callbacks.changed = [this](const ObjectName& name, UntypedInformer::Object before,
                               UntypedInformer::Object now) {
      Changed(name, std::static_pointer_cast<const T>(std::move(before)),
              std::static_pointer_cast<const T>(std::move(now)));
    };
    callbacks.synced = [this] {
      if (handlers_.synced) handlers_.synced();
    };
    return callbacks;
  }
  void Changed(const ObjectName& name, const Ptr& before, const Ptr& now) {
    if (before == nullptr) {
      if (handlers_.added) handlers_.added(name, now);
    } else if (now == nullptr) {
      if (handlers_.deleted) handlers_.deleted(name, before);
    } else if (handlers_.updated) {
      handlers_.updated(name, before, now);
    }
  }

  const Handlers handlers_;
  UntypedInformer untyped_;
};

}  // namespace krypton::kube
