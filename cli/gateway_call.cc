#include "cli/gateway_call.h"

#include <httplib.h>

#include <boost/json.hpp>

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
  return call.target + " answered " + std::to_string(response.status) + " " + response.reason +
         "\n" + ErrorText(response, body);
}

absl::Status BrokenCall(const GatewayCall& call, httplib::Error error) {
  if (error == httplib::Error::Connection) {
    return absl::UnavailableError("cannot reach the gateway at " + call.gateway +
                                  "; start a mesh with 'krypton up DIR', or say where it is with "
                                  "--gateway or KRYPTON_GATEWAY");
  }
  return absl::UnavailableError("the call to " + call.target +
                                " broke: " + httplib::to_string(error));
}

}  // namespace krypton::cli
