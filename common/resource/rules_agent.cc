#include <algorithm>
#include <iterator>

#include "common/resource/rule_sets.h"
#include "common/resource/syntax.h"
#include "fmt/format.h"

namespace krypton::resource {
namespace {

using Violations = std::vector<Violation>;

// Headers of one connection or of the mesh, which name no session.
constexpr std::string_view kHopHeaders[] = {
    "connection", "content-length",   "expect",  "host",    "keep-alive", "proxy-authorization",
    "te",         "proxy-connection", "trailer", "upgrade", "via",        "transfer-encoding"};

Violations CheckFreeText(const char* field, const std::string& text) {
  if (text.size() <= 256 && !HasControl(text)) return {};
  return {{field, "is longer than 256 characters, or has control characters"}};
}

Violations CheckRuntime(const Subject& s) {
  if (s.agent == nullptr) return {};
  return CheckFreeText("spec.runtime", s.agent->runtime());
}

Violations CheckFramework(const Subject& s) {
  if (s.agent == nullptr) return {};
  return CheckFreeText("spec.framework", s.agent->framework());
}

Violations CheckInvocationPath(const Subject& s) {
  if (s.agent == nullptr || IsRequestPath(s.agent->invocation_path())) return {};
  return {{"spec.invocationPath",
           fmt::format("\"{}\" is not a path: it begins with '/', and what a URL may not have is "
                       "percent-encoded",
                       s.agent->invocation_path().substr(0, 80))}};
}

Violations CheckMaxStreams(const Subject& s) {
  if (s.agent == nullptr) return {};
  const int streams = s.agent->max_streams();
  if (streams >= 0 && streams <= 65536) return {};
  return {{"spec.maxStreams", fmt::format("{} is not in 0..65536", streams)}};
}

Violations CheckAffinityHeader(const Subject& s) {
  if (s.agent == nullptr || !s.agent->has_affinity()) return {};
  const std::string& header = s.agent->affinity().header();
  if (!IsHeaderName(header)) {
    return {
        {"spec.affinity.header", fmt::format("\"{}\" is not the name of a header (RFC 9110 §5.6.2)",
                                             header.substr(0, 80))}};
  }
  const bool hop =
      std::find(std::begin(kHopHeaders), std::end(kHopHeaders), header) != std::end(kHopHeaders);
  if (!hop && !header.starts_with("krypton-")) return {};
  return {{"spec.affinity.header",
           fmt::format("\"{}\" names no session: it belongs to the connection or to the mesh",
                       header)}};
}

}  // namespace

std::vector<Rule> AgentRules() {
  return {
      {"spec.runtime", CheckRuntime},
      {"spec.framework", CheckFramework},
      {"spec.invocationPath", CheckInvocationPath},
      {"spec.maxStreams", CheckMaxStreams},
      {"spec.affinity.header", CheckAffinityHeader},
  };
}

}  // namespace krypton::resource
