// The live screen of `krypton up`, as text. Pure.
#pragma once

#include <chrono>
#include <deque>
#include <string>
#include <vector>

#include "cli/up/addresses.h"
#include "cli/up/mesh.h"
#include "cli/up/watch.h"

namespace krypton::cli {

struct ScreenState {
  MeshAddresses addresses;
  std::vector<Mesh::ComponentState> components;
  std::vector<v1::Agent> agents;
  std::vector<v1::Model> models;
  std::vector<v1::ManifestProblem> problems;
  std::deque<std::string> news;  // Oldest first.
  std::string state_dir;
};

// Three commands to try, for the agents that there are, and one more for the models.
std::vector<std::string> ThingsToTry(const MeshAddresses& addresses,
                                     const std::vector<v1::Agent>& agents,
                                     const std::vector<v1::Model>& models);

// At most `height` lines of at most `width` characters, each ended by "\x1b[K\n" so that it
// replaces what stood there. What is wrong now stands below the tables until it is right. What is
// cut when there is no room: the oldest news first, then models and agents.
std::string RenderScreen(const ScreenState& state, size_t width, size_t height,
                         std::chrono::system_clock::time_point now);

}  // namespace krypton::cli
