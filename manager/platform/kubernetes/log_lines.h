// The lines in what the API server gives of a log, piece by piece. With time stamps, reading can go
// on after a break, or in the container that was started next: what was read already is left out.
// One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace krypton::kube {

class LogLines {
 public:
  // `stamped`: each line begins with its time, which is taken off.
  explicit LogLines(bool stamped) : stamped_(stamped) {}

  // From here on it is another read, from the last line's second on.
  void Resume();
  // Whole lines, valid UTF-8; a line of more than 16 KiB comes in parts.
  std::vector<std::string> Add(std::string_view piece);
  // What is left of a line whose end never came.
  std::vector<std::string> Rest();
  // The time of the last line, RFC 3339; empty: there was none.
  std::string last_time() const;

 private:
  void Take(std::string line, std::vector<std::string>* lines);
  bool IsNew(int64_t time);

  const bool stamped_;
  std::string rest_;
  // The last line's, in nanoseconds, and how many lines of that time there were.
  std::optional<int64_t> last_;
  int at_last_ = 0;
  // Nothing new has come since Resume; of the last time so many lines are still to be left out.
  bool resuming_ = false;
  int known_ = 0;
  // The part of a line that goes before belongs to what was read already.
  bool leaving_out_ = false;
};

}  // namespace krypton::kube
