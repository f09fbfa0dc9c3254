#include "cli/addresses.h"

#include <signal.h>

#include <boost/json.hpp>
#include <cctype>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "common/config/flags.h"
#include "common/config/fnv.h"

namespace krypton::cli {
namespace {

constexpr char kDefaultControlPlane[] = "127.0.0.1:7090";
constexpr char kDefaultGateway[] = "127.0.0.1:8080";

std::string Environment(const char* name) {
  const char* value = getenv(name);
  return value != nullptr ? value : "";
}

// A `krypton up` that was killed leaves its file behind.
bool Lives(const boost::json::object& component) {
  const auto* pid = component.if_contains("pid");
  const auto* number = pid != nullptr ? pid->if_int64() : nullptr;
  if (number == nullptr || *number <= 0) return false;
  return kill(static_cast<pid_t>(*number), 0) == 0 || errno == EPERM;
}

// ready[component][kind], or empty when it is not there or not of a process that lives.
std::string Find(const boost::json::value& ready, std::string_view component,
                 std::string_view kind) {
  const auto* root = ready.if_object();
  const auto* found = root != nullptr ? root->if_contains(component) : nullptr;
  const auto* object = found != nullptr ? found->if_object() : nullptr;
  if (object == nullptr || !Lives(*object)) return "";
  const auto* address = object->if_contains(kind);
  const auto* text = address != nullptr ? address->if_string() : nullptr;
  return text != nullptr ? std::string(*text) : "";
}

}  // namespace

void AddControlPlaneFlag(config::Flags& flags, Addresses* given) {
  flags.Add(&given->control_plane, "control-plane",
            "gRPC address of the control plane (default: that of the `krypton up` that was started "
            "last, else " +
                std::string(kDefaultControlPlane) + ")",
            "HOST:PORT");
}

void AddGatewayFlag(config::Flags& flags, Addresses* given) {
  flags.Add(&given->gateway, "gateway",
            "HTTP address of the gateway (default: that of the `krypton up` that was started last, "
            "else " +
                std::string(kDefaultGateway) + ")",
            "HOST:PORT");
}

std::string RunFolder() {
  if (const std::string runtime = Environment("XDG_RUNTIME_DIR"); !runtime.empty()) {
    return runtime + "/krypton";
  }
  std::string cache = Environment("XDG_CACHE_HOME");
  if (cache.empty()) cache = Environment("HOME") + "/.cache";
  return cache + "/krypton/run";
}

std::string StateFolderOf(const std::string& manifests) {
  constexpr size_t kMaxName = 32;
  std::string name;
  for (const char c : manifests.substr(manifests.rfind('/') + 1).substr(0, kMaxName)) {
    name += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '-';
  }
  char digits[16];
  snprintf(digits, sizeof digits, "-%08x", config::Fnv1a<uint32_t>(manifests));
  return RunFolder() + "/" + name + digits;
}

std::string WellKnownReadyFile() { return RunFolder() + "/ready.json"; }

Addresses RunningMesh(const std::string& ready_file) {
  std::ostringstream content;
  content << std::ifstream(ready_file).rdbuf();
  boost::json::error_code error;
  const boost::json::value ready = boost::json::parse(content.str(), error);
  if (error) return {};
  return {Find(ready, "control_plane", "grpc"), Find(ready, "gateway", "http")};
}

Addresses FindAddresses(const Addresses& given, const std::string& ready_file) {
  const Addresses running = RunningMesh(ready_file);
  Addresses found = given;
  if (found.control_plane.empty()) found.control_plane = running.control_plane;
  if (found.gateway.empty()) found.gateway = running.gateway;
  if (found.control_plane.empty()) found.control_plane = kDefaultControlPlane;
  if (found.gateway.empty()) found.gateway = kDefaultGateway;
  return found;
}

}  // namespace krypton::cli
