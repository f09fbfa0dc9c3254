#include "cli/up/screen.h"

#include <algorithm>
#include <sstream>

#include "cli/printable.h"
#include "cli/rows.h"
#include "cli/table.h"
#include "common/config/utf8.h"
#include "common/config/version.h"
#include "common/resource/manifest.h"

namespace krypton::cli {
namespace {

constexpr char kBold[] = "\x1b[1m";
constexpr char kRed[] = "\x1b[31m";
constexpr char kPlain[] = "\x1b[0m";

// At most `width` characters of `line`, without breaking one.
std::string Cut(const std::string& line, size_t width) {
  return line.substr(0, config::OffsetOfCharacter(line, width));
}

// What others say is kept from moving the cursor.
std::vector<std::string> Sentence(const std::string& text, size_t width) {
  std::string printable = Printable(text);
  std::replace(printable.begin(), printable.end(), '\n', ' ');
  return Wrap("  " + printable, width, 3);
}

// Why those that do not run do not: "default/echo: the agent exited with status 1".
template <typename Item>
void AppendTroubles(const std::vector<Item>& items, std::vector<std::string>& troubles) {
  for (const Item& item : items) {
    if (const std::string trouble = TroubleOf(item); !trouble.empty()) {
      troubles.push_back(item.metadata().namespace_() + "/" + item.metadata().name() + ": " +
                         trouble);
    }
  }
}

// What is wrong now.
std::vector<std::string> Troubles(const ScreenState& state) {
  std::vector<std::string> troubles;
  for (const v1::ManifestProblem& problem : state.problems) {
    troubles.push_back("refused: " + resource::ToString(problem));
  }
  AppendTroubles(state.agents, troubles);
  AppendTroubles(state.models, troubles);
  constexpr size_t kMost = 5;
  if (troubles.size() > kMost) troubles.resize(kMost);
  return troubles;
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
  // A sentence in as many lines as it takes, up to three.
  void AddSentence(const std::string& text, const char* color = "") {
    for (const std::string& line : Sentence(text, width_)) Add(line, color);
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

// At most `rows` of them; `what` is the word for `krypton get`.
template <typename Item>
std::string ItemTable(const std::vector<Item>& items, const Row& header, const std::string& what,
                      size_t rows, std::chrono::system_clock::time_point now) {
  Table table(header);
  for (size_t i = 0; i < std::min(items.size(), rows); ++i) table.Add(ToRow(items[i], now));
  std::string text = table.ToString();
  if (items.size() > rows) {
    text += "and " + std::to_string(items.size() - rows) + " more (krypton get " + what + ")\n";
  }
  return text;
}

// The agents, and the models where there are some: as many as `room` lines hold, at least one each.
void AddResources(const ScreenState& state, size_t room, std::chrono::system_clock::time_point now,
                  Lines& lines) {
  // A table has a header, and perhaps a line of how many more there are.
  const size_t for_models =
      state.models.empty() ? 0 : std::min(state.models.size(), room > 8 ? room / 2 - 3 : 1);
  const size_t taken = state.models.empty() ? 0 : for_models + 3;
  const size_t for_agents = room > taken + 2 ? room - taken - 2 : 1;
  if (state.agents.empty()) {
    lines.Add("  No agents yet.");
  } else {
    lines.AddTable(ItemTable(state.agents, AgentHeader(), "agents", for_agents, now));
  }
  if (state.models.empty()) return;
  lines.Add("");
  lines.AddTable(ItemTable(state.models, ModelHeader(), "models", for_models, now));
}

// As many of the latest as there is room for.
void AddNews(const std::deque<std::string>& news, size_t width, Lines& lines) {
  size_t first = news.size();
  size_t room = lines.room();
  while (first > 0) {
    const size_t needs = Sentence(news[first - 1], width).size();
    if (needs > room) break;
    room -= needs;
    --first;
  }
  for (; first < news.size(); ++first) lines.AddSentence(news[first]);
}

}  // namespace

std::vector<std::string> ThingsToTry(const MeshAddresses& addresses,
                                     const std::vector<v1::Agent>& agents,
                                     const std::vector<v1::Model>& models) {
  std::vector<std::string> things;
  if (!agents.empty()) {
    const auto hello = std::find_if(agents.begin(), agents.end(), [](const v1::Agent& one) {
      return one.metadata().name() == "hello";
    });
    const v1::ObjectMeta& agent = (hello != agents.end() ? *hello : agents.front()).metadata();
    things.push_back("curl -i http://" + addresses.gateway.http + "/v1/agents/" +
                     agent.namespace_() + "/" + agent.name());
  }
  things.push_back("curl http://" + addresses.control_plane.http + "/v1/agents");
  things.push_back("grpcurl -plaintext " + addresses.control_plane.grpc +
                   " krypton.v1.ControlPlaneService/ListAgents");
  if (!models.empty()) things.push_back("krypton chat " + models.front().metadata().name());
  return things;
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
  const std::vector<std::string> things = ThingsToTry(state.addresses, state.agents, state.models);
  const std::vector<std::string> troubles = Troubles(state);
  size_t trouble_lines = 0;
  for (const std::string& trouble : troubles) trouble_lines += Sentence(trouble, width).size();
  // Below: what to try and two empty lines, and news, which get what is left but at least 4.
  const size_t reserved = things.size() + 2 + 4 + trouble_lines;
  AddResources(state, lines.room() > reserved ? lines.room() - reserved : 0, now, lines);
  for (const std::string& trouble : troubles) lines.AddSentence(trouble, kRed);
  lines.Add("");
  lines.Add("  Try, from another terminal:", kBold);
  for (const std::string& line : things) lines.Add("    " + line);
  lines.Add("");
  AddNews(state.news, width, lines);
  return lines.ToString();
}

}  // namespace krypton::cli
