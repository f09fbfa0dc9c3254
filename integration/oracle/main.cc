// The test server on its own, for a real grpc-gateway to stand in front of (run.sh). Prints its
// address, and ends when its standard input does.

#include <cstdio>

#include "integration/oracle/server.h"

int main() {
  const krypton::oracle::Server server("127.0.0.1:0");
  std::puts(server.address().c_str());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  return 0;
}
