// An Agent or a Model behind the accessors that the mesh needs of either: what scales, waits,
// starts and drains does not ask which of the two it is. An immutable value: shared as
// `std::shared_ptr<const Resource>`, read by any thread.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <variant>

#include "common/resource/key.h"
#include "krypton/v1/agent.pb.h"
#include "krypton/v1/model.pb.h"
#include "krypton/v1/registry.pb.h"

namespace krypton::resource {

// What runs instead of the image on one machine: a shell command line.
inline constexpr char kLocalCommandAnnotation[] = "krypton.ai/local-command";

class Resource {
 public:
  // Requires: the spec is defaulted (manifest.h does it), so that every optional field is set.
  explicit Resource(v1::Agent agent);
  explicit Resource(v1::Model model);

  const v1::ResourceKey& key() const { return key_; }
  v1::ResourceKind kind() const { return key_.kind(); }
  const v1::ObjectMeta& metadata() const;
  int64_t generation() const { return metadata().generation(); }

  // Exactly one of the two is not null.
  const v1::Agent* agent() const { return std::get_if<v1::Agent>(&resource_); }
  const v1::Model* model() const { return std::get_if<v1::Model>(&resource_); }

  v1::ScalingMode mode() const;
  // `spec.scaler: external`: exactly `spec.replicas` run; minimum, maximum and floor are that
  // number.
  bool scaled_by_others() const;
  int replicas() const;
  // As the spec says it. The lowest that may run is `floor_replicas()`.
  int min_replicas() const;
  int max_replicas() const;
  // Always-on: max(minReplicas, 1); serverless: minReplicas.
  int floor_replicas() const;
  // Requests that one replica may have in flight.
  int concurrency() const;
  // 256 for a model.
  int max_streams() const;
  // How long a serverless resource without demand keeps its replicas.
  std::chrono::nanoseconds scale_to_zero_after() const;
  std::chrono::nanoseconds timeout() const;
  std::chrono::nanoseconds startup_timeout() const;
  // The port of the spec. A local replica listens on another one, which the platform chooses.
  int port() const;
  // Empty when the annotation is not set.
  const std::string& local_command() const;

  // The resource and its key in a registry entry; endpoints and version are left as they are.
  void FillEntry(v1::RegistryEntry* entry) const;
  // Nothing when the entry carries no resource.
  static std::shared_ptr<const Resource> FromEntry(const v1::RegistryEntry& entry);
  // The same in all that a generation counts: the spec, and the annotations that say what runs.
  bool SameSpec(const Resource& other) const;

 private:
  std::variant<v1::Agent, v1::Model> resource_;
  v1::ResourceKey key_;
};

}  // namespace krypton::resource
