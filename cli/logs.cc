#include "cli/logs.h"

#include <grpcpp/grpcpp.h>

#include <cstdio>

#include "cli/command.h"
#include "cli/control_plane.h"
#include "cli/target.h"
#include "common/config/flags.h"

namespace krypton::cli {

void AddLogs(config::Flags& flags, LogsOptions* options) {
  flags.AddPositional(&options->target, "NAMESPACE/NAME", "the agent or model");
  flags.Add(&options->follow, "follow,f", "go on with what is printed from now on");
  flags.Add(&options->tail, "tail", "lines of the past for each replica, at most 10000", "LINES");
  flags.Add(&options->instance, "instance", "only this replica (krypton get endpoints names them)",
            "ID");
  flags.Add(&options->prefix, "prefix", "begin each line with its replica");
  AddControlPlaneFlag(flags, &options->addresses);
  rpc::AddTlsFlags(flags, &options->tls);
}

int RunLogs(const LogsOptions& options) {
  const auto target = ParseTarget(options.target);
  if (!target.ok()) return Fail(target.status());
  const Addresses found = FindAddresses(options.addresses, WellKnownReadyFile());
  const auto control_plane = ControlPlane::Connect(found.control_plane, options.tls);
  if (!control_plane.ok()) return Fail(control_plane.status());

  v1::ReadAgentLogsRequest request;
  request.set_namespace_(target->agent_namespace);
  request.set_name(target->name);
  request.set_follow(options.follow);
  request.set_tail_lines(options.tail);
  request.set_instance(options.instance);
  grpc::ClientContext context;
  const auto stream = control_plane->stub().ReadAgentLogs(&context, request);
  v1::ReadAgentLogsResponse response;
  while (stream->Read(&response)) {
    if (!response.notice().empty()) fprintf(stderr, "krypton: %s\n", response.notice().c_str());
    std::string text;
    for (const std::string& line : response.lines()) {
      if (options.prefix) text += response.instance() + " | ";
      text += line + "\n";
    }
    if (!Print(text)) return kOk;
  }
  return Fail(control_plane->Explain(stream->Finish()));
}

}  // namespace krypton::cli
