#include "manager/platform/local/local_platform.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "common/log/log.h"
#include "fmt/format.h"
#include "google/protobuf/util/message_differencer.h"
#include "manager/platform/local/launch.h"
#include "manager/platform/local/local_platform_impl.h"
#include "manager/platform/local/log_stream.h"
#include "manager/platform/local/term_file.h"

namespace krypton::platform {
namespace {

using google::protobuf::util::MessageDifferencer;

// For supervisors that survived to say how their processes do.
constexpr std::chrono::seconds kHelloTimeout(2);

std::string Absolute(const std::string& path) {
  std::error_code error;
  std::string absolute = std::filesystem::absolute(path, error).lexically_normal().string();
  if (absolute.size() > 1 && absolute.back() == '/') absolute.pop_back();
  return error ? path : absolute;
}

// A name without a slash is looked for beside this program, then in PATH.
std::string FindProgram(const std::string& name) {
  if (name.find('/') != std::string::npos) return Absolute(name);
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string beside = (self.parent_path() / name).string();
  if (!error && access(beside.c_str(), X_OK) == 0) return beside;
  const char* path = getenv("PATH");
  std::string_view rest = path == nullptr ? "" : path;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(':'), rest.size());
    const std::string candidate = fmt::format("{}/{}", rest.substr(0, end), name);
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return name;
}

bool SameResource(const resource::Resource& a, const resource::Resource& b) {
  return a.SameSpec(b) && MessageDifferencer::Equals(a.metadata(), b.metadata());
}

// A folder of manifests holds its own files, not deeper ones; a path may be a single file.
bool IsUnder(const std::vector<std::string>& paths, const std::string& file) {
  const std::string folder = file.substr(0, file.rfind('/'));
  return std::any_of(paths.begin(), paths.end(),
                     [&](const std::string& path) { return path == file || path == folder; });
}

}  // namespace

LocalPlatform::LocalPlatform(LocalSettings settings)
    : settings_(std::move(settings)),
      context_{loop_, settings_, ports_, InheritedEnvironment(environ)},
      log_waiters_(std::make_shared<LogWaiters>(loop_)),
      identities_(Absolute(settings_.state_dir) + "/resources") {
  settings_.state_dir = Absolute(settings_.state_dir);
  settings_.proxy_binary = FindProgram(settings_.proxy_binary);
  settings_.supervisor_binary = FindProgram(settings_.supervisor_binary);
  for (std::string& path : settings_.manifests) {
    while (path.size() > 1 && path.back() == '/') path.pop_back();
  }
}

LocalPlatform::~LocalPlatform() {
  if (!thread_.joinable()) return;
  loop_.Stop();
  thread_.join();
}

