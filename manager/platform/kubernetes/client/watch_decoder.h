// The body of a watch: JSON objects, a line each, as they come in pieces. Not thread-safe; one a
// watch.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "boost/json/fwd.hpp"

namespace krypton::kube {

class WatchDecoder {
 public:
  // False: no more.
  using Each = std::function<bool(std::string_view type, const boost::json::object& object)>;

  WatchDecoder(size_t max_line_bytes, Each each);

  // False: `each` said so, or status() is an error: a line that is no event (UNAVAILABLE: the
  // stream is broken), or an event ERROR (its metav1.Status).
  bool Feed(std::string_view piece);
  // Requires: the body is over. UNAVAILABLE when it ended within a line.
  absl::Status Finish() const;
  const absl::Status& status() const { return status_; }

 private:
  bool Line(std::string_view line);

  const size_t max_line_bytes_;
  const Each each_;
  std::string rest_;
  absl::Status status_;
};

}  // namespace krypton::kube
