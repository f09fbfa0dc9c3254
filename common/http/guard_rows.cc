// Prints the guard's table, a row a line: name, status, and the request's bytes in hex, for tests
// that send the same rows to other proxies (integration/mesh/test_framing_peers.py).
#include <cstdio>

#include "common/http/guard_table.h"

int main() {
  for (const krypton::http::testing::GuardRow& row : krypton::http::testing::GuardTable()) {
    std::printf("%s\t%d\t", row.name.c_str(), row.status);
    for (const char c : row.request) std::printf("%02x", static_cast<unsigned char>(c));
    std::printf("\n");
  }
}
