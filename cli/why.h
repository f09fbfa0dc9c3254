// krypton why NAMESPACE/NAME: why an agent or a model has the replicas it has.
#pragma once

#include <chrono>
#include <string>

#include "cli/addresses.h"
#include "common/rpc/tls.h"

namespace krypton::config {
class Flags;
}
namespace krypton::v1 {
class ExplainAgentResponse;
class ExplainModelResponse;
}  // namespace krypton::v1

namespace krypton::cli {

struct WhyOptions {
  Addresses addresses;
  rpc::TlsSettings tls;
  std::string target;
  int limit = 10;
  std::string output = "table";
};

void AddWhy(config::Flags& flags, WhyOptions* options);
int RunWhy(const WhyOptions& options);

// The explanation for a person: a summary, and each decision with its inputs, newest first. Pure.
std::string ExplainInWords(const std::string& target, const v1::ExplainAgentResponse& explanation,
                           std::chrono::system_clock::time_point now);
std::string ExplainInWords(const std::string& target, const v1::ExplainModelResponse& explanation,
                           std::chrono::system_clock::time_point now);

}  // namespace krypton::cli
