#include "cli/get.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <thread>

#include "cli/command.h"
#include "cli/control_plane.h"
#include "cli/rows.h"
#include "cli/table.h"
#include "cli/yaml.h"
#include "common/config/flags.h"
#include "common/config/suggest.h"
#include "common/resource/manifest.h"
#include "common/rpc/backoff.h"
#include "common/rpc/channel.h"
#include "common/transcode/json_printer.h"

namespace krypton::cli {
namespace {

constexpr std::chrono::seconds kPollInterval{1};

std::string KeyOf(const v1::ObjectMeta& metadata) {
  return metadata.namespace_() + "/" + metadata.name();
}
std::string KeyOf(const v1::Agent& agent) { return KeyOf(agent.metadata()); }
std::string KeyOf(const v1::Model& model) { return KeyOf(model.metadata()); }
std::string KeyOf(const v1::EndpointItem& item) { return resource::ToString(item.key()); }

// One document of `-o json|yaml`.
absl::StatusOr<std::string> Render(const std::string& json, const std::string& output) {
  return output == "yaml" ? JsonToYaml(json) : PrettyJson(json);
}

template <typename Item>
absl::StatusOr<std::string> ListDocument(const std::vector<Item>& items,
                                         const std::string& output) {
  std::string json = "{\"items\":[";
  for (const Item& item : items) {
    const auto one = transcode::PrintJson(item);
    if (!one.ok()) return one.status();
    json += (json.back() == '[' ? "" : ",") + *one;
  }
  return Render(json + "]}", output);
}

// Refused manifests do not stand in the lists, so they are told beside them.
void PrintProblems(const ControlPlane& control_plane) {
  const auto problems = control_plane.Problems();
  if (!problems.ok()) return (void)Fail(problems.status());
  if (problems->empty()) return;
  fprintf(stderr, "\nRefused manifests (the last good version of each goes on):\n");
  for (const auto& problem : *problems) {
    fprintf(stderr, "  %s\n", resource::ToString(problem).c_str());
  }
}

// What does not run, and why; beside the table, as refused manifests are.
template <typename Item>
void PrintTroubles(const std::vector<Item>& items) {
  bool first = true;
  for (const Item& item : items) {
    const std::string trouble = TroubleOf(item);
    if (trouble.empty()) continue;
    if (std::exchange(first, false)) fprintf(stderr, "\nNot available:\n");
    fprintf(stderr, "  %s: %s\n", KeyOf(item).c_str(), trouble.c_str());
  }
}

// Nothing has the name that was asked for.
absl::Status Missing(const ControlPlane& control_plane, const GetOptions& options) {
  const std::string name =
      options.name_space.empty() ? options.name : options.name_space + "/" + options.name;
  const std::string where = name + " was not found at the control plane " + control_plane.address();
  if (options.what == "endpoints") {
    return absl::NotFoundError("an agent or model " + where +
                               "; 'krypton get agents' and 'krypton get models' list them");
  }
  return absl::NotFoundError(options.what.substr(0, options.what.size() - 1) + " " + where +
                             "; 'krypton get " + options.what + "' lists them");
}

template <typename Item>
int PrintOnce(const ControlPlane& control_plane, const std::vector<Item>& items, const Row& header,
              const GetOptions& options) {
  if (options.output != "table") {
    const auto document = ListDocument(items, options.output);
    if (!document.ok()) return Fail(document.status());
    return Print(*document) ? kOk : kFailed;
  }
  if (items.empty()) {
    fprintf(stderr, "No %s found at the control plane %s.\n", options.what.c_str(),
            control_plane.address().c_str());
    return kOk;
  }
  Table table(header);
  for (const Item& item : items) table.Add(ToRow(item, std::chrono::system_clock::now()));
  if (!Print(table.ToString())) return kFailed;
  PrintTroubles(items);
  return kOk;
}

// Prints each change of a watch: a row under the widths so far, or a document. What comes before
// Begin is the first table.
template <typename Item>
class ChangePrinter {
 public:
  ChangePrinter(const Row& header, const GetOptions& options)
      : table_(header), output_(options.output) {}

