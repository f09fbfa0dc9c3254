#include "gateway/model_request.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/http/buffer.h"
#include "gateway/openai/model_scan.h"

namespace krypton::gateway {
namespace {

// Limits::replay_bytes: of a body of this size everything is held anyway.
constexpr size_t kWholeBytes = 64 * 1024;

ModelName Fail(http::Error error) { return {.model = {}, .error = std::move(error)}; }

ModelName BadRequest(std::string message, int status = 0) {
  return Fail({.code = http::ErrorCode::kBadRequest,
               .message = std::move(message),
               .status = status,
               .param = {}});
}

ModelName TooLong(size_t scan_bytes) {
  return Fail(
      {.code = http::ErrorCode::kBodyTooLarge,
       .message = absl::StrCat("the first ", scan_bytes,
                               " bytes of the body name no model: let \"model\" come first"),
       .param = {}});
}

ModelName ResultOf(const ModelScan& scan, ModelScan::State state) {
  if (state == ModelScan::State::kBad) return BadRequest(scan.problem());
  return {.model = scan.model(), .error = std::nullopt};
}

ModelName NoMemory() {
  return Fail({.code = http::ErrorCode::kQueueFull,
               .message = "too many long bodies are held already; let \"model\" come first",
               .param = {}});
}

bool BeginsWith(std::string_view value, std::string_view prefix) {
  return http::EqualsIgnoreCase(value.substr(0, prefix.size()), prefix);
}

// Bodies that are something else than JSON, as their fields say already.
std::optional<ModelName> RefuseByFields(const http::Fields& fields) {
  const std::string_view coding = fields.Get("content-encoding");
  if (!coding.empty() && !http::EqualsIgnoreCase(coding, "identity")) {
    return BadRequest("the body must not be compressed: its model could not be read", 415);
  }
  if (BeginsWith(fields.Get("content-type"), "multipart/")) {
    return BadRequest("the body must be JSON", 415);
  }
  return std::nullopt;
}

http::Task<ModelName> ReadWhole(http::Exchange& exchange) {
  const absl::StatusOr<std::string_view> body = co_await exchange.HoldBody(kWholeBytes);
  if (!body.ok()) co_return Fail(exchange.BodyError());
  ModelScan scan(ModelScan::Extent::kWhole);
  scan.Feed(*body);
  const ModelScan::State state = scan.End();
  co_return ResultOf(scan, state);
}

}  // namespace

bool ScanBudget::Lease::Take(size_t bytes) {
  const auto wanted = static_cast<int64_t>(bytes);
  if (budget_.left_.fetch_sub(wanted) < wanted) {
    budget_.left_ += wanted;
    return false;
  }
  taken_ += wanted;
  return true;
}

http::Task<ModelName> ReadModelName(http::Exchange& exchange, size_t scan_bytes,
                                    ScanBudget::Lease& lease) {
  const http::RequestHead& request = exchange.request();
  if (std::optional<ModelName> refused = RefuseByFields(request.fields)) co_return *refused;
  if (request.framing == http::Framing::kLength &&
      request.content_length <= std::min(kWholeBytes, scan_bytes)) {
    ModelName name = co_await ReadWhole(exchange);
    co_return name;
  }
  ModelScan scan;
  size_t left = scan_bytes;
  while (left > 0) {
    const absl::StatusOr<std::string_view> piece =
        co_await exchange.HoldMore(scan_bytes + http::BufferPool::kBufferBytes);
    if (!piece.ok()) co_return Fail(exchange.BodyError());
    const ModelScan::State state = piece->empty() ? scan.End() : scan.Feed(piece->substr(0, left));
    if (state != ModelScan::State::kMore) co_return ResultOf(scan, state);
    left -= std::min(left, piece->size());
    if (scan_bytes - left > kWholeBytes && !lease.Take(piece->size())) co_return NoMemory();
  }
  co_return TooLong(scan_bytes);
}

}  // namespace krypton::gateway
