// Reads the manifests and says when one is new, different or gone: inotify as the hint, a scan as
// the truth. A file that is being written is left alone until its writer closes it or pauses; one
// that vanishes must stay away for a moment before it counts as gone (editors move the old one
// aside first). Only what is not there is gone: what cannot be looked at (a folder that cannot be
// listed, too many open files) stays as it was, and that is said. A folder that does not exist yet,
// or is replaced, is looked for. A change takes effect within a second, also behind a symbolic
// link. Belongs to the loop's thread.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "manager/platform/local/files.h"
#include "manager/platform/local/loop.h"

namespace krypton::platform {

struct FileChange {
  enum class Kind { kRead, kUnreadable, kGone };
  // Of a file; of a folder, when that is what cannot be read, and again (as gone) when it can.
  std::string path;
  Kind kind = Kind::kRead;
  // The file's bytes, or why they cannot be had.
  std::string text;
};

class ManifestWatcher {
 public:
  struct Settings {
    // After the first sign of a change: what belongs together arrives together.
    std::chrono::milliseconds debounce{50};
    std::chrono::milliseconds writer_pause{400};
    std::chrono::milliseconds gone_after{300};
    // How often to look without any sign: for a folder that does not exist, and for the others, in
    // case their file system gives no signs.
    std::chrono::milliseconds poll_missing{300};
    std::chrono::milliseconds poll{5000};
    // How often to ask stat what is behind symbolic links, if there are any: nothing else tells.
    std::chrono::milliseconds poll_links{250};
    size_t max_file_bytes = 4 << 20;
  };
  // In the order of their paths.
  using OnChanges = std::function<void(std::vector<FileChange>)>;

  // `paths`: folders (their *.yaml and *.yml, not deeper) or single files.
  ManifestWatcher(Loop& loop, std::vector<std::string> paths, Settings settings,
                  OnChanges on_changes);
  ~ManifestWatcher();

  // Reads everything once; on_changes is called before this returns, if there is anything.
  void Start();
  // A file that was there before this began: that it is gone will be said.
  void Expect(const std::string& path);

 private:
  // What stat says of a file; another value is another content.
  struct Signature {
    uint32_t mode = 0;
    uint64_t device = 0, inode = 0, size = 0;
    int64_t modified_ns = 0, changed_ns = 0;
    friend bool operator==(const Signature&, const Signature&) = default;
  };
  struct Known {
    std::optional<Signature> signature;
    std::optional<Loop::Clock::time_point> missing_since;
  };
  struct Writing {
    Loop::Clock::time_point last;
  };

  // None: errno says why.
  static std::optional<Signature> Look(const std::string& path);

  void OnEvents();
  void ScheduleScan(std::chrono::milliseconds delay);
  void Scan();
  // The files that exist, and whether every path does and will give signs.
  std::set<std::string> FindFiles(bool* complete, std::vector<FileChange>* changes);
  // False: a change in it will not be heard.
  bool WatchFolder(const std::string& folder);
  // False: it is not there.
  bool ScanFile(const std::string& path, std::vector<FileChange>* changes);
  void Read(const std::string& path, const Signature& signature, std::vector<FileChange>* changes);
  void ScanMissing(const std::set<std::string>& found, std::vector<FileChange>* changes);
  // `path` is there, perhaps, and cannot be looked at or read; and when it can again.
  void NoteUnseen(const std::string& path, const absl::Status& why,
                  std::vector<FileChange>* changes);
  void NoteSeen(const std::string& path, std::vector<FileChange>* changes);
  void ScheduleLinks();
  void PollLinks();

  Loop& loop_;
  const std::vector<std::string> paths_;
  const Settings settings_;
  const OnChanges on_changes_;
  UniqueFd inotify_;
  // By watch descriptor.
  std::map<int, std::string> folders_;
  std::map<std::string, Known> known_;
  std::map<std::string, Writing> writing_;
  // Changed for sure, whatever stat says.
  std::set<std::string> dirty_;
  // Files and folders that cannot be looked at, and why.
  std::map<std::string, std::string> unseen_;
  // What is, or lies behind, a symbolic link: as it was when it was last looked at.
  std::map<std::string, std::optional<Signature>> linked_;
  Loop::TimerId link_timer_ = 0;
  Loop::TimerId timer_ = 0;
  Loop::Clock::time_point scan_at_ = Loop::Clock::time_point::max();
};

}  // namespace krypton::platform
