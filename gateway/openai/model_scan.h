// ModelScan: finds which model a request names, the string under the key "model" of the JSON object
// that its body is, as the body arrives. What comes behind the key is not looked at, so the first
// of several counts; only of a body that is taken as a whole (`Extent::kWhole`) everything is
// checked, and a second "model" refused. A value of one request.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/openai/json_scanner.h"

namespace krypton::gateway {

class ModelScan {
 public:
  enum class State : uint8_t {
    kMore,
    kFound,
    kBad,  // problem() says why, for the client.
  };
  enum class Extent : uint8_t { kUpToModel, kWhole };

  explicit ModelScan(Extent extent = Extent::kUpToModel) : extent_(extent) {}

  State Feed(std::string_view piece);
  // The body has ended: kFound or kBad.
  State End();

  // Once it is found.
  const std::string& model() const { return model_; }
  const std::string& problem() const { return problem_; }
  // It is an object that names none.
  bool names_none() const { return names_none_; }

 private:
  using Token = JsonScanner::Token;

  void OnToken(Token token);
  void OnModel(Token token);
  void Fail(std::string problem);

  const Extent extent_;
  JsonScanner scanner_;
  State state_ = State::kMore;
  bool is_object_ = false;
  bool expects_model_ = false;
  bool names_none_ = false;
  std::string model_;
  std::string problem_;
};

}  // namespace krypton::gateway
