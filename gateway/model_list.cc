#include "gateway/model_list.h"

#include <boost/json.hpp>

namespace krypton::gateway {
namespace {

// As the manifest has it.
boost::json::object SourceOf(const v1::ModelSource& source) {
  boost::json::object json;
  if (!source.huggingface().empty()) json["huggingface"] = source.huggingface();
  if (!source.file().empty()) json["file"] = source.file();
  if (!source.path().empty()) json["path"] = source.path();
  return json;
}

boost::json::object ToJson(const ModelRoute& model) {
  const v1::ObjectMeta& metadata = model.entry->model().metadata();
  return {{"id", model.id},
          {"object", "model"},
          {"created", metadata.creation_timestamp().seconds()},
          {"owned_by", "krypton"},
          {"namespace", model.entry->key().namespace_()},
          {"source", SourceOf(model.entry->model().spec().source())}};
}

}  // namespace

std::string ModelJson(const ModelRoute& model) { return boost::json::serialize(ToJson(model)); }

std::string ModelListJson(const std::vector<ModelRoutePtr>& models) {
  boost::json::array data;
  for (const ModelRoutePtr& model : models) data.push_back(ToJson(*model));
  return boost::json::serialize(boost::json::object{{"object", "list"}, {"data", std::move(data)}});
}

}  // namespace krypton::gateway
