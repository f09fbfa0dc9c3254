// What GET /v1/models and GET /v1/models/{id} answer, in OpenAI's shape and with two fields of our
// own. Pure.
#pragma once

#include <string>
#include <vector>

#include "gateway/model_table.h"

namespace krypton::gateway {

// {"id":...,"object":"model","created":...,"owned_by":"krypton","namespace":...,"source":{...}}
std::string ModelJson(const ModelRoute& model);
// {"object":"list","data":[...]}
std::string ModelListJson(const std::vector<ModelRoutePtr>& models);

}  // namespace krypton::gateway
