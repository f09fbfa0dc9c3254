// What `krypton invoke` sends to a model: the user's own request of OpenAI's API, or a word that
// becomes one. Pure.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace krypton::cli {

struct ModelRequest {
  std::string path;  // /v1/chat/completions
  std::string body;
};

// `data`: a JSON object is sent as it is, but for a `model` that it lacks; anything else is said to
// the model as a user's message. `path`: where it goes; empty: where an object with its fields
// belongs. kInvalidArgument when there is nothing to say.
absl::StatusOr<ModelRequest> MakeModelRequest(const std::string& id, const std::string& path,
                                              const std::string& data);

}  // namespace krypton::cli
