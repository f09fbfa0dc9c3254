#include "gateway/model_list.h"

#include <algorithm>
#include <boost/json.hpp>
#include <set>

#include "common/resource/key.h"

namespace krypton::gateway {
namespace {

int64_t CreatedAt(const registry::EntryPtr& entry) {
  return entry->model().metadata().creation_timestamp().seconds();
}

}  // namespace

std::string ModelListJson(std::vector<registry::EntryPtr> models) {
  std::ranges::sort(models, [](const registry::EntryPtr& a, const registry::EntryPtr& b) {
    if (CreatedAt(a) != CreatedAt(b)) return CreatedAt(a) < CreatedAt(b);
    return resource::KeyLess()(a->key(), b->key());
  });
  boost::json::array data;
  std::set<std::string> taken;
  for (const registry::EntryPtr& entry : models) {
    const bool bare = taken.insert(entry->key().name()).second;
    data.push_back({{"id", bare ? entry->key().name() : resource::ToString(entry->key())},
                    {"object", "model"},
                    {"created", CreatedAt(entry)},
                    {"owned_by", "krypton"}});
  }
  return boost::json::serialize(boost::json::object{{"object", "list"}, {"data", std::move(data)}});
}

http::Task<void> AnswerModelList(http::Exchange& exchange, const RouteTable& routes) {
  const std::string_view method = exchange.request().method;
  if (method != "GET" && method != "HEAD") {
    const http::Error error{
        .code = http::ErrorCode::kBadRequest, .message = "models can only be read", .status = 405};
    co_await exchange.RespondError(error);
    co_return;
  }
  const std::string body = ModelListJson(routes.Models());
  const http::Field fields[] = {{"content-type", "application/json"}};
  co_await exchange.Respond(200, fields, body);
}

}  // namespace krypton::gateway
