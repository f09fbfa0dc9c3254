#include "manager/platform/local/local_replica.h"

#include <sys/random.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "common/config/duration.h"
#include "common/config/utf8.h"
#include "common/log/log.h"
#include "fmt/format.h"
#include "manager/platform/local/launch.h"

namespace krypton::platform {
namespace {

constexpr auto kNever = Loop::Clock::time_point::max();
constexpr std::chrono::milliseconds kProbeTimeout(1000);
// Beyond what a supervisor needs at most, before it counts as stuck itself.
constexpr std::chrono::seconds kStuckAfter(5);
// The kill reaches a supervisor that lives in no time.
constexpr std::chrono::seconds kKillTime(5);

std::string RandomHex(size_t bytes) {
  std::string hex;
  unsigned char random[32];
  [[maybe_unused]] const ssize_t got = getrandom(random, bytes, 0);
  for (size_t i = 0; i < bytes; ++i) hex += fmt::format("{:02x}", random[i]);
  return hex;
}

// The last line of a log, which often says why; or nothing.
std::string LastWords(const std::string& log) {
  const auto text = ReadFile(log, 64 << 20);
  if (!text.ok()) return "";
  const size_t end = text->find_last_not_of("\r\n ");
  if (end == std::string::npos) return "";
  const size_t before = text->rfind('\n', end);
  const size_t begin = before == std::string::npos ? 0 : before + 1;
  std::string line = config::CutUtf8(text->substr(begin, end + 1 - begin), 200);
  if (config::FindInvalidUtf8(line) != std::string::npos) return "";
  return line;
}

std::string Join(std::string what, const std::string& last_line) {
  return last_line.empty() ? what : std::move(what) + "; its last line: " + last_line;
}

}  // namespace

LocalReplica::LocalReplica(const LocalContext& context, const resource::Resource& resource,
                           std::string process_template, Past past, Events events)
    : context_(context),
      events_(std::move(events)),
      failure_before_(std::move(past.failure)),
      startup_timeout_(resource.startup_timeout()) {
  record_.instance = RandomHex(12);
  record_.key = resource.key();
  record_.uid = resource.metadata().uid();
  record_.generation = resource.generation();
  record_.restarts = past.restarts;
  record_.start_time = std::chrono::system_clock::now();
  record_.process_template = std::move(process_template);
  record_.grace = GraceOf(resource, context.settings);
}

LocalReplica::LocalReplica(const LocalContext& context, ReplicaRecord record,
                           std::unique_ptr<SupervisorLink> link,
                           std::chrono::nanoseconds startup_timeout, Events events)
    : context_(context),
      record_(std::move(record)),
      events_(std::move(events)),
      adopted_(true),
      started_(true),
      startup_timeout_(startup_timeout) {
  if (link == nullptr) return;
  deadline_ = Loop::Clock::now() + startup_timeout_;
  Attach(std::move(link));
}

void LocalReplica::Start(const resource::Resource& resource, const std::string& work_folder) {
  started_ = true;
  const absl::Status status = TryStart(resource, work_folder);
  if (!status.ok()) return FailToStart(std::string(status.message()));
  deadline_ = Loop::Clock::now() + startup_timeout_;
}

// Said in its log too: who asks for that wants to know just this.
void LocalReplica::FailToStart(const std::string& why) {
  log::Warn(
      "replica cannot be started",
      {{resource::KindWord(record_.key.kind()), resource::ToString(record_.key)}, {"reason", why}});
  const absl::Status noted = WriteFileAtomically(folder() + "/agent.log", "krypton: " + why + "\n");
  if (!noted.ok()) log::Debug("replica's log cannot be written", {{"reason", noted}});
  Fail("cannot be started: " + why);
}

void LocalReplica::Promote(int64_t generation) {
  if (record_.generation == generation) return;
  record_.generation = generation;
  const absl::Status written = WriteFileAtomically(folder() + "/replica.json", ToJson(record_));
  if (!written.ok()) {
    log::Warn("replica's record cannot be written",
              {{"instance", record_.instance}, {"reason", std::string(written.message())}});
  }
  events_.on_change();
}

absl::Status LocalReplica::MakeFolder() const {
  if (mkdir(folder().c_str(), 0700) == 0) return absl::OkStatus();
  if (errno != ENOENT) return ErrnoStatus("making", folder());
  // Somebody removed the state folder while we run.
  absl::Status status = EnsureWritableFolder(context_.settings.state_dir + "/replicas");
  if (status.ok() && mkdir(folder().c_str(), 0700) != 0) status = ErrnoStatus("making", folder());
  return status;
}

absl::Status LocalReplica::TryStart(const resource::Resource& resource,
                                    const std::string& work_folder) {
  if (absl::Status status = MakeFolder(); !status.ok()) return status;
  const auto port = context_.ports.Pick();
  if (!port.ok()) return port.status();
  record_.agent_port = port->number;
  const Launch launch{resource, record_,       work_folder,
                      folder(), RandomHex(24), context_.environment};
  if (absl::Status status = CheckNeeds(launch, context_.settings); !status.ok()) return status;
  auto link = SupervisorLink::Start(context_.loop, context_.settings.supervisor_binary, folder(),
                                    SupervisorSpec(launch, context_.settings), port->reservation);
  if (!link.ok()) return link.status();
  record_.supervisor = (*link)->supervisor();
  Attach(*std::move(link));
  absl::Status written = WriteFileAtomically(folder() + "/replica.json", ToJson(record_));
  // Without a record the next manager could not adopt it.
  if (!written.ok()) link_->Kill();
  return written;
}

void LocalReplica::Attach(std::unique_ptr<SupervisorLink> link) {
  link_ = std::move(link);
  SupervisorLink::Events events;
  events.on_hello = [this](bool ready, bool ending) {
    if (ending && phase_ != ReplicaPhase::kFailed) MarkDraining();
    if (ready && phase_ == ReplicaPhase::kStarting) SetPhase(ReplicaPhase::kRunning);
    log::Info(adopted_ ? "replica adopted" : "replica started",
              {{resource::KindWord(record_.key.kind()), resource::ToString(record_.key)},
               {"instance", record_.instance},
               {"generation", record_.generation},
               {"pid", link_->agent_pid()},
               {"port", record_.agent_port}});
    events_.on_change();
  };
  events.on_failure = [this](const std::string& who, const std::string& what) {
    Fail(what, LastWords(folder() + "/" + who + ".log"));
  };
  events.on_gone = [this] { OnGone(); };
  link_->Listen(std::move(events));
}

void LocalReplica::SetPhase(ReplicaPhase phase) {
  phase_ = phase;
  switch (phase) {
    case ReplicaPhase::kStarting:
      deadline_ = Loop::Clock::now() + startup_timeout_;
      break;
    case ReplicaPhase::kRunning:
      message_.clear();
      deadline_ = kNever;
      if (link_ != nullptr) link_->NoteReady();
      break;
    case ReplicaPhase::kDraining:
      deadline_ =
          Loop::Clock::now() + record_.grace + 2 * context_.settings.stop_timeout + kStuckAfter;
      break;
    case ReplicaPhase::kFailed:
      deadline_ = Loop::Clock::now() + 2 * context_.settings.stop_timeout + kStuckAfter;
      break;
  }
}

void LocalReplica::OnState(v1::EndpointState state) {
  probe_.reset();
  const bool ready = state == v1::ENDPOINT_STATE_READY;
  if (ready && phase_ == ReplicaPhase::kStarting) {
    SetPhase(ReplicaPhase::kRunning);
    events_.on_change();
  } else if (!ready && phase_ == ReplicaPhase::kRunning) {
    SetPhase(ReplicaPhase::kStarting);
    message_ = "the agent's port is not open";
    events_.on_change();
  }
}

void LocalReplica::Confirm() {
  if (phase_ != ReplicaPhase::kRunning && phase_ != ReplicaPhase::kStarting) return;
  if (link_ == nullptr) return;
  // What a probe under way has heard may be older than the reason for this one.
  confirm_again_ = probe_ != nullptr;
  if (probe_ != nullptr) return;
  probe_ = std::make_unique<Probe>(context_.loop, folder(), kProbeTimeout, [this](bool ready) {
    const std::unique_ptr<Probe> done = std::move(probe_);
    if (!ready && phase_ == ReplicaPhase::kRunning) {
      SetPhase(ReplicaPhase::kStarting);
      message_ = "its sidecar does not answer";
    } else if (ready && phase_ == ReplicaPhase::kStarting) {
      SetPhase(ReplicaPhase::kRunning);
    }
    events_.on_change();
    if (confirm_again_) Confirm();
  });
}

void LocalReplica::MarkDraining() {
  if (phase_ == ReplicaPhase::kDraining) return;
  SetPhase(ReplicaPhase::kDraining);
  message_.clear();
  last_line_.clear();
}

void LocalReplica::Drain() {
  if (link_ != nullptr) link_->Drain(record_.grace);
}

void LocalReplica::Kill(const std::string& why) {
  if (link_ != nullptr) link_->Kill();
  if (!why.empty()) Fail(why);
  deadline_ = std::min(deadline_, Loop::Clock::now() + kKillTime);
}

void LocalReplica::OnDeadline() {
  deadline_ = kNever;
  if (phase_ == ReplicaPhase::kStarting) {
    const std::string why =
        message_.empty() ? fmt::format("nothing listens on its $PORT, {}", record_.agent_port)
                         : message_;
    return Kill(fmt::format("did not become ready within {}: {}",
                            config::FormatDuration(startup_timeout_), why));
  }
  if (link_ == nullptr || phase_ == ReplicaPhase::kRunning) return;
  log::Warn("supervisor does not react and is ended",
            {{"instance", record_.instance}, {"pid", record_.supervisor.pid}});
  link_->KillSupervisor();
  KillByInstance({record_.instance});
}

void LocalReplica::Fail(const std::string& why, std::string last_line) {
  // While it is being ended, its end is no failure; and the first one counts.
  if (phase_ == ReplicaPhase::kDraining || phase_ == ReplicaPhase::kFailed) return;
  SetPhase(ReplicaPhase::kFailed);
  message_ = why;
  last_line_ = std::move(last_line);
  probe_.reset();
  log::Debug("replica failed",
             {{resource::KindWord(record_.key.kind()), resource::ToString(record_.key)},
              {"instance", record_.instance},
              {"reason", why}});
  events_.on_failed();
}

void LocalReplica::OnGone() {
  // What its supervisor could not end any more.
  if (link_->ended_abnormally()) KillByInstance({record_.instance});
  link_.reset();
  probe_.reset();
  deadline_ = kNever;
  Fail("its supervisor was ended");
  events_.on_gone();
}

LocalReplica::Past LocalReplica::AsPast() const {
  return {record_.restarts + 1, Join(message_, last_line_)};
}

Replica LocalReplica::Report() const {
  Replica replica;
  replica.instance = record_.instance;
  replica.generation = record_.generation;
  replica.address = "127.0.0.1";
  replica.phase = phase_;
  replica.message = message_;
  replica.start_time = record_.start_time;
  replica.restarts = record_.restarts;
  if (link_ != nullptr && link_->agent_pid() > 0) replica.ref = std::to_string(link_->agent_pid());
  if (phase_ == ReplicaPhase::kFailed && retry_after_.has_value()) {
    replica.message += fmt::format(", is started again after {} s", retry_after_->count());
  }
  replica.message = Join(std::move(replica.message), last_line_);
  if (replica.message.empty() && phase_ == ReplicaPhase::kStarting && !failure_before_.empty()) {
    replica.message = "is tried again; before it, " + failure_before_;
  }
  return replica;
}

}  // namespace krypton::platform
