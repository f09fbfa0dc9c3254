#include "manager/platform/local/testing/machine.h"

#include <httplib.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "boost/json.hpp"
#include "fmt/format.h"
#include "manager/platform/local/files.h"
#include "manager/platform/local/process.h"

namespace krypton::platform::testing {
namespace {}  // namespace

std::string ReadAll(const std::string& path) {
  // Of a process that ends meanwhile nothing can be read.
  return ReadFile(path, 64 << 20).value_or("");
}

std::string Serve(const std::string& body) {
  return fmt::format(
      R"(exec python3 -c '
import http.server, os, sys, time
{}
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        print("begin", self.path, flush=True)
        if self.path.startswith("/slow"): time.sleep(float(self.path[6:] or 1))
        body = ("%d %s" % (os.getpid(), os.environ.get("VERSION", ""))).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, format, *args): print("request", self.path)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
')",
      body);
}

Machine::Machine() {
  std::string pattern = (std::filesystem::temp_directory_path() / "krypton-XXXXXX").string();
  folder_ = mkdtemp(pattern.data());
  std::filesystem::create_directory(folder_ + "/manifests");
  const char* const binaries = getenv("KRYPTON_BINARY_DIR");
  const std::string bin = binaries == nullptr ? "build/debug/bin" : binaries;
  settings_.manifests = {folder_ + "/manifests"};
  settings_.state_dir = folder_ + "/state";
  settings_.proxy_binary = bin + "/krypton-proxy";
  settings_.supervisor_binary = bin + "/krypton-supervisor";
  // Nobody listens there: a sidecar serves without a manager.
  settings_.manager_address = "127.0.0.1:9";
  settings_.first_backoff = std::chrono::milliseconds(200);
}

Machine::~Machine() {
  StopPlatform();
  for (const std::string& instance : recorder_->instances()) instances_.insert(instance);
  const std::vector<int> left = Processes();
  for (const int pid : left) {
    ADD_FAILURE() << "left behind: " << pid << " " << ReadAll(fmt::format("/proc/{}/cmdline", pid));
  }
  KillByInstance({instances_.begin(), instances_.end()});
  std::filesystem::remove_all(folder_);
}

void Machine::StartPlatform() {
  platform_ = NewLocalPlatform(settings_);
  const absl::Status status = platform_->Start(*recorder_);
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_TRUE(Wait([&] { return recorder_->synced(); }));
}

void Machine::DropPlatform() {
  platform_.reset();
  for (const std::string& instance : recorder_->instances()) instances_.insert(instance);
  recorder_ = std::make_unique<Recorder>();
}

void Machine::StopPlatform() {
  if (platform_ != nullptr) platform_->Stop();
  platform_.reset();
}

void Machine::WriteManifest(const std::string& file, const std::string& yaml) {
  std::ofstream(folder_ + "/manifests/" + file) << yaml;
}

void Machine::RemoveManifest(const std::string& file) {
  std::filesystem::remove(folder_ + "/manifests/" + file);
}

std::string Machine::Agent(const std::string& name, const std::string& command,
                           const std::string& spec) {
  std::string indented = "      " + command;
  for (size_t at = 0; (at = indented.find('\n', at)) != std::string::npos; at += 7) {
    indented.replace(at, 1, "\n      ");
  }
  return fmt::format(
      "---\napiVersion: krypton.ai/v1alpha1\nkind: Agent\nmetadata:\n  name: {}\n  annotations:\n"
      "    krypton.ai/local-command: |\n{}\nspec:\n  image: none\n  mode: serverless\n{}",
      name, indented, spec);
}

void Machine::SetReplicas(const std::string& name, int desired) {
  platform_->SetReplicas(*resource::ParseKey(v1::RESOURCE_KIND_AGENT, name), desired);
}

void Machine::ConfirmStarting(const std::string& name) {
  for (const Replica& replica : recorder_->replicas(name, ReplicaPhase::kStarting)) {
    platform_->ConfirmReplica(*resource::ParseKey(v1::RESOURCE_KIND_AGENT, name), replica.instance);
  }
}

bool Machine::WaitRunning(const std::string& name, size_t count) {
  return Wait([&] {
    ConfirmStarting(name);
    return recorder_->replicas(name).size() == count &&
           recorder_->replicas(name, ReplicaPhase::kRunning).size() == count;
  });
}

std::string Machine::LogOf(const Replica& replica) const {
  return ReadAll(fmt::format("{}/replicas/{}/agent.log", settings_.state_dir, replica.instance));
}

std::string Machine::Call(const Replica& replica, const std::string& path) {
  const auto ready = ReadFile(
      fmt::format("{}/replicas/{}/proxy.json", settings_.state_dir, replica.instance), 1 << 16);
  if (!ready.ok()) return "";
  const auto value = boost::json::parse(*ready);
  const std::string address(value.at("http").as_string());
  httplib::Client client("http://" + address);
  client.set_read_timeout(60);
  const auto answer = client.Get(path);
  return answer && answer->status == 200 ? answer->body : "";
}

std::vector<int> Machine::Processes() const {
  std::set<std::string> instances = instances_;
  for (const std::string& instance : recorder_->instances()) instances.insert(instance);
  std::vector<int> found;
  for (const std::string& name : ListFolder("/proc").value_or(std::vector<std::string>())) {
    const int pid = atoi(name.c_str());
    if (pid <= 0 || pid == getpid()) continue;
    const std::string entry = "/proc/" + name;
    std::string text = ReadAll(entry + "/environ") + ReadAll(entry + "/cmdline");
    // Supervisors have neither: they are found by the folder that they work in.
    for (const auto& fd : ListFolder(entry + "/fd").value_or(std::vector<std::string>())) {
      std::error_code gone;
      text += std::filesystem::read_symlink(entry + "/fd/" + fd, gone).string() + " ";
    }
    const bool ours = std::any_of(instances.begin(), instances.end(), [&](const auto& instance) {
      return text.find(instance) != std::string::npos;
    });
    if (ours) found.push_back(pid);
  }
  return found;
}

bool Machine::Alive(int pid) { return StartTicks(pid) != 0; }

}  // namespace krypton::platform::testing
