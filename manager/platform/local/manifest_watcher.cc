#include "manager/platform/local/manifest_watcher.h"

#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "manager/platform/local/identity_store.h"

namespace krypton::platform {
namespace {

constexpr uint32_t kEvents = IN_CLOSE_WRITE | IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVED_FROM |
                             IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

// Not those that editors keep beside it: ".a.yaml.swp", "a.yaml~", "#a.yaml#".
bool IsManifestName(const std::string& name) {
  return !name.empty() && name[0] != '.' && name[0] != '#' &&
         (name.ends_with(".yaml") || name.ends_with(".yml"));
}

int64_t Nanoseconds(const timespec& time) {
  return static_cast<int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

ManifestWatcher::ManifestWatcher(Loop& loop, std::vector<std::string> paths, Settings settings,
                                 OnChanges on_changes)
    : loop_(loop),
      paths_(std::move(paths)),
      settings_(settings),
      on_changes_(std::move(on_changes)),
      inotify_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
  if (inotify_.valid()) loop_.Watch(inotify_.get(), [this] { OnEvents(); });
}

ManifestWatcher::~ManifestWatcher() {
  if (inotify_.valid()) loop_.Unwatch(inotify_.get());
  loop_.Cancel(timer_);
}

void ManifestWatcher::Start() { Scan(); }

void ManifestWatcher::Expect(const std::string& path) { known_[path]; }

void ManifestWatcher::OnEvents() {
  alignas(inotify_event) char buffer[16 << 10];
  for (;;) {
    const ssize_t got = read(inotify_.get(), buffer, sizeof buffer);
    if (got <= 0) break;
    for (const char* at = buffer; at < buffer + got;) {
      const auto* event = reinterpret_cast<const inotify_event*>(at);
      at += sizeof(inotify_event) + event->len;
      if ((event->mask & IN_IGNORED) != 0) folders_.erase(event->wd);
      const auto folder = folders_.find(event->wd);
      if (folder == folders_.end() || event->len == 0) continue;
      // Others may be what a manifest is a link to, or will be renamed from: the scan will tell.
      if (!IsManifestName(event->name)) continue;
      const std::string path = folder->second + "/" + event->name;
      if ((event->mask & (IN_MODIFY | IN_CREATE)) != 0) {
        writing_[path] = {Loop::Clock::now()};
      } else if ((event->mask & (IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM)) != 0) {
        writing_.erase(path);
      }
      dirty_.insert(path);
    }
  }
  ScheduleScan(settings_.debounce);
}

void ManifestWatcher::ScheduleScan(std::chrono::milliseconds delay) {
  const auto when = Loop::Clock::now() + delay;
  if (when >= scan_at_) return;
  loop_.Cancel(timer_);
  scan_at_ = when;
  timer_ = loop_.After(delay, [this] { Scan(); });
}

void ManifestWatcher::Scan() {
  loop_.Cancel(timer_);
  scan_at_ = Loop::Clock::time_point::max();
  bool complete = true;
  const std::set<std::string> found = FindFiles(&complete);
  ScheduleScan(complete && inotify_.valid() ? settings_.poll : settings_.poll_missing);
  std::vector<FileChange> changes;
  for (const std::string& path : found) ScanFile(path, &changes);
  ScanMissing(found, &changes);
  std::sort(changes.begin(), changes.end(),
            [](const FileChange& a, const FileChange& b) { return a.path < b.path; });
  if (!changes.empty()) on_changes_(std::move(changes));
}

std::set<std::string> ManifestWatcher::FindFiles(bool* complete) {
  std::set<std::string> found;
  for (const std::string& path : paths_) {
    struct stat status;
    if (stat(path.c_str(), &status) != 0) {
      *complete = false;
    } else if (S_ISDIR(status.st_mode)) {
      // Watched before it is listed: what comes in between is heard.
      WatchFolder(path);
      const auto names = ListFolder(path);
      *complete = *complete && names.ok();
      for (const std::string& name : names.ok() ? *names : std::vector<std::string>()) {
        if (IsManifestName(name)) found.insert(path + "/" + name);
      }
    } else {
      WatchFolder(FolderOfFile(path));
      found.insert(path);
    }
  }
  return found;
}

void ManifestWatcher::WatchFolder(const std::string& folder) {
  if (!inotify_.valid()) return;
  // The same number for the same folder; another one when it was replaced.
  const int watch = inotify_add_watch(inotify_.get(), folder.c_str(), kEvents);
  if (watch < 0) return;
  for (auto at = folders_.begin(); at != folders_.end();) {
    if (at->second == folder && at->first != watch) {
      inotify_rm_watch(inotify_.get(), at->first);
      at = folders_.erase(at);
    } else {
      ++at;
    }
  }
  folders_[watch] = folder;
}

void ManifestWatcher::ScanFile(const std::string& path, std::vector<FileChange>* changes) {
  const auto now = Loop::Clock::now();
  if (const auto writing = writing_.find(path); writing != writing_.end()) {
    const auto quiet = now - writing->second.last;
    if (quiet < settings_.writer_pause) {
      return ScheduleScan(
          std::chrono::ceil<std::chrono::milliseconds>(settings_.writer_pause - quiet));
    }
    writing_.erase(writing);
  }
  struct stat status;
  if (stat(path.c_str(), &status) != 0) return;
  const Signature signature{status.st_dev, status.st_ino, static_cast<uint64_t>(status.st_size),
                            Nanoseconds(status.st_mtim), Nanoseconds(status.st_ctim)};
  Known& known = known_[path];
  known.missing_since.reset();
  if (dirty_.erase(path) == 0 && known.signature == signature) return;
  known.signature = signature;
  auto text = ReadFile(path, settings_.max_file_bytes);
  if (text.ok()) {
    changes->push_back({path, FileChange::Kind::kRead, *std::move(text)});
  } else {
    changes->push_back({path, FileChange::Kind::kUnreadable, std::string(text.status().message())});
  }
}

void ManifestWatcher::ScanMissing(const std::set<std::string>& found,
                                  std::vector<FileChange>* changes) {
  const auto now = Loop::Clock::now();
  for (auto at = known_.begin(); at != known_.end();) {
    Known& known = at->second;
    if (found.count(at->first) > 0) {
      ++at;
      continue;
    }
    if (!known.missing_since.has_value()) known.missing_since = now;
    const auto missing = now - *known.missing_since;
    if (missing < settings_.gone_after) {
      ScheduleScan(std::chrono::ceil<std::chrono::milliseconds>(settings_.gone_after - missing));
      ++at;
      continue;
    }
    changes->push_back({at->first, FileChange::Kind::kGone, ""});
    dirty_.erase(at->first);
    writing_.erase(at->first);
    at = known_.erase(at);
  }
}

}  // namespace krypton::platform
