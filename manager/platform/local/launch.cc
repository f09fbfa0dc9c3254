#include "manager/platform/local/launch.h"

#include <unistd.h>

#include <algorithm>
#include <iterator>

#include "absl/strings/ascii.h"
#include "common/config/duration.h"
#include "common/config/fnv.h"
#include "common/resource/llama_cpp.h"
#include "fmt/format.h"

namespace krypton::platform {
namespace {

constexpr std::string_view kInherited[] = {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG",
                                           "LANGUAGE", "TZ", "TERM", "TMPDIR", "VIRTUAL_ENV",
                                           "PYTHONPATH", "JAVA_HOME", "NODE_PATH", "GOPATH", "TEMP",
                                           "SSL_CERT_DIR", "SSL_CERT_FILE",
#ifdef KRYPTON_SANITIZED
                                           // Where sidecars are to write their reports.
                                           "ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS",
#endif
                                           "REQUESTS_CA_BUNDLE"};

// What `exec` does not take: keywords, and commands that only the shell has.
constexpr std::string_view kShellWords[] = {
    ".",    "alias",    "break",  "case",   "cd",    "command", "continue", "do",
    "eval", "exec",     "exit",   "export", "for",   "getopts", "if",       "local",
    "read", "readonly", "return", "set",    "shift", "source",  "time",     "times",
    "trap", "type",     "ulimit", "umask",  "unset", "until",   "wait",     "while"};

class Records {
 public:
  void Add(std::string_view name, std::string_view value) {
    text_.append(name).append("=").append(value).push_back('\0');
  }
  std::string Take() { return std::move(text_); }

