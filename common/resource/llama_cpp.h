// The command line of llama.cpp's server for a Model: the same on one machine and in a cluster.
// Pure.
#pragma once

#include <string>
#include <vector>

#include "krypton/v1/model.pb.h"

namespace krypton::resource {

// `llama-server`, without a path.
inline constexpr char kLlamaServer[] = "llama-server";

// `--host`, `--port`, `--alias` (the model's id), where the weights come from (`--model`, or
// `--hf-repo` and `--hf-file`), one parallel slot for each request that a replica may have in
// flight, then spec.args, which win: what they set themselves is not said before. Requires: a
// defaulted spec.
std::vector<std::string> LlamaServerFlags(const v1::Model& model, const std::string& host,
                                          int port);

}  // namespace krypton::resource
