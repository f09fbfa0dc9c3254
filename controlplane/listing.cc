#include "controlplane/listing.h"

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/rpc/status.h"

namespace krypton::controlplane {
namespace {

using registry::EntryPtr;

constexpr int kMaxPageSize = 100;
constexpr int kDefaultPageSize = 20;

struct Page {
  int page;
  int size;
};

absl::StatusOr<Page> CheckPage(int page, int page_size) {
  if (page < 0) return rpc::InvalidField("page", "page must not be negative; pages count from 1");
  absl::StatusOr<int> size = Bounded("page_size", page_size, kDefaultPageSize, kMaxPageSize);
  if (!size.ok()) return size.status();
  return Page{std::max(page, 1), *size};
}

// The items of one page: [first, last) of `total`.
std::pair<size_t, size_t> Cut(const Page& page, size_t total) {
  const size_t first = static_cast<size_t>(page.page - 1) * static_cast<size_t>(page.size);
  return {std::min(first, total), std::min(first + page.size, total)};
}

absl::Status NotOneOf(const std::string& field, const std::string& value,
                      const std::vector<std::string>& allowed) {
  return rpc::InvalidField(
      field, absl::StrCat(field, " \"", value.substr(0, 64), "\" is not known; allowed are ",
                          absl::StrJoin(allowed, ", ")));
}

template <typename Map>
std::vector<std::string> NamesOf(const Map& map) {
  std::vector<std::string> names;
  for (const auto& entry : map) names.push_back(entry.first);
  return names;
}

using Less = std::function<bool(const v1::RegistryEntry&, const v1::RegistryEntry&)>;
using Sorts = std::map<std::string, Less>;

std::pair<const std::string&, const std::string&> ByName(const v1::RegistryEntry& entry) {
  return {entry.key().name(), entry.key().namespace_()};
}

// `a` before `b` by what `of` says, then by namespace and name: an order that is the same each
// time.
template <typename Of>
Less By(Of of) {
  return [of](const v1::RegistryEntry& a, const v1::RegistryEntry& b) {
    const auto left = of(a);
    const auto right = of(b);
    if (left < right) return true;
    if (right < left) return false;
    return resource::KeyLess()(a.key(), b.key());
  };
}

std::pair<int64_t, int32_t> Time(const google::protobuf::Timestamp& time) {
  return {time.seconds(), time.nanos()};
}

const Sorts& AgentSorts() {
  static const Sorts* const kSorts =
      new Sorts{{"name", By(ByName)},
                {"namespace", By([](const auto&) { return 0; })},
                {"created",
                 By([](const auto& e) { return Time(e.agent().metadata().creation_timestamp()); })},
                {"phase", By([](const auto& e) { return e.agent().status().phase(); })},
                {"replicas", By([](const auto& e) { return e.agent().status().replicas(); })},
                {"last_invocation",
                 By([](const auto& e) { return Time(e.agent().status().last_invocation_at()); })}};
  return *kSorts;
}

const Sorts& ModelSorts() {
  static const Sorts* const kSorts =
      new Sorts{{"name", By(ByName)},
                {"namespace", By([](const auto&) { return 0; })},
                {"created",
                 By([](const auto& e) { return Time(e.model().metadata().creation_timestamp()); })},
                {"phase", By([](const auto& e) { return e.model().status().phase(); })},
                {"replicas", By([](const auto& e) { return e.model().status().replicas(); })}};
  return *kSorts;
}

// The order that the request asks for, or what is wrong with it.
absl::StatusOr<Less> ChooseOrder(const Sorts& sorts, const std::string& sort,
                                 const std::string& order) {
  const auto found = sorts.find(sort.empty() ? "name" : sort);
  if (found == sorts.end()) return NotOneOf("sort", sort, NamesOf(sorts));
  if (order.empty() || order == "asc") return found->second;
  if (order != "desc") return NotOneOf("order", order, {"asc", "desc"});
  return Less([less = found->second](const auto& a, const auto& b) { return less(b, a); });
}

absl::StatusOr<v1::AgentProtocol> ProtocolOf(const std::string& word) {
  static const auto* const kProtocols =
      new std::map<std::string, v1::AgentProtocol>{{"a2a", v1::AGENT_PROTOCOL_A2A},
                                                   {"mcp", v1::AGENT_PROTOCOL_MCP},
                                                   {"http", v1::AGENT_PROTOCOL_HTTP}};
  if (word.empty()) return v1::AGENT_PROTOCOL_UNSPECIFIED;
  const auto found = kProtocols->find(word);
  if (found == kProtocols->end()) return NotOneOf("protocol", word, NamesOf(*kProtocols));
  return found->second;
}

// Whether one of the texts contains `needle`, which is lower case.
bool Mentions(const std::string& needle, const std::vector<std::string>& texts) {
  return needle.empty() || std::any_of(texts.begin(), texts.end(), [&](const std::string& text) {
           return absl::StrContains(absl::AsciiStrToLower(text), needle);
         });
}

bool InNamespace(const v1::RegistryEntry& entry, const std::string& name_space) {
  return name_space.empty() || entry.key().namespace_() == name_space;
}

template <typename Wanted>
std::vector<EntryPtr> SelectAndSort(const Entries& entries, const Less& less, Wanted wanted) {
  std::vector<EntryPtr> selected;
  for (const EntryPtr& entry : *entries) {
    if (wanted(*entry)) selected.push_back(entry);
  }
  std::sort(selected.begin(), selected.end(),
            [&](const EntryPtr& a, const EntryPtr& b) { return less(*a, *b); });
  return selected;
}

// The fields that all list responses share.
template <typename Response>
void SetPage(const Page& page, size_t total, Response& response) {
  response.set_page(page.page);
  response.set_page_size(page.size);
  response.set_total(static_cast<int>(total));
}

}  // namespace

absl::StatusOr<int> Bounded(const std::string& field, int value, int standard, int max) {
  if (value < 0) {
    return rpc::InvalidField(field, absl::StrCat(field, " must not be negative; it is at most ",
                                                 max, ", and 0 means ", standard));
  }
  return value == 0 ? standard : std::min(value, max);
}

absl::StatusOr<v1::ListAgentsResponse> ListAgents(const v1::ListAgentsRequest& request,
                                                  const Entries& agents) {
  absl::StatusOr<Page> page = CheckPage(request.page(), request.page_size());
  if (!page.ok()) return page.status();
  absl::StatusOr<v1::AgentProtocol> protocol = ProtocolOf(request.protocol());
  if (!protocol.ok()) return protocol.status();
  absl::StatusOr<Less> less = ChooseOrder(AgentSorts(), request.sort(), request.order());
  if (!less.ok()) return less.status();

  const std::string needle = absl::AsciiStrToLower(request.q());
  const auto wanted = [&](const v1::RegistryEntry& entry) {
    const v1::AgentSpec& spec = entry.agent().spec();
    return InNamespace(entry, request.namespace_()) &&
           (*protocol == v1::AGENT_PROTOCOL_UNSPECIFIED || spec.protocol() == *protocol) &&
           Mentions(needle, {resource::ToString(entry.key()), spec.image(), spec.runtime(),
                             spec.framework()});
  };
  const std::vector<EntryPtr> selected = SelectAndSort(agents, *less, wanted);
  v1::ListAgentsResponse response;
  SetPage(*page, selected.size(), response);
  const auto [first, last] = Cut(*page, selected.size());
  for (size_t i = first; i < last; ++i) *response.add_items() = selected[i]->agent();
  return response;
}

absl::StatusOr<v1::ListModelsResponse> ListModels(const v1::ListModelsRequest& request,
                                                  const Entries& models) {
  absl::StatusOr<Page> page = CheckPage(request.page(), request.page_size());
  if (!page.ok()) return page.status();
  absl::StatusOr<Less> less = ChooseOrder(ModelSorts(), request.sort(), request.order());
  if (!less.ok()) return less.status();

  const std::string needle = absl::AsciiStrToLower(request.q());
  const auto wanted = [&](const v1::RegistryEntry& entry) {
    const v1::ModelSource& source = entry.model().spec().source();
    return InNamespace(entry, request.namespace_()) &&
           Mentions(needle, {resource::ToString(entry.key()), source.huggingface(), source.file(),
                             source.path()});
  };
  const std::vector<EntryPtr> selected = SelectAndSort(models, *less, wanted);
  v1::ListModelsResponse response;
  SetPage(*page, selected.size(), response);
  const auto [first, last] = Cut(*page, selected.size());
  for (size_t i = first; i < last; ++i) *response.add_items() = selected[i]->model();
  return response;
}

absl::StatusOr<v1::ListEndpointsResponse> ListEndpoints(const v1::ListEndpointsRequest& request,
                                                        const Entries& all) {
  absl::StatusOr<Page> page = CheckPage(request.page(), request.page_size());
  if (!page.ok()) return page.status();
  std::vector<std::pair<const v1::ResourceKey*, const v1::Endpoint*>> selected;
  for (const EntryPtr& entry : *all) {
    if (!InNamespace(*entry, request.namespace_())) continue;
    if (!request.name().empty() && entry->key().name() != request.name()) continue;
    const size_t begin = selected.size();
    for (const v1::Endpoint& endpoint : entry->endpoints()) {
      selected.emplace_back(&entry->key(), &endpoint);
    }
    std::sort(selected.begin() + begin, selected.end(), [](const auto& a, const auto& b) {
      return a.second->instance() < b.second->instance();
    });
  }
  v1::ListEndpointsResponse response;
  SetPage(*page, selected.size(), response);
  const auto [first, last] = Cut(*page, selected.size());
  for (size_t i = first; i < last; ++i) {
    v1::EndpointItem* item = response.add_items();
    *item->mutable_key() = *selected[i].first;
    *item->mutable_endpoint() = *selected[i].second;
  }
  return response;
}

}  // namespace krypton::controlplane
