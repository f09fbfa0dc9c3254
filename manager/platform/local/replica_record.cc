#include "manager/platform/local/replica_record.h"

#include <boost/json.hpp>

#include "common/resource/words.h"

namespace krypton::platform {
namespace {

namespace json = boost::json;

json::object ToObject(const ReplicaRecord& r) {
  const auto started =
      std::chrono::duration_cast<std::chrono::milliseconds>(r.start_time.time_since_epoch());
  return {{"instance", r.instance},
          {"kind", json::string_view(resource::Word(r.key.kind()))},
          {"namespace", r.key.namespace_()},
          {"name", r.key.name()},
          {"uid", r.uid},
          {"generation", r.generation},
          {"template", r.process_template},
          {"agentPort", r.agent_port},
          {"startedMs", started.count()},
          {"restarts", r.restarts},
          {"graceMs", r.grace.count()},
          {"supervisorPid", r.supervisor.pid},
          {"supervisorStartTicks", r.supervisor.start_ticks}};
}

}  // namespace

std::string ToJson(const ReplicaRecord& record) { return json::serialize(ToObject(record)) + "\n"; }

absl::StatusOr<ReplicaRecord> ReplicaRecordFromJson(const std::string& text) {
  json::error_code error;
  const json::value value = json::parse(text, error);
  if (error.failed() || !value.is_object()) {
    return absl::InvalidArgumentError("a replica's record is not JSON");
  }
  const json::object& object = value.get_object();
  bool complete = true;
  const auto word = [&](const char* name) -> std::string {
    const json::value* field = object.if_contains(name);
    complete = complete && field != nullptr && field->is_string();
    return complete ? std::string(field->get_string()) : std::string();
  };
  const auto number = [&](const char* name) -> int64_t {
    const json::value* field = object.if_contains(name);
    complete = complete && field != nullptr && field->is_number();
    return complete ? field->to_number<int64_t>(error) : 0;
  };
  ReplicaRecord r;
  r.instance = word("instance");
  r.key.set_kind(
      resource::FromWord<v1::ResourceKind>(word("kind")).value_or(v1::RESOURCE_KIND_UNSPECIFIED));
  r.key.set_namespace_(word("namespace"));
  r.key.set_name(word("name"));
  r.uid = word("uid");
  r.generation = number("generation");
  r.process_template = word("template");
  r.agent_port = static_cast<int>(number("agentPort"));
  r.start_time =
      std::chrono::system_clock::time_point(std::chrono::milliseconds(number("startedMs")));
  r.restarts = static_cast<int>(number("restarts"));
  r.grace = std::chrono::milliseconds(number("graceMs"));
  r.supervisor.pid = static_cast<pid_t>(number("supervisorPid"));
  r.supervisor.start_ticks = static_cast<uint64_t>(number("supervisorStartTicks"));
  if (!complete || error.failed() || r.key.kind() == v1::RESOURCE_KIND_UNSPECIFIED) {
    return absl::InvalidArgumentError("a replica's record lacks a field");
  }
  return r;
}

}  // namespace krypton::platform
