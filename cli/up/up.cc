#include "cli/up/up.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cli/addresses.h"
#include "cli/command.h"
#include "cli/manifest_files.h"
#include "cli/up/mesh.h"
#include "cli/up/screen.h"
#include "cli/up/watch.h"
#include "common/config/flags.h"
#include "common/config/process.h"
#include "common/config/ready_file.h"

namespace krypton::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kNewsKept = 200;
constexpr std::chrono::seconds kRedraw{1};

std::string TimeOfDay() {
  const time_t now = time(nullptr);
  tm local = {};
  localtime_r(&now, &local);
  char text[16];
  strftime(text, sizeof text, "%H:%M:%S", &local);
  return text;
}

// The state folder, which one `krypton up` at a time uses.
class StateFolder {
 public:
  ~StateFolder() {
    if (lock_ >= 0) close(lock_);
  }
  absl::Status Take(const std::string& path) {
    std::error_code error;
    fs::create_directories(path + "/logs", error);
    const std::string another = "choose another folder with --state-dir";
    if (error) {
      return absl::UnavailableError("cannot create " + path + "/logs: " + error.message() + "; " +
                                    another);
    }
    const std::string lock = path + "/up.lock";
    lock_ = open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock_ < 0) {
      return absl::UnavailableError("cannot write " + lock + ": " + strerror(errno) + "; " +
                                    another);
    }
    if (flock(lock_, LOCK_EX | LOCK_NB) == 0) {
      NoteOwner();
      return absl::OkStatus();
    }
    const pid_t owner = Owner();
    const std::string process = std::to_string(owner);
    return absl::UnavailableError(
        "another 'krypton up'" + (owner > 0 ? " (process " + process + ")" : "") + " uses " + path +
        "; end it" + (owner > 0 ? " (kill " + process + ")" : "") + ", or " + another);
  }

 private:
  // For those who come later; the lock itself is what counts.
  void NoteOwner() const {
    if (ftruncate(lock_, 0) == 0) dprintf(lock_, "%d\n", getpid());
  }
  // 0: it has not said so yet.
  pid_t Owner() const {
    char text[16] = {};
    if (pread(lock_, text, sizeof text - 1, 0) <= 0) return 0;
    return static_cast<pid_t>(std::strtol(text, nullptr, 10));
  }

  int lock_ = -1;
};

// Lines for people: on a terminal the screen replaces them once everything serves.
class Display {
 public:
  explicit Display(bool live) : live_(live) {}
  ~Display() {
    if (drawn_) Print("\x1b[?25h");
  }

  void Say(const std::string& line) {
    const std::string text = TimeOfDay() + " " + line;
    if (live_ && drawn_) {
      state_.news.push_back(text);
      if (state_.news.size() > kNewsKept) state_.news.pop_front();
    } else {
      Print(text + "\n");
    }
  }
  void Update(const Mesh& mesh, MeshWatch::Snapshot snapshot) {
    state_.components = mesh.states();
    state_.agents = std::move(snapshot.agents);
    state_.models = std::move(snapshot.models);
    state_.problems = std::move(snapshot.problems);
    for (const std::string& line : snapshot.news) Say(line);
    if (live_) {
      Draw();
    } else if (!suggested_ && snapshot.complete &&
               !(state_.agents.empty() && state_.models.empty())) {
      suggested_ = true;
      for (const std::string& line : ThingsToTry(state_.addresses, state_.agents, state_.models)) {
        Print("try: " + line + "\n");
      }
    }
  }
  void Begin(const MeshAddresses& addresses, const std::string& state_dir) {
    state_.addresses = addresses;
    state_.state_dir = state_dir;
    if (live_) {
      Print("\x1b[2J\x1b[?25l");
      drawn_ = true;
      return;
    }
    for (const ComponentAddresses* at : addresses.all()) {
      Print(at->name + (at->http.empty() ? "" : "  http " + at->http) + "  grpc " + at->grpc +
            "  ops " + at->ops + "\n");
    }
  }
  // What comes now is printed below the screen.
  void End() {
    if (drawn_) Print("\x1b[?25h\n");
    drawn_ = false;
  }

 private:
  void Draw() {
    winsize size = {};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0) size = {40, 120, 0, 0};
    Print("\x1b[H" +
          RenderScreen(state_, size.ws_col, size.ws_row - 1U, std::chrono::system_clock::now()) +
          "\x1b[J");
  }

  const bool live_;
  bool drawn_ = false;
  bool suggested_ = false;
  ScreenState state_;
};

// Tells the other commands where this mesh is, for as long as it runs.
class WellKnownFile {
 public:
  void Write(const std::string& content) {
    std::error_code error;
    fs::create_directories(RunFolder(), error);
    // A home that cannot be written is no reason not to run: the flags say where the mesh is.
    if (!error && config::WriteFileAtomically(WellKnownReadyFile(), content).ok()) {
      content_ = content;
    }
  }
  ~WellKnownFile() {
    std::ostringstream found;
    found << std::ifstream(WellKnownReadyFile()).rdbuf();
    if (!content_.empty() && found.str() == content_) unlink(WellKnownReadyFile().c_str());
  }

 private:
  std::string content_;
};

void WaitForSomething(const Mesh& mesh, int stop_fd, int watch_fd) {
  std::vector<pollfd> fds = {{stop_fd, POLLIN, 0}, {watch_fd, POLLIN, 0}};
  for (const int fd : mesh.fds()) fds.push_back({fd, POLLIN, 0});
  // Sooner when something waits for its restart.
  const bool all_run = mesh.fds().size() == mesh.states().size();
  const auto wait = all_run ? std::chrono::milliseconds(kRedraw) : std::chrono::milliseconds(50);
  poll(fds.data(), fds.size(), static_cast<int>(wait.count()));
}

