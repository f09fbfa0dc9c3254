#include "manager/registry/well_formed.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/config/utf8.h"

namespace krypton::manager {
namespace {

// Of one problem. A path is as long as Linux lets it be (PATH_MAX).
constexpr size_t kMaxFileBytes = 4096;
constexpr size_t kMaxTextBytes = 1024;
// For the last one, which counts the others.
constexpr size_t kLastBytes = 256;

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

void MakeStringUtf8(Message& message, const FieldDescriptor* field) {
  const Reflection& reflection = *message.GetReflection();
  std::string scratch;
  if (!field->is_repeated()) {
    const std::string& text = reflection.GetStringReference(message, field, &scratch);
    if (config::FindInvalidUtf8(text) == std::string::npos) return;
    return reflection.SetString(&message, field, config::ToUtf8(text));
  }
  for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
    const std::string& text = reflection.GetRepeatedStringReference(message, field, i, &scratch);
    if (config::FindInvalidUtf8(text) == std::string::npos) continue;
    reflection.SetRepeatedString(&message, field, i, config::ToUtf8(text));
  }
}

void MakeMessageUtf8(Message& message, const FieldDescriptor* field) {
  const Reflection& reflection = *message.GetReflection();
  if (!field->is_repeated()) return MakeUtf8(*reflection.MutableMessage(&message, field));
  for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
    MakeUtf8(*reflection.MutableRepeatedMessage(&message, field, i));
  }
}

std::string Cut(std::string text, size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  return config::CutUtf8(std::move(text), max_bytes - 3) + "...";
}

v1::ManifestProblem MakeProblem(v1::ManifestProblem problem) {
  MakeUtf8(problem);
  problem.set_file(Cut(problem.file(), kMaxFileBytes));
  problem.set_field(Cut(problem.field(), kMaxTextBytes));
  problem.set_reason(Cut(problem.reason(), kMaxTextBytes));
  if (!problem.has_key()) return problem;
  v1::ResourceKey& key = *problem.mutable_key();
  key.set_namespace_(Cut(key.namespace_(), kMaxTextBytes));
  key.set_name(Cut(key.name(), kMaxTextBytes));
  return problem;
}

}  // namespace

void MakeUtf8(Message& message) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->is_map()) continue;
    if (field->type() == FieldDescriptor::TYPE_STRING) MakeStringUtf8(message, field);
    if (field->type() == FieldDescriptor::TYPE_MESSAGE) MakeMessageUtf8(message, field);
  }
}

v1::ManifestProblems MakeProblems(const std::vector<v1::ManifestProblem>& problems,
                                  size_t max_bytes) {
  v1::ManifestProblems told;
  size_t bytes = kLastBytes;
  for (size_t i = 0; i < problems.size(); ++i) {
    v1::ManifestProblem problem = MakeProblem(problems[i]);
    bytes += problem.ByteSizeLong() + 8;
    if (bytes > max_bytes) {
      told.add_items()->set_reason(
          absl::StrCat("and ", problems.size() - i, " more problems; each is in the manager's log",
                       " (on one machine) or in its resource's status (in a cluster)"));
      break;
    }
    *told.add_items() = std::move(problem);
  }
  return told;
}

}  // namespace krypton::manager
