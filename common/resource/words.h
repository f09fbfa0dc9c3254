// The one table between the enums of the contracts and the words of manifests and of `kubectl get`:
// AGENT_PROTOCOL_A2A is `a2a`, SCALING_MODE_ALWAYS_ON is `always-on`, AGENT_PHASE_READY is `Ready`.
// Pure functions.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/generated_enum_reflection.h"

namespace krypton::resource {

// Empty for UNSPECIFIED, unknown values, and enums that have no words.
std::string_view Word(const google::protobuf::EnumDescriptor& type, int number);
std::optional<int> NumberOf(const google::protobuf::EnumDescriptor& type, std::string_view word);
// In the order of their numbers.
std::vector<std::string_view> WordsOf(const google::protobuf::EnumDescriptor& type);

template <typename Enum>
std::string_view Word(Enum value) {
  return Word(*google::protobuf::GetEnumDescriptor<Enum>(), value);
}

template <typename Enum>
std::optional<Enum> FromWord(std::string_view word) {
  const auto number = NumberOf(*google::protobuf::GetEnumDescriptor<Enum>(), word);
  if (!number.has_value()) return std::nullopt;
  return static_cast<Enum>(*number);
}

}  // namespace krypton::resource