bool Stopped(int stop_fd) {
  pollfd waited = {stop_fd, POLLIN, 0};
  return poll(&waited, 1, 0) > 0;
}

// `other`: the mesh that the other commands have asked until now.
void SayWhatIsOdd(Display& display, const UpOptions& options, const Addresses& other) {
  for (const std::string& path : options.manifests) {
    std::error_code error;
    if (fs::is_directory(path, error) && FilesIn(path, IsFollowedName).empty()) {
      display.Say(path + " holds no manifest (*.yaml, *.yml) yet; one that comes is taken up");
    }
  }
  if (other.control_plane.empty() || other.gateway.empty()) return;
  display.Say(
      "another mesh runs too; 'krypton get' and its sisters ask this one from now on, the other "
      "with --control-plane " +
      other.control_plane + " or --gateway " + other.gateway);
}

absl::Status Follow(Mesh& mesh, Display& display, const UpOptions& options,
                    const MeshAddresses& addresses, int stop_fd) {
  auto control_plane = ControlPlane::Connect(addresses.control_plane.grpc, options.tls);
  if (!control_plane.ok()) return control_plane.status();
  WellKnownFile well_known;
  std::string ready;
  const Addresses other = RunningMesh(WellKnownReadyFile());
  display.Begin(addresses, options.state_dir);
  SayWhatIsOdd(display, options, other);
  MeshWatch watch(*std::move(control_plane));
  while (!Stopped(stop_fd)) {
    // Process ids change with a restart.
    const std::string now = mesh.ReadyJson();
    // A mesh that was started later and has ended leaves the place to this one.
    if (now != ready || RunningMesh(WellKnownReadyFile()).control_plane.empty()) {
      well_known.Write(now);
    }
    if (now != ready) {
      ready = now;
      if (!options.ready_file.empty()) {
        const absl::Status written = config::WriteFileAtomically(options.ready_file, ready);
        if (!written.ok()) return written;
      }
    }
    display.Update(mesh, watch.Take());
    WaitForSomething(mesh, stop_fd, watch.fd());
    if (!Stopped(stop_fd)) mesh.Tick();
  }
  return absl::OkStatus();
}

absl::Status CheckFolders(std::vector<std::string>& folders) {
  for (std::string& folder : folders) {
    std::error_code error;
    if (!fs::exists(folder, error)) {
      return absl::InvalidArgumentError("no such folder of manifests: " + folder);
    }
    if (!fs::is_directory(folder, error) && !IsManifestName(fs::path(folder).filename().string())) {
      return absl::InvalidArgumentError(
          folder + " is neither a folder nor a manifest, whose name ends in .yaml, .yml or .json");
    }
    folder = fs::canonical(folder, error);
  }
  return absl::OkStatus();
}

absl::Status Up(UpOptions& options, Display& display, int stop_fd) {
  if (absl::Status status = CheckFolders(options.manifests); !status.ok()) return status;
  if (options.state_dir.empty()) options.state_dir = StateFolderOf(options.manifests.front());
  StateFolder folder;
  if (absl::Status status = folder.Take(options.state_dir); !status.ok()) return status;
  options.state_dir = fs::canonical(options.state_dir);
  const auto addresses = ChooseAddresses(options.host, options.port_base);
  if (!addresses.ok()) return addresses.status();
  display.Say("starting; logs are in " + options.state_dir + "/logs");
  Mesh mesh({*addresses, options.manifests, options.state_dir, options.log_level,
             options.log_format, options.tls},
            [&display](const std::string& line) { display.Say(line); });
  absl::Status status = mesh.Start(stop_fd);
  if (status.ok() && !Stopped(stop_fd)) {
    status = Follow(mesh, display, options, *addresses, stop_fd);
  }
  display.End();
  status.Update(mesh.Stop());
  return status;
}

}  // namespace

void AddUp(config::Flags& flags, UpOptions* options) {
  flags.AddPositional(
      &options->manifests, "DIR",
      "folders of manifests (*.yaml, *.yml), or single ones; followed while it runs");
  flags.Add(&options->port_base, "port-base",
            "12 ports from this one on; 0: free ones; -1: 8080 (gateway), 8090 (control plane) and "
            "their sisters",
            "PORT");
  flags.Add(&options->host, "host", "the address that everything listens on", "ADDRESS");
  flags.Add(&options->ready_file, "ready-file",
            "written once everything serves: process ids and addresses as JSON", "PATH");
  flags.Add(
      &options->state_dir, "state-dir",
      "state and logs; of several meshes the other commands ask the one that was started last, "
      "another with --control-plane and --gateway (default: a folder for the first DIR in "
      "$XDG_RUNTIME_DIR/krypton, else in ~/.cache/krypton/run)",
      "DIR");
  flags.Add(&options->plain, "plain", "print lines instead of the live screen on a terminal");
  flags.AddChoice(&options->log_level, "log-level", {"debug", "info", "warn", "error"},
                  "of the components");
  flags.AddChoice(&options->log_format, "log-format", {"text", "json"}, "of the components");
  rpc::AddTlsFlags(flags, &options->tls);
}

int RunUp(UpOptions options) {
  config::Process process;
  absl::Status status;
  {
    Display display(isatty(STDOUT_FILENO) == 1 && !options.plain);
    status = Up(options, display, process.stop_fd());
    if (status.ok()) display.Say("everything has ended");
  }
  return Fail(status);
}

}  // namespace krypton::cli
