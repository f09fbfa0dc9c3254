// Socket addresses as flags write them: what is taken reads back as the same bytes.
#include <cstdint>
#include <string_view>

#include "common/fuzz/check.h"
#include "common/http/address.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using krypton::fuzz::Check;
  namespace http = krypton::http;
  const std::string_view text(reinterpret_cast<const char*>(data), size);

  // Any bytes may come from the kernel's side too.
  http::FromSockaddr(text);
  http::IpOf(text);
  if (const auto address = http::ToSockaddr(text); address.ok()) {
    const auto again = http::ToSockaddr(http::FromSockaddr(*address));
    Check(again.ok() && *again == *address, "a printed address reads back");
    Check(!http::IpOf(*address).empty(), "an address has an IP");
  }
  return 0;
}