absl::Status LocalPlatform::PrepareStateFolder() {
  const std::string& folder = settings_.state_dir;
  for (const std::string& part : {folder, folder + "/replicas"}) {
    if (absl::Status status = EnsureWritableFolder(part); !status.ok()) {
      return absl::Status(status.code(),
                          fmt::format("state folder {}: {}; give another one with --state-dir",
                                      folder, std::string(status.message())));
    }
  }
  lock_ = UniqueFd(open((folder + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock_.valid()) return ErrnoStatus("opening", folder + "/lock");
  if (flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(fmt::format(
        "state folder {} is in use by another manager; give another one with --state-dir", folder));
  }
  return identities_.Load();
}

absl::Status LocalPlatform::Start(PlatformListener& listener) {
  for (const std::string& binary : {settings_.supervisor_binary, settings_.proxy_binary}) {
    if (access(binary.c_str(), X_OK) != 0) return ErrnoStatus("finding the program", binary);
  }
  if (absl::Status status = PrepareStateFolder(); !status.ok()) return status;
  for (const std::string& path : settings_.manifests) {
    if (access(path.c_str(), R_OK) != 0) log::Warn("manifests are not there yet", {{"path", path}});
  }
  absl::StatusOr<uint64_t> term = NextTerm(settings_.state_dir);
  if (!term.ok()) return term.status();
  term_ = *term;
  listener_ = &listener;
  loop_.Post([this] { Begin(); });
  thread_ = std::thread([this] { loop_.Run(); });
  return absl::OkStatus();
}

void LocalPlatform::Begin() {
  listener_->OnLeadership(true, term_, settings_.manager_address);
  std::vector<Survivor> survivors = FindSurvivors(loop_, settings_.state_dir + "/replicas");
  watcher_ = std::make_unique<ManifestWatcher>(
      loop_, settings_.manifests, ManifestWatcher::Settings(),
      [this](std::vector<FileChange> changes) { OnFiles(std::move(changes)); });
  // A manifest that was broken while nobody looked leaves its last good version in force.
  for (const auto& [name, admitted] : identities_.all()) {
    if (!IsUnder(settings_.manifests, admitted.file)) continue;  // Of a mesh with other folders.
    book_.Remember(admitted.file, admitted.resource);
    watcher_->Expect(admitted.file);
  }
  watcher_->Start();
  Apply();
  TakeOver(std::move(survivors));
  SyncWhenHeard(Loop::Clock::now() + kHelloTimeout);
}

void LocalPlatform::OnFiles(std::vector<FileChange> changes) {
  for (const FileChange& change : changes) {
    switch (change.kind) {
      case FileChange::Kind::kRead:
        book_.SetFile(change.path,
                      resource::ParseManifest(change.path, change.text, resource::Target::kLocal));
        break;
      case FileChange::Kind::kUnreadable:
        book_.SetUnreadable(change.path, change.text);
        break;
      case FileChange::Kind::kGone:
        book_.RemoveFile(change.path);
        break;
    }
  }
  Apply();
}

void LocalPlatform::Apply() {
  const auto declared = book_.Resolve();
  std::vector<std::string> gone;
  for (const auto& [name, before] : declared_) {
    if (declared.count(name) == 0) gone.push_back(name);
  }
  for (const std::string& name : gone) Withdraw(name);
  for (const auto& [name, next] : declared) {
    const auto before = declared_.find(name);
    if (before != declared_.end() && before->second.resource == next.resource &&
        before->second.file == next.file) {
      continue;
    }
    declared_[name] = next;
    Declare(*next.resource, next.file);
  }
  identities_.Save();
  TellProblems();
}

void LocalPlatform::Declare(const resource::Resource& parsed, const std::string& file) {
  const auto known = identities_.all().find(resource::Describe(parsed.key()));
  const std::shared_ptr<const resource::Resource> before =
      known == identities_.all().end() ? nullptr : known->second.resource;
  const Admitted admitted = identities_.Admit(parsed, file);
  ReplicaGroup& group = GroupOf(parsed.key());
  const bool same =
      before != nullptr && group.resource() != nullptr && SameResource(*before, *admitted.resource);
  if (same) return;
  log::Info("resource declared",
            {{resource::KindWord(parsed.kind()), resource::ToString(parsed.key())},
             {"file", file},
             {"generation", admitted.resource->generation()}});
  listener_->OnResource(admitted.resource);
  group.SetResource(admitted.resource, Absolute(FolderOfFile(file)));
}

void LocalPlatform::Withdraw(const std::string& name) {
  const v1::ResourceKey key = declared_.at(name).resource->key();
  log::Info("resource withdrawn", {{resource::KindWord(key.kind()), resource::ToString(key)}});
  declared_.erase(name);
  identities_.Forget(name);
  listener_->OnResourceDeleted(key);
  GroupOf(key).Delete();
  RemoveEmptyGroups();
}

void LocalPlatform::TellProblems() {
  absl::flat_hash_set<std::string> now;
  bool same = true;
  for (const auto& problem : book_.problems()) {
    std::string line = resource::ToString(problem);
    if (!told_problems_.contains(line)) {
      same = false;
      log::Warn("manifest refused", {{"problem", line}});
    }
    now.insert(std::move(line));
  }
  if (same && now.size() == told_problems_.size()) return;
  told_problems_ = std::move(now);
  listener_->OnManifestProblems(book_.problems());
}

ReplicaGroup& LocalPlatform::GroupOf(const v1::ResourceKey& key) {
  std::unique_ptr<ReplicaGroup>& group = groups_[key];
  if (group == nullptr) {
    group = std::make_unique<ReplicaGroup>(
        context_, logs_, key,
        [this, key](std::vector<Replica> replicas) { OnReport(key, std::move(replicas)); });
  }
  return *group;
}

ReplicaGroup* LocalPlatform::FindGroup(const v1::ResourceKey& key) {
  const auto found = groups_.find(key);
  return found == groups_.end() ? nullptr : found->second.get();
}

void LocalPlatform::OnReport(const v1::ResourceKey& key, std::vector<Replica> replicas) {
  const bool none = replicas.empty();
  // What survived of a resource that is not declared any more concerns nobody.
  if (synced_ || declared_.count(resource::Describe(key)) > 0) {
    listener_->OnReplicas(key, std::move(replicas));
  }
  if (none) RemoveEmptyGroups();
}

// Not at once: the group may be in the middle of something.
void LocalPlatform::RemoveEmptyGroups() {
  if (std::exchange(removal_posted_, true)) return;
  loop_.Post([this] {
    removal_posted_ = false;
    absl::erase_if(groups_, [](const auto& group) {
      return group.second->empty() && group.second->resource() == nullptr;
    });
    const bool all_empty = std::all_of(groups_.begin(), groups_.end(),
                                       [](const auto& group) { return group.second->empty(); });
    if (ending_ && all_empty) loop_.Stop();
  });
}

void LocalPlatform::Post(const v1::ResourceKey& key, std::function<void(ReplicaGroup&)> call) {
  loop_.Post([this, key, call = std::move(call)] {
    if (ReplicaGroup* group = FindGroup(key)) call(*group);
  });
}

void LocalPlatform::SetReplicas(const v1::ResourceKey& key, int desired) {
  Post(key, [desired](ReplicaGroup& group) { group.SetDesired(std::max(desired, 0)); });
}

void LocalPlatform::OnReplicaState(const v1::ResourceKey& key, const std::string& instance,
                                   v1::EndpointState state) {
  Post(key, [instance, state](ReplicaGroup& group) { group.OnState(instance, state); });
}

void LocalPlatform::ConfirmReplica(const v1::ResourceKey& key, const std::string& instance) {
  Post(key, [instance](ReplicaGroup& group) { group.Confirm(instance); });
}

absl::StatusOr<std::unique_ptr<LogStream>> LocalPlatform::ReadLogs(const v1::ResourceKey& key,
                                                                   const LogOptions& options) {
  const auto sources = logs_.Get(key);
  if (!sources.has_value()) {
    return absl::NotFoundError(fmt::format("{} does not exist", resource::Describe(key)));
  }
  const bool found = std::any_of(sources->begin(), sources->end(), [&](const LogSource& source) {
    return source.instance == options.instance;
  });
  if (!found && !options.instance.empty()) {
    return absl::NotFoundError(fmt::format("{} has no replica {}", resource::Describe(key),
                                           options.instance.substr(0, 80)));
  }
  return std::make_unique<LocalLogStream>(
      logs_, key, options,
      [waiters = log_waiters_](std::function<bool()> check, std::function<void()> ready) {
        return waiters->Add(std::move(check), std::move(ready));
      });
}

void LocalPlatform::End(bool now) {
  ending_ = true;
  watcher_.reset();
  for (const auto& [key, group] : groups_) group->End(now);
  RemoveEmptyGroups();
}

void LocalPlatform::Stop() {
  if (!thread_.joinable()) return;
  loop_.Post([this] { End(false); });
  thread_.join();
  log_waiters_->Close();
}

void LocalPlatform::Abort() {
  loop_.Post([this] { End(true); });
}

std::unique_ptr<Platform> NewLocalPlatform(LocalSettings settings) {
  return std::make_unique<LocalPlatform>(std::move(settings));
}

}  // namespace krypton::platform
