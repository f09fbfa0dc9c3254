#include "manager/platform/local/manifest_watcher.h"

#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
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

// What is there in some way is not absent, even if it cannot be reached.
bool IsAbsence(int error) { return error == ENOENT || error == ENOTDIR; }

// A component of it is a symbolic link.
bool HasLink(const std::string& path) {
  std::error_code error;
  const auto real = std::filesystem::canonical(path, error);
  if (error) return false;
  const auto written = std::filesystem::absolute(path, error).lexically_normal();
  return !error && real != (written.has_filename() ? written : written.parent_path());
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
  loop_.Cancel(link_timer_);
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
  linked_.clear();
  bool complete = true;
  std::vector<FileChange> changes;
  std::set<std::string> found = FindFiles(&complete, &changes);
  ScheduleScan(complete ? settings_.poll : settings_.poll_missing);
  std::erase_if(found, [&](const std::string& path) { return !ScanFile(path, &changes); });
  ScanMissing(found, &changes);
  ScheduleLinks();
  // Stable: a path may be gone as what it was and read as what it is.
  std::stable_sort(changes.begin(), changes.end(),
                   [](const FileChange& a, const FileChange& b) { return a.path < b.path; });
  if (!changes.empty()) on_changes_(std::move(changes));
}

std::optional<ManifestWatcher::Signature> ManifestWatcher::Look(const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0) return std::nullopt;
  return Signature{status.st_mode,
                   status.st_dev,
                   status.st_ino,
                   static_cast<uint64_t>(status.st_size),
                   Nanoseconds(status.st_mtim),
                   Nanoseconds(status.st_ctim)};
}

std::set<std::string> ManifestWatcher::FindFiles(bool* complete, std::vector<FileChange>* changes) {
  std::set<std::string> found;
  for (const std::string& path : paths_) {
    const auto signature = Look(path);
    if (!signature.has_value() && !IsAbsence(errno)) {
      NoteUnseen(path, ErrnoStatus("looking at", path), changes);
    } else if (!signature.has_value()) {
      NoteSeen(path, changes);
    } else if (S_ISDIR(signature->mode)) {
      // Watched before it is listed: what comes in between is heard.
      *complete = WatchFolder(path) && *complete;
      const auto names = ListFolder(path);
      if (names.ok() || absl::IsNotFound(names.status())) {
        NoteSeen(path, changes);
      } else {
        NoteUnseen(path, names.status(), changes);
      }
      for (const std::string& name : names.ok() ? *names : std::vector<std::string>()) {
        if (IsManifestName(name)) found.insert(path + "/" + name);
      }
      *complete = *complete && names.ok();
    } else {
      *complete = WatchFolder(FolderOfFile(path)) && *complete;
      found.insert(path);
    }
    if (HasLink(path)) linked_[path] = signature;
    *complete = *complete && signature.has_value();
  }
  return found;
}

bool ManifestWatcher::WatchFolder(const std::string& folder) {
  if (!inotify_.valid()) return false;
  // The same number for the same folder; another one when it was replaced.
  const int watch = inotify_add_watch(inotify_.get(), folder.c_str(), kEvents);
  if (watch < 0) return false;
  for (auto at = folders_.begin(); at != folders_.end();) {
    if (at->second == folder && at->first != watch) {
      inotify_rm_watch(inotify_.get(), at->first);
      at = folders_.erase(at);
    } else {
      ++at;
    }
  }
  folders_[watch] = folder;
  return true;
}

bool ManifestWatcher::ScanFile(const std::string& path, std::vector<FileChange>* changes) {
  const auto now = Loop::Clock::now();
  struct stat link;
  const bool is_link = lstat(path.c_str(), &link) == 0 && S_ISLNK(link.st_mode);
  const auto signature = Look(path);
  const int error = errno;
  if (is_link) linked_[path] = signature;
  if (const auto writing = writing_.find(path); writing != writing_.end()) {
    const auto quiet = now - writing->second.last;
    if (quiet < settings_.writer_pause) {
      ScheduleScan(std::chrono::ceil<std::chrono::milliseconds>(settings_.writer_pause - quiet));
      return true;
    }
    writing_.erase(writing);
  }
  if (!signature.has_value() && IsAbsence(error)) return false;
  Known& known = known_[path];
  known.missing_since.reset();
  if (!signature.has_value()) {
    errno = error;
    NoteUnseen(path, ErrnoStatus("looking at", path), changes);
    ScheduleScan(settings_.poll_missing);
    return true;
  }
  if (dirty_.erase(path) == 0 && known.signature == signature) return true;
  Read(path, *signature, changes);
  return true;
}

void ManifestWatcher::Read(const std::string& path, const Signature& signature,
                           std::vector<FileChange>* changes) {
  auto text = ReadFile(path, settings_.max_file_bytes);
  if (text.ok()) {
    unseen_.erase(path);
    known_[path].signature = signature;
    changes->push_back({path, FileChange::Kind::kRead, *std::move(text)});
    return;
  }
  // What it is will not change without a sign; whether there is a descriptor for it, say, may.
  const bool lasting = !S_ISREG(signature.mode) || signature.size > settings_.max_file_bytes;
  if (!absl::IsNotFound(text.status())) NoteUnseen(path, text.status(), changes);
  if (lasting) {
    known_[path].signature = signature;
  } else {
    known_[path].signature.reset();
    ScheduleScan(settings_.poll_missing);
  }
}

void ManifestWatcher::NoteUnseen(const std::string& path, const absl::Status& why,
                                 std::vector<FileChange>* changes) {
  // Read anew as soon as it can be, whether or not it was changed meanwhile.
  if (const auto known = known_.find(path); known != known_.end()) known->second.signature.reset();
  const std::string reason(why.message());
  const auto [noted, is_new] = unseen_.try_emplace(path, reason);
  if (!is_new && noted->second == reason) return;
  noted->second = reason;
  changes->push_back({path, FileChange::Kind::kUnreadable, reason});
}

void ManifestWatcher::NoteSeen(const std::string& path, std::vector<FileChange>* changes) {
  // A file's end is said when it has stayed away for a while.
  const bool was_unseen = unseen_.erase(path) > 0;
  if (was_unseen && !known_.contains(path)) {
    changes->push_back({path, FileChange::Kind::kGone, ""});
  }
}

void ManifestWatcher::ScanMissing(const std::set<std::string>& found,
                                  std::vector<FileChange>* changes) {
  const auto now = Loop::Clock::now();
  for (auto at = known_.begin(); at != known_.end();) {
    const std::string& path = at->first;
    Known& known = at->second;
    if (found.contains(path) || unseen_.contains(FolderOfFile(path)) || unseen_.contains(path)) {
      known.missing_since.reset();
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
    changes->push_back({path, FileChange::Kind::kGone, ""});
    dirty_.erase(path);
    writing_.erase(path);
    at = known_.erase(at);
  }
}

void ManifestWatcher::ScheduleLinks() {
  if (linked_.empty() || link_timer_ != 0) return;
  link_timer_ = loop_.After(settings_.poll_links, [this] { PollLinks(); });
}

void ManifestWatcher::PollLinks() {
  link_timer_ = 0;
  bool changed = false;
  for (auto& [path, before] : linked_) {
    auto now = Look(path);
    if (now == before) continue;
    changed = true;
    before = now;
    // Its writer may not be done, and closing it gives no sign.
    if (now.has_value() && known_.contains(path)) writing_[path] = {Loop::Clock::now()};
  }
  changed ? Scan() : ScheduleLinks();
}

}  // namespace krypton::platform
