// krypton completion bash|zsh|fish: the script that a shell sources, made from the declared flags.
// Pure.
#pragma once

#include <string>

#include "common/config/flags.h"

namespace krypton::cli {

// Requires: `shell` is bash, zsh or fish.
std::string CompletionScript(const std::string& shell,
                             const config::Flags::Description& description);

}  // namespace krypton::cli