  // `deleted` rows say so in place of their phase. Nothing is printed when the row of `key` is as
  // it was. False when nobody reads any more.
  bool Show(const std::string& key, const Item& item, bool deleted) {
    if (output_ != "table") return ShowDocument(key, item);
    Row row = ToRow(item, std::chrono::system_clock::now());
    if (deleted) row.at(5) = "Deleted";
    std::string shown;
    for (size_t i = 0; i < row.size(); ++i) shown += IsAge(i) ? "" : row[i] + "\n";
    if (std::exchange(shown_[key], shown) == shown) return true;
    if (begun_) return Print(table_.Line(row));
    table_.Add(std::move(row));
    return true;
  }
  // Nothing has been shown yet.
  bool empty() const { return shown_.empty(); }
  bool Begin() {
    if (std::exchange(begun_, true) || output_ != "table") return true;
    return Print(table_.ToString());
  }

 private:
  bool ShowDocument(const std::string& key, const Item& item) {
    const auto json = transcode::PrintJson(item);
    const auto document = json.ok() ? Render(*json, output_) : json.status();
    if (!document.ok()) return Fail(document.status()) == kOk;
    if (std::exchange(shown_[key], *document) == *document) return true;
    return Print((output_ == "yaml" ? "---\n" : "") + *document);
  }
  bool IsAge(size_t column) const { return table_.header().at(column) == "AGE"; }

