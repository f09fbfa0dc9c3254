// The table of requests that the front accepts and refuses (conventions §5). Used on whole requests
// and split at every byte, by the parser alone and over a socket.
#pragma once

#include <string>
#include <vector>

namespace krypton::http::testing {

struct GuardRow {
  std::string name;
  std::string request;
  int status = 0;    // Of the answer; 200 for what is accepted.
  std::string sees;  // What the handler sees of an accepted one: "METHOD target host body".
};

std::vector<GuardRow> GuardTable();

}  // namespace krypton::http::testing
