#include "common/resource/resource.h"

#include <algorithm>
#include <utility>

#include "google/protobuf/util/message_differencer.h"

namespace krypton::resource {
namespace {

std::chrono::nanoseconds ToChrono(const google::protobuf::Duration& duration) {
  return std::chrono::seconds(duration.seconds()) + std::chrono::nanoseconds(duration.nanos());
}

}  // namespace

Resource::Resource(v1::Agent agent)
    : resource_(std::move(agent)), key_(AgentKey(metadata().namespace_(), metadata().name())) {}

Resource::Resource(v1::Model model)
    : resource_(std::move(model)), key_(ModelKey(metadata().namespace_(), metadata().name())) {}

const v1::ObjectMeta& Resource::metadata() const {
  return std::visit([](const auto& r) -> const v1::ObjectMeta& { return r.metadata(); }, resource_);
}

v1::ScalingMode Resource::mode() const {
  return std::visit([](const auto& r) { return r.spec().mode(); }, resource_);
}

bool Resource::scaled_by_others() const {
  return std::visit([](const auto& r) { return r.spec().scaler() == v1::SCALER_EXTERNAL; },
                    resource_);
}

int Resource::replicas() const {
  return std::visit([](const auto& r) { return r.spec().replicas(); }, resource_);
}

int Resource::min_replicas() const {
  if (scaled_by_others()) return replicas();
  return std::visit([](const auto& r) { return r.spec().min_replicas(); }, resource_);
}

int Resource::max_replicas() const {
  if (scaled_by_others()) return replicas();
  return std::visit([](const auto& r) { return r.spec().max_replicas(); }, resource_);
}

int Resource::floor_replicas() const {
  if (scaled_by_others()) return replicas();
  return mode() == v1::SCALING_MODE_SERVERLESS ? min_replicas() : std::max(min_replicas(), 1);
}

int Resource::concurrency() const {
  return std::visit([](const auto& r) { return r.spec().concurrency(); }, resource_);
}

int Resource::max_streams() const {
  return agent() != nullptr ? agent()->spec().max_streams() : 256;
}

std::chrono::nanoseconds Resource::scale_to_zero_after() const {
  return std::visit([](const auto& r) { return ToChrono(r.spec().scale_to_zero_after()); },
                    resource_);
}

std::chrono::nanoseconds Resource::timeout() const {
  return std::visit([](const auto& r) { return ToChrono(r.spec().timeout()); }, resource_);
}

std::chrono::nanoseconds Resource::startup_timeout() const {
  return std::visit([](const auto& r) { return ToChrono(r.spec().startup_timeout()); }, resource_);
}

int Resource::port() const {
  return std::visit([](const auto& r) { return r.spec().port(); }, resource_);
}

const std::string& Resource::local_command() const {
  static const std::string* const kNone = new std::string();
  const auto& annotations = metadata().annotations();
  const auto found = annotations.find(kLocalCommandAnnotation);
  return found == annotations.end() ? *kNone : found->second;
}

void Resource::FillEntry(v1::RegistryEntry* entry) const {
  *entry->mutable_key() = key_;
  if (agent() != nullptr) {
    *entry->mutable_agent() = *agent();
  } else {
    *entry->mutable_model() = *model();
  }
}

std::shared_ptr<const Resource> Resource::FromEntry(const v1::RegistryEntry& entry) {
  switch (entry.resource_case()) {
    case v1::RegistryEntry::kAgent:
      return std::make_shared<const Resource>(entry.agent());
    case v1::RegistryEntry::kModel:
      return std::make_shared<const Resource>(entry.model());
    default:
      return nullptr;
  }
}

bool Resource::SameSpec(const Resource& other) const {
  using google::protobuf::util::MessageDifferencer;
  if (kind() != other.kind() || local_command() != other.local_command()) return false;
  return agent() != nullptr ? MessageDifferencer::Equals(agent()->spec(), other.agent()->spec())
                            : MessageDifferencer::Equals(model()->spec(), other.model()->spec());
}

}  // namespace krypton::resource
