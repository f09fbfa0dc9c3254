#include "manager/platform/kubernetes/status_writer.h"

#include <chrono>

#include "manager/platform/kubernetes/client/api_status.h"
#include "manager/platform/kubernetes/objects/names.h"
#include "manager/platform/kubernetes/objects/status_object.h"

namespace krypton::kube {

ReconcileResult StatusWriter::Reconcile(const std::string& queue_key) {
  const auto key = ParseQueueKey(queue_key);
  if (!key.has_value()) return {};
  const std::optional<ResourceView> view = view_.Get(*key);
  if (!view.has_value() || !view->exists()) return {};
  const Declared& declared = *view->declared;
  platform::Status status = view->status.value_or(declared.status);
  if (declared.resource == nullptr) {
    status = RefusedStatus(declared, status, std::chrono::system_clock::now());
  }
  if (SameStatus(status, declared.status)) return {};
  WriteOptions options;
  options.subresource = "status";
  options.field_manager = "krypton-status";
  const auto written = client_.Apply(CustomResource(key->kind()), {key->namespace_(), key->name()},
                                     StatusObject(declared, status), options);
  // It is gone, or another one has the name.
  if (absl::IsNotFound(written.status()) || IsConflict(written.status())) return {};
  return {written.status(), std::nullopt};
}

}  // namespace krypton::kube
