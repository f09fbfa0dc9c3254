#include "cli/up/mesh.h"

#include <httplib.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "absl/status/statusor.h"
#include "common/log/format.h"

namespace krypton::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kStartLimit{60};
// A gateway waits for calls in flight as long as its agents may take; the manager for its replicas.
constexpr std::chrono::seconds kDrainLimit{75};
constexpr std::chrono::milliseconds kPoll{20};
// Within which a signal reaches all processes that it is for.
constexpr std::chrono::milliseconds kSignalSpread{200};
// One that ran so long begins with the shortest wait again.
constexpr std::chrono::seconds kHealthyRun{30};

bool Serves(const std::string& ops_address) {
  httplib::Client client("http://" + ops_address);
  client.set_connection_timeout(std::chrono::seconds(1));
  client.set_read_timeout(std::chrono::seconds(1));
  const auto answer = client.Get("/readyz");
  return answer && answer->status == 200;
}

bool Readable(int fd, std::chrono::milliseconds wait) {
  pollfd waited = {fd, POLLIN, 0};
  return poll(&waited, 1, static_cast<int>(wait.count())) > 0;
}

std::string Display(const std::string& name) {
  return name == "control_plane" ? "control plane" : name;
}

absl::Status EndedEarly(const Child& child, size_t log_lines) {
  std::string text = "the " + Display(child.name()) + " ended with " + child.exit_text();
  std::string log = child.LogTail(log_lines);
  if (log.ends_with('\n')) log.pop_back();
  return absl::UnavailableError(log.empty() ? text + " and has logged nothing"
                                            : text + ":\n" + log);
}

}  // namespace

absl::StatusOr<std::string> FindBinary(const std::string& binary) {
  std::error_code error;
  const fs::path beside = fs::read_symlink("/proc/self/exe", error).parent_path() / binary;
  if (access(beside.c_str(), X_OK) == 0) return beside.string();
  const char* path = getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const fs::path candidate = fs::path(folder) / binary;
    if (!folder.empty() && access(candidate.c_str(), X_OK) == 0) return candidate.string();
  }
  return absl::NotFoundError("cannot find " + binary +
                             " beside krypton or in PATH; build it with " +
                             "'./dev build' or install all of Krypton");
}

Mesh::Mesh(MeshSettings settings, std::function<void(const std::string&)> say)
    : settings_(std::move(settings)), say_(std::move(say)) {}

absl::Status Mesh::Add(const ComponentAddresses& addresses, const std::string& binary,
                       std::vector<std::string> flags) {
  const auto path = FindBinary(binary);
  if (!path.ok()) return path.status();
  std::vector<std::string> command = {*path};
  if (!addresses.http.empty()) {
    command.insert(command.end(), {"--http-bind-address", addresses.http});
  }
  command.insert(command.end(),
                 {"--grpc-bind-address", addresses.grpc, "--metrics-bind-address", addresses.ops,
                  "--log-level", settings_.log_level, "--log-format", settings_.log_format});
  command.insert(command.end(), flags.begin(), flags.end());
  const rpc::TlsSettings& tls = settings_.tls;
  if (tls.enabled()) {
    command.insert(command.end(),
                   {"--tls-cert", tls.cert, "--tls-key", tls.key, "--tls-ca", tls.ca});
  }
  // Each its own, also where the environment says one for `krypton up`.
  command.insert(command.end(), {"--ready-file", settings_.state_dir + "/" + binary + ".json"});
  const std::string log = settings_.state_dir + "/logs/" + binary + ".log";
  components_.push_back(
      {&addresses,
       std::make_unique<Child>(addresses.name, std::move(command), log),
       rpc::Backoff({std::chrono::milliseconds(100), std::chrono::milliseconds(5000), 2}),
       {},
       {}});
  return absl::OkStatus();
}

absl::Status Mesh::StartOne(Component& component) {
  component.started = Clock::now();
  return component.child->Start();
}

absl::Status Mesh::Start(int stop_fd) {
  const MeshAddresses& at = settings_.addresses;
  const auto proxy = FindBinary("krypton-proxy");
  if (!proxy.ok()) return proxy.status();
  const std::string gateway_url = "http://" + at.gateway.http;
  std::vector<std::string> manager = {"--platform",        "local",          "--state-dir",
                                      settings_.state_dir, "--proxy-binary", *proxy,
                                      "--gateway-url",     gateway_url,      "--enable-scaler"};
  for (const std::string& folder : settings_.manifests) {
    manager.insert(manager.end(), {"--manifests", folder});
  }
  absl::Status status = Add(at.manager, "krypton-manager", std::move(manager));
  // Nothing in front of this gateway has to learn that it goes.
  status.Update(Add(at.gateway, "krypton-gateway",
                    {"--manager-address", at.manager.grpc, "--drain-delay", "0s"}));
  status.Update(Add(at.control_plane, "krypton-control-plane",
                    {"--manager-address", at.manager.grpc, "--gateway-url", gateway_url}));
  if (!status.ok()) return status;
  for (Component& component : components_) {
    if (status = StartOne(component); !status.ok()) return status;
  }
  const auto limit = Clock::now() + kStartLimit;
  while (!AllServe(status)) {
    if (!status.ok()) return StoppedFromOutside(stop_fd) ? absl::OkStatus() : status;
    if (Clock::now() > limit) {
      return absl::DeadlineExceededError("not everything serves after a minute; see " +
                                         settings_.state_dir + "/logs");
    }
    if (Readable(stop_fd, kPoll)) return absl::OkStatus();
  }
  return absl::OkStatus();
}

