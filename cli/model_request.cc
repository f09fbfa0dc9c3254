#include "cli/model_request.h"

#include <boost/json.hpp>

namespace krypton::cli {
namespace {

namespace json = boost::json;

std::string PathFor(const json::object& request) {
  if (request.contains("messages")) return "/v1/chat/completions";
  if (request.contains("prompt")) return "/v1/completions";
  return request.contains("input") ? "/v1/embeddings" : "/v1/chat/completions";
}

}  // namespace

absl::StatusOr<ModelRequest> MakeModelRequest(const std::string& id, const std::string& path,
                                              const std::string& data) {
  if (data.empty()) {
    return absl::InvalidArgumentError(
        id +
        " is a model: say something to it with --data TEXT, or send a "
        "request of OpenAI's API with --data '{...}'");
  }
  ModelRequest request;
  json::error_code error;
  json::value value = json::parse(data, error);
  if (!error && value.is_object()) {
    const json::object& fields = value.get_object();
    request.path = PathFor(fields);
    request.body = data;
    if (!fields.contains("model")) {
      // All else stays as the user wrote it.
      const std::string field = "\"model\":" + json::serialize(json::string(id));
      request.body.insert(data.find('{') + 1, fields.empty() ? field : field + ",");
    }
  } else {
    request.path = "/v1/chat/completions";
    request.body = json::serialize(json::object{
        {"model", id}, {"messages", json::array{{{"role", "user"}, {"content", data}}}}});
  }
  if (!path.empty()) request.path = path.front() == '/' ? path : "/v1/" + path;
  return request;
}

}  // namespace krypton::cli
