#include "gateway/request_id.h"

#include <algorithm>
#include <cstdint>
#include <random>

namespace krypton::gateway {
namespace {

bool IsPlain(std::string_view text) {
  constexpr std::string_view kMarks = "-_.:/+=@";
  return !text.empty() && text.size() <= RequestId::kMaxBytes &&
         std::ranges::all_of(text, [&](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  kMarks.find(c) != kMarks.npos;
         });
}

// Unique, not secret.
uint64_t Random() {
  thread_local std::mt19937_64 engine{std::random_device{}() ^
                                      (uint64_t{std::random_device{}()} << 32)};
  return engine();
}

}  // namespace

RequestId::RequestId(const http::Fields& request) : value_(request.Get(kField)) {
  if (IsPlain(value_)) return;
  constexpr std::string_view kHex = "0123456789abcdef";
  for (size_t i = 0; i < own_.size(); i += 16) {
    uint64_t bits = Random();
    for (size_t j = 0; j < 16; ++j, bits >>= 4) own_[i + j] = kHex[bits & 15];
  }
  value_ = {own_.data(), own_.size()};
}

}  // namespace krypton::gateway