  Table table_;
  const std::string output_;
  std::map<std::string, std::string> shown_;
  bool begun_ = false;
};

// Watches until nobody reads: `open` starts the stream, `item` picks what changed.
template <typename Item, typename Response, typename Request, typename Open, typename Pick>
int Watch(const ControlPlane& control_plane, const Row& header, const GetOptions& options,
          const Request& request, Open open, Pick pick) {
  ChangePrinter<Item> printer(header, options);
  rpc::Backoff backoff;
  bool connected = false;
  while (true) {
    grpc::ClientContext context;
    const auto stream = open(&context, request);
    Response response;
    while (stream->Read(&response)) {
      connected = true;
      backoff.Reset();
      const Item& item = pick(response);
      const bool synced = response.type() == v1::CHANGE_TYPE_SYNCED;
      if (synced && !options.name.empty() && printer.empty()) {
        context.TryCancel();
        return Fail(Missing(control_plane, options));
      }
      const bool read =
          synced ? printer.Begin()
                 : printer.Show(KeyOf(item), item, response.type() == v1::CHANGE_TYPE_DELETED);
      if (!read) return kOk;
    }
    const absl::Status status = control_plane.Explain(stream->Finish());
    if (!connected && !status.ok()) return Fail(status);
    if (!status.ok()) Fail(status);
    std::this_thread::sleep_for(backoff.Next());
  }
}

int GetAgents(const ControlPlane& control_plane, const GetOptions& options) {
  if (options.watch) {
    v1::WatchAgentsRequest request;
    request.set_namespace_(options.name_space);
    request.set_name(options.name);
    return Watch<v1::Agent, v1::WatchAgentsResponse>(
        control_plane, AgentHeader(), options, request,
        [&](auto* context, const auto& asked) {
          return control_plane.stub().WatchAgents(context, asked);
        },
        [](const auto& response) -> const v1::Agent& { return response.agent(); });
  }
  auto agents = control_plane.Agents(options.name_space);
  if (!agents.ok()) return Fail(agents.status());
  if (!options.name.empty()) {
    std::erase_if(*agents,
                  [&](const auto& agent) { return agent.metadata().name() != options.name; });
    if (agents->empty()) return Fail(Missing(control_plane, options));
  }
  return PrintOnce(control_plane, *agents, AgentHeader(), options);
}

int GetModels(const ControlPlane& control_plane, const GetOptions& options) {
  if (options.watch) {
    v1::WatchModelsRequest request;
    request.set_namespace_(options.name_space);
    request.set_name(options.name);
    return Watch<v1::Model, v1::WatchModelsResponse>(
        control_plane, ModelHeader(), options, request,
        [&](auto* context, const auto& asked) {
          return control_plane.stub().WatchModels(context, asked);
        },
        [](const auto& response) -> const v1::Model& { return response.model(); });
  }
  auto models = control_plane.Models(options.name_space);
  if (!models.ok()) return Fail(models.status());
  if (!options.name.empty()) {
    std::erase_if(*models,
                  [&](const auto& model) { return model.metadata().name() != options.name; });
    if (models->empty()) return Fail(Missing(control_plane, options));
  }
  return PrintOnce(control_plane, *models, ModelHeader(), options);
}

absl::StatusOr<std::vector<v1::EndpointItem>> Endpoints(const ControlPlane& control_plane,
                                                        const GetOptions& options) {
  auto items = control_plane.Endpoints(options.name_space);
  if (items.ok() && !options.name.empty()) {
    std::erase_if(*items, [&](const auto& item) { return item.key().name() != options.name; });
  }
  return items;
}

// The API has no watch for endpoints: asks each second, and prints what is new.
int WatchEndpoints(const ControlPlane& control_plane, const GetOptions& options) {
  ChangePrinter<v1::EndpointItem> printer(EndpointHeader(), options);
  std::map<std::string, v1::EndpointItem> before;
  bool connected = false;
  while (true) {
    const auto items = Endpoints(control_plane, options);
    if (!items.ok()) {
      Fail(items.status());
      if (!connected) return kFailed;
    } else {
      connected = true;
      std::map<std::string, v1::EndpointItem> now;
      for (const auto& item : *items) now[item.endpoint().instance()] = item;
      for (const auto& [instance, item] : now) {
        if (!printer.Show(instance, item, false)) return kOk;
      }
      for (const auto& [instance, item] : before) {
        if (now.count(instance) == 0 && !printer.Show(instance, item, true)) return kOk;
      }
      if (!printer.Begin()) return kOk;
      before = std::move(now);
    }
    std::this_thread::sleep_for(kPollInterval);
  }
}

// OK where an agent or a model has the name whose endpoints are asked for: one that sleeps has
// none.
absl::Status CheckNamed(const ControlPlane& control_plane, const GetOptions& options) {
  if (options.name.empty()) return absl::OkStatus();
  const auto has_name = [&](const auto& item) { return item.metadata().name() == options.name; };
  const auto agents = control_plane.Agents(options.name_space);
  if (!agents.ok()) return agents.status();
  if (std::any_of(agents->begin(), agents->end(), has_name)) return absl::OkStatus();
  const auto models = control_plane.Models(options.name_space);
  if (!models.ok()) return models.status();
  if (std::any_of(models->begin(), models->end(), has_name)) return absl::OkStatus();
  return Missing(control_plane, options);
}

int GetEndpoints(const ControlPlane& control_plane, const GetOptions& options) {
  const absl::Status named = CheckNamed(control_plane, options);
  if (!named.ok()) return Fail(named);
  if (options.watch) return WatchEndpoints(control_plane, options);
  const auto items = Endpoints(control_plane, options);
  if (!items.ok()) return Fail(items.status());
  return PrintOnce(control_plane, *items, EndpointHeader(), options);
}

}  // namespace

void AddGet(config::Flags& flags, GetOptions* options) {
  flags.AddPositional(&options->what, "WHAT", "agents, models or endpoints");
  flags.AddPositional(&options->name, "NAME",
                      "only this one: NAME or NAMESPACE/NAME; one that there is not is an error",
                      false);
  flags.Add(&options->name_space, "namespace,n", "only this namespace; all without it",
            "NAMESPACE");
  flags.AddChoice(&options->output, "output,o", {"table", "json", "yaml"}, "how it is printed");
  flags.Add(&options->watch, "watch,w", "go on, and print each change");
  AddControlPlaneFlag(flags, &options->addresses);
  rpc::AddTlsFlags(flags, &options->tls);
}

int RunGet(GetOptions options) {
  using Command = int (*)(const ControlPlane&, const GetOptions&);
  const std::map<std::string, Command> commands = {
      {"agents", GetAgents}, {"agent", GetAgents},        {"models", GetModels},
      {"model", GetModels},  {"endpoints", GetEndpoints}, {"endpoint", GetEndpoints},
  };
  const auto command = commands.find(options.what);
  if (command == commands.end()) {
    return Fail(absl::InvalidArgumentError(
        "cannot get \"" + options.what + "\": agents, models or endpoints" +
        config::DidYouMean(options.what, {"agents", "models", "endpoints"})));
  }
  if (!options.what.ends_with('s')) options.what += 's';
  if (const size_t slash = options.name.find('/'); slash != std::string::npos) {
    options.name_space = options.name.substr(0, slash);
    options.name = options.name.substr(slash + 1);
  }
  const Addresses found = FindAddresses(options.addresses, WellKnownReadyFile());
  const auto control_plane = ControlPlane::Connect(found.control_plane, options.tls);
  if (!control_plane.ok()) return Fail(control_plane.status());
  const int status = command->second(*control_plane, options);
  // A manifest that was refused may be why there is none of that name.
  if (options.output == "table" && !options.watch) PrintProblems(*control_plane);
  return status;
}

}  // namespace krypton::cli
