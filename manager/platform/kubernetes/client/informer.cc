#include "manager/platform/kubernetes/client/informer.h"

#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <atomic>
#include <boost/json/object.hpp>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "manager/platform/kubernetes/client/json.h"

namespace krypton::kube {
namespace {

ObjectName NameOf(const boost::json::object& object) {
  return {std::string(MetadataAt(object, "namespace")), std::string(MetadataAt(object, "name"))};
}

prometheus::Gauge& ObjectsGauge(const GroupVersionResource& gvr, prometheus::Registry& metrics) {
  return prometheus::BuildGauge()
      .Name("krypton_informer_objects")
      .Help("Objects that are held in the copy of each kind.")
      .Register(metrics)
      .Add({{"resource", ToString(gvr)}});
}

}  // namespace

// The copy is changed by the reflector's thread alone; the lock is for those who read it.
class UntypedInformer::Impl {
 public:
  Impl(Client& client, ReflectorSettings settings, Callbacks callbacks,
       prometheus::Registry& metrics)
      : callbacks_(std::move(callbacks)),
        objects_(ObjectsGauge(settings.gvr, metrics)),
        reflector_(client, std::move(settings),
                   {.list_begin = [this] { listed_.clear(); },
                    .listed =
                        [this](const boost::json::object& object) {
                          listed_.insert(NameOf(object));
                          Set(object);
                        },
                    .list_done = [this](bool whole) { ListDone(whole); },
                    .changed =
                        [this](bool exists, const boost::json::object& object) {
                          exists ? Set(object) : Remove(NameOf(object));
                        }}) {}

  void Start() { reflector_.Start(); }
  void Stop() { reflector_.Stop(); }
  bool HasSynced() const { return synced_; }
  ReflectorState state() const { return reflector_.state(); }

  Object Find(const ObjectName& name) const {
    const std::lock_guard lock(mutex_);
    const auto it = copy_.find(name);
    return it == copy_.end() ? nullptr : it->second.object;
  }
  std::vector<std::pair<ObjectName, Object>> All() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::pair<ObjectName, Object>> all;
    all.reserve(copy_.size());
    for (const auto& [name, held] : copy_) all.emplace_back(name, held.object);
    return all;
  }

 private:
  struct Held {
    Object object;
    std::string version;
  };

  void Set(const boost::json::object& object);
  void Remove(const ObjectName& name);
  void ListDone(bool whole);

  const Callbacks callbacks_;
  prometheus::Gauge& objects_;
  std::set<ObjectName> listed_;  // Of the thread alone: by the list that runs.
  std::atomic<bool> synced_ = false;
  mutable std::mutex mutex_;
  std::map<ObjectName, Held> copy_ ABSL_GUARDED_BY(mutex_);
  Reflector reflector_;  // The last member: its thread uses all others.
};

void UntypedInformer::Impl::Set(const boost::json::object& object) {
  const ObjectName name = NameOf(object);
  std::string version(MetadataAt(object, "resourceVersion"));
  {
    const std::lock_guard lock(mutex_);
    const auto it = copy_.find(name);
    if (it != copy_.end() && it->second.version == version && !version.empty()) return;
  }
  Object now = callbacks_.reduce(object);
  if (now == nullptr) return Remove(name);
  Object before;
  {
    const std::lock_guard lock(mutex_);
    Held& held = copy_[name];
    before = std::exchange(held.object, now);
    held.version = std::move(version);
    objects_.Set(static_cast<double>(copy_.size()));
  }
  callbacks_.changed(name, std::move(before), std::move(now));
}

void UntypedInformer::Impl::Remove(const ObjectName& name) {
  Object before;
  {
    const std::lock_guard lock(mutex_);
    const auto it = copy_.find(name);
    if (it == copy_.end()) return;
    before = std::move(it->second.object);
    copy_.erase(it);
    objects_.Set(static_cast<double>(copy_.size()));
  }
  callbacks_.changed(name, std::move(before), nullptr);
}

void UntypedInformer::Impl::ListDone(bool whole) {
  if (!whole) return;
  std::vector<ObjectName> gone;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, held] : copy_) {
      if (!listed_.contains(name)) gone.push_back(name);
    }
  }
  listed_.clear();
  for (const ObjectName& name : gone) Remove(name);
  if (synced_) return;
  callbacks_.synced();
  synced_ = true;
}

UntypedInformer::UntypedInformer(Client& client, ReflectorSettings settings, Callbacks callbacks,
                                 prometheus::Registry& metrics)
    : impl_(std::make_unique<Impl>(client, std::move(settings), std::move(callbacks), metrics)) {}
UntypedInformer::~UntypedInformer() { Stop(); }

void UntypedInformer::Start() { impl_->Start(); }
void UntypedInformer::Stop() { impl_->Stop(); }
bool UntypedInformer::HasSynced() const { return impl_->HasSynced(); }
UntypedInformer::Object UntypedInformer::Find(const ObjectName& name) const {
  return impl_->Find(name);
}
std::vector<std::pair<ObjectName, UntypedInformer::Object>> UntypedInformer::All() const {
  return impl_->All();
}
ReflectorState UntypedInformer::state() const { return impl_->state(); }

}  // namespace krypton::kube
