// GET /v1/models: the ids of the models that the registry knows, in OpenAI's shape.
#pragma once

#include <string>
#include <vector>

#include "common/http/exchange.h"
#include "gateway/route_table.h"

namespace krypton::gateway {

// {"object":"list","data":[{"id":...,"object":"model","created":...,"owned_by":"krypton"}]}. A
// model is listed by its name; where two namespaces use one name, the bare name is the one's that
// was created first, and the others are listed as `namespace/name`. Pure.
std::string ModelListJson(std::vector<registry::EntryPtr> models);

http::Task<void> AnswerModelList(http::Exchange& exchange, const RouteTable& routes);

}  // namespace krypton::gateway
