#include "manager/platform/local/flags.h"

#include "common/config/flags.h"

namespace krypton::platform {

void AddLocalFlags(config::Flags& flags, LocalSettings* settings) {
  flags.Add(&settings->manifests, "manifests",
            "folders of manifests (*.yaml, *.yml), or single files; watched", "PATH,...");
  flags.Add(&settings->state_dir, "state-dir",
            "folder for what survives a restart: identities, replicas, logs", "DIR");
  flags.Add(&settings->proxy_binary, "proxy-binary", "the sidecar's program", "PATH");
  flags.Add(&settings->supervisor_binary, "supervisor-binary",
            "the program behind each local replica", "PATH");
  flags.Add(&settings->gateway_url, "gateway-url",
            "where agents are called from outside: KRYPTON_PUBLIC_URL begins with it", "URL");
  flags.Add(&settings->orphan_timeout, "orphan-timeout",
            "how long replicas go on without a manager, before they drain and end");
  flags.Add(&settings->max_drain, "max-drain-time",
            "the longest that a replica may take to drain, whatever its spec.timeout says");
  flags.Add(&settings->replica_log_bytes, "replica-log-bytes",
            "of one log file of a replica; the one before it is kept beside");
}

}  // namespace krypton::platform
