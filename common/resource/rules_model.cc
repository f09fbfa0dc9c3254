#include <algorithm>

#include "absl/strings/ascii.h"
#include "common/resource/rule_sets.h"
#include "common/resource/syntax.h"
#include "fmt/format.h"

namespace krypton::resource {
namespace {

using Violations = std::vector<Violation>;

// "owner/name", each of letters, digits, '-', '_' and '.'.
bool IsRepository(std::string_view text) {
  const size_t slash = text.find('/');
  const auto part = [](std::string_view name) {
    return !name.empty() && name.size() <= 96 && name.front() != '.' &&
           std::all_of(name.begin(), name.end(), [](char c) {
             return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' ||
                    c == '.';
           });
  };
  return slash != text.npos && part(text.substr(0, slash)) && part(text.substr(slash + 1));
}

bool LeavesItsFolder(std::string_view path) {
  if (path.starts_with('/')) return true;
  for (size_t at = 0; at <= path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    if (path.substr(at, end - at) == "..") return true;
    at = end + 1;
  }
  return false;
}

Violations CheckSource(const Subject& s) {
  if (s.model == nullptr) return {};
  const v1::ModelSource& source = s.model->source();
  const bool path_allowed = s.target == Target::kLocal;
  if (source.huggingface().empty() && source.path().empty()) {
    return {{"spec.source", path_allowed ? "is required: set huggingface, or path"
                                         : "is required: set huggingface"}};
  }
  if (!source.huggingface().empty() && !source.path().empty()) {
    return {{"spec.source.path", "excludes huggingface: set one of the two"}};
  }
  return {};
}

Violations CheckHuggingface(const Subject& s) {
  if (s.model == nullptr) return {};
  const std::string& repository = s.model->source().huggingface();
  if (repository.empty() || IsRepository(repository)) return {};
  return {{"spec.source.huggingface",
           fmt::format("\"{}\" is not a repository like ggml-org/gemma-3-270m-GGUF",
                       repository.substr(0, 80))}};
}

Violations CheckFile(const Subject& s) {
  if (s.model == nullptr || s.model->source().file().empty()) return {};
  const std::string& file = s.model->source().file();
  if (!s.model->source().path().empty() && s.model->source().huggingface().empty()) {
    return {{"spec.source.file", "needs huggingface: it is a file of that repository"}};
  }
  if (!LeavesItsFolder(file) && !HasControl(file)) return {};
  return {{"spec.source.file",
           fmt::format("\"{}\" is not a file of the repository", file.substr(0, 80))}};
}

Violations CheckPath(const Subject& s) {
  if (s.model == nullptr || s.model->source().path().empty()) return {};
  if (s.target == Target::kCluster) {
    return {{"spec.source.path", "exists on one machine only: set huggingface"}};
  }
  if (!HasControl(s.model->source().path())) return {};
  return {{"spec.source.path", "has control characters"}};
}

Violations CheckRuntime(const Subject& s) {
  if (s.model == nullptr || s.model->runtime() == "llama.cpp") return {};
  return {{"spec.runtime",
           fmt::format("\"{}\" is not known: llama.cpp is", s.model->runtime().substr(0, 80))}};
}

Violations CheckCache(const Subject& s) {
  if (s.model == nullptr || !s.model->has_cache()) return {};
  const v1::ModelCache& cache = s.model->cache();
  if (!cache.size().empty() && !cache.claim_name().empty()) {
    return {{"spec.cache.size", "excludes claimName: a claim has its own size"}};
  }
  if (!cache.size().empty() && !ParseQuantity(cache.size()).has_value()) {
    return {{"spec.cache.size",
             fmt::format("\"{}\" is not a quantity like 10Gi", cache.size().substr(0, 80))}};
  }
  if (!cache.claim_name().empty() && !IsDnsSubdomain(cache.claim_name())) {
    return {
        {"spec.cache.claimName", fmt::format("\"{}\" is not the name of a PersistentVolumeClaim",
                                             cache.claim_name().substr(0, 80))}};
  }
  return {};
}

}  // namespace

std::vector<Rule> ModelRules() {
  return {
      {"spec.source", CheckSource},    {"spec.source.huggingface", CheckHuggingface},
      {"spec.source.file", CheckFile}, {"spec.source.path", CheckPath},
      {"spec.runtime", CheckRuntime},  {"spec.cache", CheckCache},
  };
}

}  // namespace krypton::resource