bool Mesh::StoppedFromOutside(int stop_fd) {
  const bool by_signal =
      std::any_of(components_.begin(), components_.end(), [](const Component& component) {
        return component.child->EndedBy(SIGTERM) || component.child->EndedBy(SIGINT);
      });
  return by_signal && Readable(stop_fd, kSignalSpread);
}

bool Mesh::AllServe(absl::Status& failure) {
  bool all = true;
  for (Component& component : components_) {
    if (!component.child->Running()) {
      failure = EndedEarly(*component.child, 10);
      return false;
    }
    if (!component.serves && Serves(component.addresses->ops)) {
      component.serves = true;
      say_(Display(component.addresses->name) + " serves");
    }
    all = all && component.serves;
  }
  return all;
}

std::vector<int> Mesh::fds() const {
  std::vector<int> fds;
  for (const Component& component : components_) {
    if (component.child->pidfd() >= 0) fds.push_back(component.child->pidfd());
  }
  return fds;
}

void Mesh::Tick() {
  for (Component& component : components_) {
    Child& child = *component.child;
    child.BoundLog();
    const bool known_dead = child.pidfd() < 0;
    if (child.Running()) continue;
    const auto now = Clock::now();
    if (!known_dead) {
      if (now - component.started > kHealthyRun) component.backoff.Reset();
      component.restart_at = now + component.backoff.Next();
      say_("the " + Display(component.addresses->name) + " ended with " + child.exit_text() +
           "; it is started again");
    }
    if (now < component.restart_at) continue;
    if (const absl::Status status = StartOne(component); !status.ok()) {
      say_(std::string(status.message()));
      component.restart_at = now + component.backoff.Next();
    }
  }
}

absl::Status Mesh::End(const std::vector<std::string>& names, std::chrono::seconds limit) {
  std::vector<Component*> waited;
  for (Component& component : components_) {
    if (std::find(names.begin(), names.end(), component.addresses->name) == names.end()) continue;
    if (!component.child->Running()) continue;
    component.child->Signal(SIGTERM);
    waited.push_back(&component);
  }
  absl::Status status;
  const auto end = Clock::now() + limit;
  for (Component* component : waited) {
    Child& child = *component->child;
    while (child.Running() && Clock::now() < end) Readable(child.pidfd(), kPoll);
    if (child.Running()) {
      child.Signal(SIGKILL);
      status.Update(absl::DeadlineExceededError("the " + Display(child.name()) +
                                                " did not end in time and was killed"));
    } else if (child.exit_text() != "status 0" && !child.EndedBy(SIGTERM)) {
      status.Update(EndedEarly(child, 5));
    }
  }
  return status;
}

absl::Status Mesh::Stop() {
  if (fds().empty()) return absl::OkStatus();
  say_("the gateway finishes the calls that run");
  absl::Status status = End({"gateway"}, kDrainLimit);
  say_("the manager ends the replicas");
  status.Update(End({"control_plane", "manager"}, kDrainLimit));
  return status;
}

std::string Mesh::ReadyJson() const {
  std::string json = "{";
  for (const Component& component : components_) {
    const ComponentAddresses& addresses = *component.addresses;
    if (json.size() > 1) json += ",";
    log::AppendJsonString(json, addresses.name);
    json += ":{\"pid\":" + std::to_string(component.child->pid());
    for (const auto& [kind, address] :
         {std::pair("http", &addresses.http), std::pair("grpc", &addresses.grpc),
          std::pair("ops", &addresses.ops)}) {
      if (address->empty()) continue;
      json += std::string(",\"") + kind + "\":";
      log::AppendJsonString(json, *address);
    }
    json += "}";
  }
  return json + "}\n";
}

std::vector<Mesh::ComponentState> Mesh::states() const {
  std::vector<ComponentState> states;
  for (const Component& component : components_) {
    const bool running = component.child->pidfd() >= 0;
    states.push_back({component.addresses, component.child->pid(),
                      running ? "running" : "ended with " + component.child->exit_text()});
  }
  return states;
}

}  // namespace krypton::cli
