// Where the mesh is: what the flags and the environment say, else what a running `krypton up` left
// at a well-known place, else the design's ports on this machine. Pure but for that file.
#pragma once

#include <string>

namespace krypton::config {
class Flags;
}

namespace krypton::cli {

struct Addresses {
  std::string control_plane;  // gRPC
  std::string gateway;        // HTTP
};

// Declares --control-plane and --gateway (KRYPTON_CONTROL_PLANE, KRYPTON_GATEWAY).
void AddControlPlaneFlag(config::Flags& flags, Addresses* given);
void AddGatewayFlag(config::Flags& flags, Addresses* given);

// The folder of `krypton up` on this machine for this user: $XDG_RUNTIME_DIR/krypton, else
// ~/.cache/krypton/run. May not exist.
std::string RunFolder();
// Where in it `krypton up` keeps the state of a mesh over this folder of manifests, an absolute
// path: two clones of one project do not share the agents of one name.
std::string StateFolderOf(const std::string& manifests);
// What `krypton up` writes into the run folder while it runs.
std::string WellKnownReadyFile();

// What `ready_file` says; empty of what does not run any more.
Addresses RunningMesh(const std::string& ready_file);
// Fills what `given` leaves empty.
Addresses FindAddresses(const Addresses& given, const std::string& ready_file);

}  // namespace krypton::cli
