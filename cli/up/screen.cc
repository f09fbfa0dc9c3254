#include "cli/up/screen.h"

#include <algorithm>
#include <sstream>

#include "cli/rows.h"
#include "cli/table.h"
#include "common/config/version.h"
#include "common/resource/manifest.h"

namespace krypton::cli {
namespace {

constexpr char kBold[] = "\x1b[1m";
constexpr char kRed[] = "\x1b[31m";
constexpr char kPlain[] = "\x1b[0m";

// At most `width` characters of `line`, without breaking one.
std::string Cut(const std::string& line, size_t width) {
  if (Width(line) <= width) return line;
  size_t characters = 0;
  size_t bytes = 0;
  while (bytes < line.size()) {
    if ((static_cast<unsigned char>(line[bytes]) & 0xC0) != 0x80 && ++characters > width) break;
    ++bytes;
  }
  return line.substr(0, bytes);
}

// Lines with their colours, cut to the terminal.
class Lines {
 public:
  Lines(size_t width, size_t height) : width_(width), height_(height) {}

  void Add(const std::string& line, const char* color = "") {
    if (lines_.size() < height_) {
      const std::string cut = Cut(line, width_);
      lines_.push_back(*color != '\0' ? color + cut + kPlain : cut);
    }
  }
  // The lines of `text`; the first one bold.
  void AddTable(const std::string& text) {
    std::istringstream in(text);
    bool first = true;
    for (std::string line; std::getline(in, line); first = false) {
      Add("  " + line, first ? kBold : "");
    }
  }
  size_t room() const { return height_ - lines_.size(); }
  std::string ToString() const {
    std::string text;
    for (const std::string& line : lines_) text += line + "\x1b[K\n";
    return text;
  }

 private:
  const size_t width_;
  const size_t height_;
  std::vector<std::string> lines_;
};

std::string ComponentTable(const std::vector<Mesh::ComponentState>& components) {
  Table table({"COMPONENT", "HTTP", "GRPC", "OPS", "PID", "STATE"});
  for (const auto& component : components) {
    const ComponentAddresses& at = *component.addresses;
    table.Add({at.name == "control_plane" ? "control plane" : at.name,
               at.http.empty() ? "-" : at.http, at.grpc, at.ops, std::to_string(component.pid),
               component.state});
  }
  return table.ToString();
}

std::string AgentTable(const std::vector<v1::Agent>& agents, size_t rows,
                       std::chrono::system_clock::time_point now) {
  Table table(AgentHeader());
  for (size_t i = 0; i < std::min(agents.size(), rows); ++i) table.Add(ToRow(agents[i], now));
  std::string text = table.ToString();
  if (agents.size() > rows) {
    text += "and " + std::to_string(agents.size() - rows) + " more (krypton get agents)\n";
  }
  return text;
}

}  // namespace

std::vector<std::string> ThingsToTry(const MeshAddresses& addresses,
                                     const std::vector<v1::Agent>& agents) {
  std::string agent = "default/hello";
  const auto is_hello = [](const v1::Agent& one) { return one.metadata().name() == "hello"; };
  if (!agents.empty() && std::none_of(agents.begin(), agents.end(), is_hello)) {
    agent = agents.front().metadata().namespace_() + "/" + agents.front().metadata().name();
  }
  return {"curl -i http://" + addresses.gateway.http + "/v1/agents/" + agent,
          "curl http://" + addresses.control_plane.http + "/v1/agents",
          "grpcurl -plaintext " + addresses.control_plane.grpc +
              " krypton.v1.ControlPlaneService/ListAgents"};
}

std::string RenderScreen(const ScreenState& state, size_t width, size_t height,
                         std::chrono::system_clock::time_point now) {
  Lines lines(width, height);
  lines.Add("Krypton " + std::string(config::Version()) + ", state in " + state.state_dir +
                ". Ctrl-C ends everything.",
            kBold);
  lines.Add("");
  lines.AddTable(ComponentTable(state.components));
  lines.Add("");
  // Below the agents: what to try (5 lines), and news, which get what is left but at least 4.
  const size_t reserved = 5 + 4 + std::min<size_t>(state.problems.size(), 5);
  const size_t rows = lines.room() > reserved + 2 ? lines.room() - reserved - 2 : 1;
  if (state.agents.empty()) {
    lines.Add("  No agents yet.");
  } else {
    lines.AddTable(AgentTable(state.agents, rows, now));
  }
  for (size_t i = 0; i < std::min<size_t>(state.problems.size(), 5); ++i) {
    lines.Add("  refused: " + resource::ToString(state.problems[i]), kRed);
  }
  lines.Add("");
  lines.Add("  Try, from another terminal:", kBold);
  for (const std::string& line : ThingsToTry(state.addresses, state.agents)) {
    lines.Add("    " + line);
  }
  lines.Add("");
  const size_t shown = std::min(state.news.size(), lines.room());
  for (size_t i = state.news.size() - shown; i < state.news.size(); ++i) {
    lines.Add("  " + state.news[i]);
  }
  return lines.ToString();
}

}  // namespace krypton::cli
