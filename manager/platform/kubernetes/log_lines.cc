#include "manager/platform/kubernetes/log_lines.h"

#include <utility>

#include "common/config/utf8.h"
#include "google/protobuf/util/time_util.h"

namespace krypton::kube {
namespace {

using google::protobuf::util::TimeUtil;

constexpr size_t kMaxLineBytes = 16 << 10;

// Nothing: it begins with no time.
std::optional<int64_t> TimeOf(std::string_view line) {
  const size_t end = line.find(' ');
  google::protobuf::Timestamp time;
  if (end == line.npos || !TimeUtil::FromString(std::string(line.substr(0, end)), &time)) {
    return std::nullopt;
  }
  return TimeUtil::TimestampToNanoseconds(time);
}

}  // namespace

void LogLines::Resume() {
  resuming_ = last_.has_value();
  known_ = at_last_;
  leaving_out_ = false;
  rest_.clear();
}

std::vector<std::string> LogLines::Add(std::string_view piece) {
  std::vector<std::string> lines;
  while (!piece.empty()) {
    const size_t end = piece.find('\n');
    rest_.append(piece.substr(0, end));
    piece.remove_prefix(end == piece.npos ? piece.size() : end + 1);
    if (end == piece.npos && rest_.size() < kMaxLineBytes) break;
    while (rest_.size() > kMaxLineBytes) {
      Take(rest_.substr(0, kMaxLineBytes), &lines);
      rest_.erase(0, kMaxLineBytes);
    }
    if (end != std::string_view::npos) Take(std::exchange(rest_, {}), &lines);
  }
  return lines;
}

std::vector<std::string> LogLines::Rest() {
  std::vector<std::string> lines;
  if (!rest_.empty()) Take(std::exchange(rest_, {}), &lines);
  return lines;
}

void LogLines::Take(std::string line, std::vector<std::string>* lines) {
  if (stamped_) {
    // A further part of a line has no time.
    if (const std::optional<int64_t> time = TimeOf(line)) {
      line.erase(0, line.find(' ') + 1);
      leaving_out_ = !IsNew(*time);
    }
    if (leaving_out_) return;
  }
  lines->push_back(config::ToUtf8(std::move(line)));
}

// Clocks are set back now and then: only what is read again is looked at so closely.
bool LogLines::IsNew(int64_t time) {
  if (resuming_ && time < *last_) return false;
  if (resuming_ && time == *last_ && known_ > 0) {
    --known_;
    return false;
  }
  resuming_ = false;
  at_last_ = last_ == time ? at_last_ + 1 : 1;
  last_ = time;
  return true;
}

std::string LogLines::last_time() const {
  return last_.has_value() ? TimeUtil::ToString(TimeUtil::NanosecondsToTimestamp(*last_)) : "";
}

}  // namespace krypton::kube
