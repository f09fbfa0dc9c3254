// What an answer says of the tokens it took.
#pragma once

#include <cstdint>

namespace krypton::gateway {

struct Usage {
  int64_t prompt_tokens = 0;
  int64_t completion_tokens = 0;
};

}  // namespace krypton::gateway
