#include "cli/gateway_call.h"

#include <httplib.h>

#include <boost/json.hpp>
#include <string_view>

#include "common/config/duration.h"
#include "common/config/percent.h"

namespace krypton::cli {

std::unique_ptr<httplib::Client> NewGatewayClient(const GatewayCall& call) {
  auto client = std::make_unique<httplib::Client>("http://" + call.gateway);
  client->set_connection_timeout(std::chrono::seconds(5));
  client->set_read_timeout(call.timeout);
  client->set_write_timeout(call.timeout);
  client->set_url_encode(false);
  client->set_decompress(false);
  return client;
}

// Both have OpenAI's shape (design.md, "HTTP at the gateway"); the mesh's own names its code too.
std::string ErrorText(const httplib::Response& response, const std::string& body) {
  boost::json::error_code error;
  const boost::json::value value = boost::json::parse(body, error);
  const auto* object = !error ? value.if_object() : nullptr;
  const auto* inner = object != nullptr ? object->if_contains("error") : nullptr;
  const auto* fields = inner != nullptr ? inner->if_object() : nullptr;
  const auto* message = fields != nullptr ? fields->if_contains("message") : nullptr;
  if (message == nullptr || !message->is_string()) return body;
  const std::string text(message->get_string());
  if (!response.has_header("krypton-error")) return text;
  return response.get_header_value("krypton-error") + ": " + text;
}

std::string RefusalText(const GatewayCall& call, const httplib::Response& response,
                        const std::string& body) {
  std::string text = call.target + " answered " + std::to_string(response.status) + " " +
                     response.reason + "\n" + ErrorText(response, body);
  if (response.get_header_value("krypton-error") == "start_timeout") {
    text += "\n'krypton logs " + call.target + "' and 'krypton why " + call.target + "' say more";
  }
  return text;
}

namespace {

constexpr size_t kMostNamed = 8;

// The ids of an answer of GET /v1/models: "smollm, tiny".
std::string Ids(const std::string& body) {
  boost::json::error_code error;
  const boost::json::value list = boost::json::parse(body, error);
  const auto* object = !error ? list.if_object() : nullptr;
  const auto* data = object != nullptr ? object->if_contains("data") : nullptr;
  const auto* models = data != nullptr ? data->if_array() : nullptr;
  std::string ids;
  for (size_t i = 0; models != nullptr && i < models->size(); ++i) {
    if (i == kMostNamed) return ids + ", ...";
    const auto* model = models->at(i).if_object();
    const auto* id = model != nullptr ? model->if_contains("id") : nullptr;
    if (id == nullptr || !id->is_string()) continue;
    ids += (ids.empty() ? "" : ", ") + std::string(id->get_string());
  }
  return ids;
}

}  // namespace

absl::Status FindModel(const GatewayCall& call) {
  const auto client = NewGatewayClient(call);
  const Silence silence;
  const httplib::Result model =
      client->Get(("/v1/models/" + config::EncodePercent(call.target, "/")).c_str());
  if (!model) return BrokenCall(call, model.error(), silence.length());
  if (model->get_header_value("krypton-error") != "model_not_found") return absl::OkStatus();
  const httplib::Result list = client->Get("/v1/models");
  const std::string ids = list && list->status == 200 ? Ids(list->body) : "";
  const std::string nobody =
      "there is no model \"" + call.target + "\" at the gateway " + call.gateway + "; ";
  if (!ids.empty()) return absl::NotFoundError(nobody + "there are: " + ids);
  return absl::NotFoundError(nobody +
                             "this mesh has none. './dev run --model' starts with two; or give "
                             "'krypton up' a folder with a manifest of kind Model");
}

absl::Status BrokenCall(const GatewayCall& call, httplib::Error error,
                        std::chrono::milliseconds silence) {
  if (error == httplib::Error::Connection || error == httplib::Error::ConnectionTimeout) {
    return absl::UnavailableError("cannot reach the gateway at " + call.gateway +
                                  "; start a mesh with 'krypton up DIR', or say where it is with "
                                  "--gateway or KRYPTON_GATEWAY");
  }
  const std::string logs = "'krypton logs " + call.target + "'";
  // cpp-httplib has one word for both.
  if (error == httplib::Error::Read && silence >= call.timeout) {
    return absl::DeadlineExceededError(
        call.target + " was silent for " + config::FormatDuration(call.timeout) +
        "; wait longer with --timeout, or look at what it does with " + logs);
  }
  if (error == httplib::Error::Read) {
    return absl::UnavailableError(
        call.target +
        " closed the connection before its answer was complete; it may have crashed: " + logs);
  }
  if (error == httplib::Error::Write) {
    return absl::UnavailableError("the gateway at " + call.gateway +
                                  " closed the connection before it had read the call to " +
                                  call.target + "; " + logs + " shows what that printed");
  }
  return absl::UnavailableError("the call to " + call.target + " through the gateway at " +
                                call.gateway + " failed; " + logs + " shows what it printed");
}

}  // namespace krypton::cli
