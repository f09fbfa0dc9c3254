// An API call of the control plane, of the gateway, or of the oracle's service, which has every
// form of annotation: three lines for method, path and query, then the body. Whatever they say,
// there is a message or INVALID_ARGUMENT.
#include <cstdint>
#include <variant>
#include <vector>

#include "absl/strings/str_split.h"
#include "common/fuzz/check.h"
#include "common/transcode/request_builder.h"
#include "common/transcode/route_table.h"
#include "common/transcode/scalars.h"
#include "krypton/oracle/v1/oracle.grpc.pb.h"
#include "krypton/v1/control_plane.grpc.pb.h"
#include "krypton/v1/gateway.grpc.pb.h"

namespace krypton::transcode {
namespace {

const RouteTable& Routes() {
  // A reference links the protos in, as serving them does.
  [[maybe_unused]] static const void* const kLinked[] = {v1::ListAgentsRequest::descriptor(),
                                                         v1::InvokeRequest::descriptor(),
                                                         oracle::v1::Everything::descriptor()};
  static const RouteTable* const kTable = new RouteTable(*RouteTable::Build(
      {v1::ControlPlaneService::service_full_name(), v1::GatewayService::service_full_name(),
       oracle::v1::OracleService::service_full_name()}));
  return *kTable;
}

void Call(absl::string_view method, absl::string_view path, absl::string_view query,
          absl::string_view body) {
  const auto decoded = DecodePercent(path, false);
  if (!decoded || decoded->empty() || decoded->front() != '/') return;
  const std::vector<absl::string_view> segments =
      absl::StrSplit(absl::string_view(*decoded).substr(1), '/');
  const auto found = Routes().Find(method, segments);
  if (!std::holds_alternative<RouteTable::Found>(found)) return;
  const auto requests = BuildRequests(std::get<RouteTable::Found>(found), query, body, {});
  fuzz::Check(requests.ok() || requests.status().code() == absl::StatusCode::kInvalidArgument,
              "a wrong request is INVALID_ARGUMENT");
}

}  // namespace
}  // namespace krypton::transcode

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  absl::string_view rest(reinterpret_cast<const char*>(data), size);
  absl::string_view parts[3];
  for (absl::string_view& part : parts) {
    const size_t end = rest.find('\n');
    part = rest.substr(0, end);
    rest = end == absl::string_view::npos ? absl::string_view() : rest.substr(end + 1);
  }
  krypton::transcode::Call(parts[0], parts[1], parts[2], rest);
  return 0;
}
