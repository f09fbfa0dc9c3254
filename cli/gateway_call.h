// What `invoke` and `chat` share in asking the gateway: the client, and its failures in words.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/status.h"

namespace httplib {
class Client;
enum class Error;
struct Response;
}  // namespace httplib

namespace krypton::cli {

// "tiny", "default/echo": whom a call is for, in messages.
struct GatewayCall {
  std::string gateway;  // HOST:PORT
  std::string target;
  // How long the answer may be silent.
  std::chrono::milliseconds timeout = std::chrono::minutes(10);
};

// Sends what it is given as it is: no decoding of bodies, no encoding of paths.
std::unique_ptr<httplib::Client> NewGatewayClient(const GatewayCall& call);

// What an error of the mesh or of an OpenAI server says, else the body itself.
std::string ErrorText(const httplib::Response& response, const std::string& body);
// "tiny answered 404 Not Found" and what it says of it.
std::string RefusalText(const GatewayCall& call, const httplib::Response& response,
                        const std::string& body);
// OK when the gateway knows a model of the name `call.target`, or is no gateway of Krypton's and
// does not say. kNotFound names the models that there are, or how to get one.
absl::Status FindModel(const GatewayCall& call);

// The call ended without an answer, or in the midst of it. `silence`: how long nothing had come.
absl::Status BrokenCall(const GatewayCall& call, httplib::Error error,
                        std::chrono::milliseconds silence);

// Since when nothing has come.
class Silence {
 public:
  void Broken() { since_ = std::chrono::steady_clock::now(); }
  std::chrono::milliseconds length() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                                 since_);
  }

 private:
  std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
};

}  // namespace krypton::cli
