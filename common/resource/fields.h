// Which names a manifest knows at which place, and where in the message they go: the one place that
// decoding and encoding share. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace krypton::resource {

// A field as a manifest names it. `in_pod`: it stands in the message's `pod`, but in the manifest
// beside the message's own fields.
struct ManifestField {
  std::string_view name;
  const google::protobuf::FieldDescriptor* field = nullptr;
  bool in_pod = false;
};

// In the order in which they are written. Of an AgentSpec or ModelSpec: the pod's fields too, but
// for those whose name the spec itself has.
std::vector<ManifestField> FieldsOf(const google::protobuf::Descriptor& type);

// An AgentSpec's `affinity` is two things under one name, as people write it: `header` (sessions),
// and Kubernetes' own three keys, which are the pod's.
bool IsSharedAffinity(const google::protobuf::FieldDescriptor& field);
bool IsPodAffinityKey(std::string_view key);

// Kubernetes' list of `{name: ...}` that the contracts keep as a list of names.
bool IsNameList(const google::protobuf::FieldDescriptor& field);

// `spec` + `port` = `spec.port`; `metadata.labels` + `a/b` = `metadata.labels["a/b"]`.
std::string Join(std::string_view path, std::string_view key);
std::string Join(std::string_view path, size_t index);

}  // namespace krypton::resource
