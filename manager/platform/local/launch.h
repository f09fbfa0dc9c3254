// From a resource to what its supervisor is told: two command lines, two environments, the limits.
// Pure but for CheckNeeds; nothing is started here.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/resource/resource.h"
#include "manager/platform/local/replica_record.h"
#include "manager/platform/local/settings.h"

namespace krypton::platform {

// What the manager's environment hands on to agents: enough to find programs, a home and a
// language, and nothing that is the manager's own business.
std::vector<std::string> InheritedEnvironment(char** environment);

// The command as the shell is given it: one that is a single program becomes `exec PROGRAM ...`, so
// that the agent is the supervisor's own child, which signals and the supervisor's death reach
// directly.
std::string ShellCommand(const std::string& command);

// What the shell runs: krypton.ai/local-command, or the server of a model's runtime. A model's has
// its server's flags (common/resource/llama_cpp.h) as "$@", an agent's the arguments of its pod.
std::string CommandOf(const resource::Resource& resource);

struct Launch {
  const resource::Resource& resource;
  const ReplicaRecord& record;
  // Where the agent's command runs: the manifest's folder.
  std::string work_folder;
  // The replica's own.
  std::string folder;
  std::string drain_token;
  // Of InheritedEnvironment.
  std::vector<std::string> inherited;
};

// Whether what the command needs is there: the model's server on the PATH, the model's file.
// kNotFound says what is missing and what to do about it. Looks at files, and nowhere else.
absl::Status CheckNeeds(const Launch& launch, const LocalSettings& settings);

// The supervisor's standard input (supervisor/spec.h).
std::string SupervisorSpec(const Launch& launch, const LocalSettings& settings);

// Names everything that a replica's processes are told by the resource and by the settings, and
// nothing that is the replica's own: under one template no new processes are needed. A manager that
// comes back with another address has another one: sidecars that report to the old one are of no
// use to it.
std::string TemplateOf(const resource::Resource& resource, const std::string& work_folder,
                       const LocalSettings& settings);
// What a drain of its replicas may take.
std::chrono::milliseconds GraceOf(const resource::Resource& resource,
                                  const LocalSettings& settings);

// `<gateway>/v1/agents/<namespace>/<name>`, or `<gateway>/v1` of a model.
std::string PublicUrl(const resource::Resource& resource, const std::string& gateway_url);

}  // namespace krypton::platform