 private:
  std::string text_;
};

bool HasVariable(const std::vector<std::string>& environment, std::string_view name) {
  return std::any_of(environment.begin(), environment.end(), [&](const std::string& entry) {
    return entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=';
  });
}

const google::protobuf::RepeatedPtrField<v1::EnvVar>& EnvOf(const resource::Resource& r) {
  return r.agent() != nullptr ? r.agent()->spec().env() : r.model()->spec().env();
}

// Later entries win in every program, but none comes twice here.
std::vector<std::string> AgentEnvironment(const Launch& launch, const LocalSettings& settings) {
  std::vector<std::string> own;
  for (const v1::EnvVar& variable : EnvOf(launch.resource)) {
    // valueFrom has no meaning on one machine.
    if (!variable.has_value_from()) {
      own.push_back(fmt::format("{}={}", variable.name(), variable.value()));
    }
  }
  own.push_back(fmt::format("PORT={}", launch.record.agent_port));
  own.push_back(
      fmt::format("KRYPTON_PUBLIC_URL={}", PublicUrl(launch.resource, settings.gateway_url)));
  own.push_back(fmt::format("KRYPTON_INSTANCE={}", launch.record.instance));
  for (const std::string& entry : launch.inherited) {
    if (!HasVariable(own, std::string_view(entry).substr(0, entry.find('=')))) {
      own.push_back(entry);
    }
  }
  if (!HasVariable(own, "PATH")) {
    own.push_back("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  }
  // Into a pipe Python would keep its lines to itself.
  if (!HasVariable(own, "PYTHONUNBUFFERED")) own.push_back("PYTHONUNBUFFERED=1");
  return own;
}

// The value of a variable of the agent's environment; empty when there is none.
std::string VariableOf(const Launch& launch, const LocalSettings& settings,
                       const std::string& name) {
  for (const std::string& entry : AgentEnvironment(launch, settings)) {
    if (entry.starts_with(name + "=")) return entry.substr(name.size() + 1);
  }
  return "";
}

bool IsOnPath(std::string_view path, std::string_view program) {
  while (!path.empty()) {
    const size_t end = std::min(path.find(':'), path.size());
    const std::string candidate = fmt::format("{}/{}", path.substr(0, end), program);
    if (access(candidate.c_str(), X_OK) == 0) return true;
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return false;
}

// Of an agent what its pod is given, of a model the flags of its server.
std::vector<std::string> ArgumentsOf(const Launch& launch) {
  if (const v1::Agent* agent = launch.resource.agent()) {
    return {agent->spec().pod().args().begin(), agent->spec().pod().args().end()};
  }
  return resource::LlamaServerFlags(*launch.resource.model(), "127.0.0.1",
                                    launch.record.agent_port);
}

std::vector<std::string> ProxyCommand(const Launch& launch, const LocalSettings& settings) {
  const resource::Resource& r = launch.resource;
  std::vector<std::string> command = {settings.proxy_binary};
  const auto add = [&](std::string_view flag, std::string value) {
    command.push_back(fmt::format("--{}={}", flag, value));
  };
  add("http-bind-address", "127.0.0.1:0");
  add("metrics-bind-address", "127.0.0.1:0");
  add("agent-address", fmt::format("127.0.0.1:{}", launch.record.agent_port));
  add("kind", r.kind() == v1::RESOURCE_KIND_AGENT ? "agent" : "model");
  add("namespace", r.key().namespace_());
  add("name", r.key().name());
  add("instance", launch.record.instance);
  add("concurrency", std::to_string(r.concurrency()));
  add("max-streams", std::to_string(r.max_streams()));
  add("timeout", config::FormatDuration(r.timeout()));
  add("manager-address", settings.manager_address);
  add("drain-timeout", config::FormatDuration(launch.record.grace));
  add("ready-file", launch.folder + "/proxy.json");
  command.insert(command.end(), settings.proxy_flags.begin(), settings.proxy_flags.end());
  return command;
}

}  // namespace

std::vector<std::string> InheritedEnvironment(char** environment) {
  std::vector<std::string> inherited;
  for (char** at = environment; at != nullptr && *at != nullptr; ++at) {
    const std::string_view entry = *at;
    const std::string_view name = entry.substr(0, entry.find('='));
    if (name.starts_with("LC_") ||
        std::find(std::begin(kInherited), std::end(kInherited), name) != std::end(kInherited)) {
      inherited.emplace_back(entry);
    }
  }
  return inherited;
}

std::string ShellCommand(const std::string& command) {
  // What makes it more than one program; quotes, variables and redirections do not.
  if (command.find_first_of(";&|(){}\n") != std::string::npos) {
    // A block scalar's last line end is none.
    const size_t end = command.find_last_not_of(" \t\r\n");
    if (end == std::string::npos || end + 1 == command.size()) return command;
    const std::string trimmed = ShellCommand(command.substr(0, end + 1));
    return trimmed.starts_with("exec ") ? trimmed : command;
  }
  const size_t begin = std::min(command.find_first_not_of(" \t"), command.size());
  const size_t end = std::min(command.find_first_of(" \t<>\r", begin), command.size());
  const std::string_view word = std::string_view(command).substr(begin, end - begin);
  const bool program = !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           std::string_view("_-./+").find(c) != std::string_view::npos;
  });
  const bool shells_own =
      std::find(std::begin(kShellWords), std::end(kShellWords), word) != std::end(kShellWords);
  return program && !shells_own ? "exec " + command.substr(begin) : command;
}

std::string CommandOf(const resource::Resource& resource) {
  if (resource.model() == nullptr || !resource.local_command().empty()) {
    return resource.local_command();
  }
  return fmt::format("{} \"$@\"", resource::kLlamaServer);
}

absl::Status CheckNeeds(const Launch& launch, const LocalSettings& settings) {
  const v1::Model* const model = launch.resource.model();
  // What a command of the user's own needs is its own business.
  if (model == nullptr || !launch.resource.local_command().empty()) return absl::OkStatus();
  if (!IsOnPath(VariableOf(launch, settings, "PATH"), resource::kLlamaServer)) {
    return absl::NotFoundError(fmt::format(
        "{} is not on the PATH: install llama.cpp (https://github.com/ggml-org/llama.cpp), or say "
        "what else serves the model with the annotation {}",
        resource::kLlamaServer, resource::kLocalCommandAnnotation));
  }
  const std::string& path = model->spec().source().path();
  const std::string file = path.starts_with('/') ? path : launch.work_folder + "/" + path;
  if (path.empty() || access(file.c_str(), R_OK) == 0) return absl::OkStatus();
  return absl::NotFoundError(
      fmt::format("spec.source.path: {} {}: put the model's GGUF file there, or correct the path "
                  "(it counts from "
                  "the manifest's folder)",
                  file, access(file.c_str(), F_OK) == 0 ? "cannot be read" : "does not exist"));
}

std::string PublicUrl(const resource::Resource& resource, const std::string& gateway_url) {
  if (resource.kind() == v1::RESOURCE_KIND_MODEL) return gateway_url + "/v1";
  return fmt::format("{}/v1/agents/{}", gateway_url, resource::ToString(resource.key()));
}

std::chrono::milliseconds GraceOf(const resource::Resource& resource,
                                  const LocalSettings& settings) {
  return std::min(std::chrono::ceil<std::chrono::milliseconds>(resource.timeout()),
                  settings.max_drain);
}

std::string TemplateOf(const resource::Resource& resource, const std::string& work_folder,
                       const LocalSettings& settings) {
  ReplicaRecord record;
  record.grace = GraceOf(resource, settings);
  const std::string spec = SupervisorSpec({resource, record, work_folder, "", "", {}}, settings);
  return fmt::format("{:016x}", config::Fnv1a<uint64_t>(spec));
}

std::string SupervisorSpec(const Launch& launch, const LocalSettings& settings) {
  Records records;
  records.Add("folder", launch.folder);
  records.Add("drain-token", launch.drain_token);
  records.Add("orphan-ms", std::to_string(settings.orphan_timeout.count()));
  records.Add("grace-ms", std::to_string(launch.record.grace.count()));
  records.Add("stop-ms", std::to_string(settings.stop_timeout.count()));
  records.Add("log-bytes", std::to_string(settings.replica_log_bytes));
  records.Add("agent-folder", launch.work_folder);
  const std::string command = ShellCommand(CommandOf(launch.resource));
  // The arguments are there as "$@", for a command that wants them.
  for (const std::string_view argument :
       {std::string_view("/bin/sh"), std::string_view("-c"), std::string_view(command),
        std::string_view("krypton-agent")}) {
    records.Add("agent-arg", argument);
  }
  for (const std::string& argument : ArgumentsOf(launch)) records.Add("agent-arg", argument);
  for (const std::string& entry : AgentEnvironment(launch, settings)) {
    records.Add("agent-env", entry);
  }
  for (const std::string& argument : ProxyCommand(launch, settings)) {
    records.Add("proxy-arg", argument);
  }
  for (const std::string& entry : launch.inherited) records.Add("proxy-env", entry);
  records.Add("proxy-env", "KRYPTON_DRAIN_TOKEN=" + launch.drain_token);
  return records.Take();
}

}  // namespace krypton::platform
