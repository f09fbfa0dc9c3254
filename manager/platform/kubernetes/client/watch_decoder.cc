#include "manager/platform/kubernetes/client/watch_decoder.h"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <utility>

#include "manager/platform/kubernetes/client/api_status.h"
#include "manager/platform/kubernetes/client/json.h"

namespace krypton::kube {

WatchDecoder::WatchDecoder(size_t max_line_bytes, Each each)
    : max_line_bytes_(max_line_bytes), each_(std::move(each)) {}

bool WatchDecoder::Feed(std::string_view piece) {
  while (!piece.empty()) {
    const size_t end = piece.find('\n');
    rest_.append(piece.substr(0, end));
    if (rest_.size() > max_line_bytes_) {
      status_ = absl::UnavailableError("an event of the watch is too large");
      return false;
    }
    if (end == std::string_view::npos) return true;
    piece.remove_prefix(end + 1);
    const std::string line = std::exchange(rest_, {});
    if (!line.empty() && !Line(line)) return false;
  }
  return true;
}

bool WatchDecoder::Line(std::string_view line) {
  const auto event = ParseJson(line);
  const boost::json::object* object =
      event.ok() && event->is_object() ? ObjectAt(event->get_object(), "object") : nullptr;
  if (object == nullptr) {
    status_ = absl::UnavailableError("the watch is broken: a line of it is no event");
    return false;
  }
  const std::string_view type = StringAt(event->get_object(), "type");
  if (type != "ERROR") return each_(type, *object);
  status_ = ToStatus(ParseApiError(*object), "watch");
  return false;
}

absl::Status WatchDecoder::Finish() const {
  if (!status_.ok()) return status_;
  if (!rest_.empty()) return absl::UnavailableError("the watch was cut within an event");
  return absl::OkStatus();
}

}  // namespace krypton::kube
