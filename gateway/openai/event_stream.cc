#include "gateway/openai/event_stream.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace krypton::gateway {
namespace {

constexpr std::string_view kData = "data:";
constexpr std::string_view kDone = "[DONE]";
constexpr std::string_view kUsage = "\"usage\"";

// Where the value of the first data line begins, or npos.
size_t DataStart(std::string_view event) {
  if (event.starts_with(kData)) return kData.size();
  const std::optional<std::string_view> data = DataLines(event).Next();
  return data ? static_cast<size_t>(data->data() - event.data()) : event.npos;
}

bool Mentions(std::string_view event, std::string_view word) {
  return memmem(event.data(), event.size(), word.data(), word.size()) != nullptr;
}

std::string_view FirstLine(std::string_view text) {
  return text.substr(0, text.find_first_of("\r\n"));
}

// The names of the events that end a stream of the Responses API; the other APIs have [DONE].
bool EndsResponse(std::string_view event) {
  constexpr std::string_view kEvent = "event: response.";
  if (!event.starts_with(kEvent)) return false;
  const std::string_view name = FirstLine(event.substr(kEvent.size()));
  return name == "completed" || name == "incomplete" || name == "failed";
}

// Feeds the data of an event, one line or several, to the reader.
void ReadData(std::string_view event, UsageReader& reader) {
  DataLines lines(event);
  while (const std::optional<std::string_view> line = lines.Next()) reader.Feed(*line);
}

// The range of `"usage":null` among the members of the object that `json` begins with, with the
// comma that goes with it. Nothing: there is none.
std::pair<size_t, size_t> FindUsageNull(std::string_view json) {
  using Token = JsonScanner::Token;
  JsonScanner scanner;
  size_t member_start = 0;
  bool is_first = false;
  bool is_usage = false;
  while (true) {
    const size_t before = scanner.offset();
    const JsonScanner::Step step = scanner.Next(json.substr(before));
    const size_t after = scanner.offset();
    if (step.token == Token::kMore || step.token == Token::kBad) return {0, 0};
    if (is_usage && step.token == Token::kNull) {
      size_t end = after;
      // A first member's comma is the one behind it.
      const size_t next = json.find_first_not_of(" \t", end);
      if (is_first && next != json.npos && json[next] == ',') end = next + 1;
      return {member_start, end - member_start};
    }
    is_usage = false;
    if (step.token != Token::kKey || scanner.depth() != 1) {
      is_first = step.token == Token::kBeginObject && scanner.depth() == 1;
      member_start = after;
      continue;
    }
    is_usage = scanner.text() == "usage";
  }
}

}  // namespace

size_t EventSplitter::Find(std::string_view bytes) {
  size_t at = 0;
  while (at < bytes.size()) {
    if (std::exchange(after_cr_, false) && bytes[at] == '\n') {
      ++at;
      if (ended_) return at;
      continue;
    }
    ended_ = false;
    const char* const line = bytes.data() + at;
    size_t length = bytes.size() - at;
    const void* const lf = std::memchr(line, '\n', length);
    if (lf != nullptr) length = static_cast<size_t>(static_cast<const char*>(lf) - line);
    const void* const cr = std::memchr(line, '\r', length);
    if (cr != nullptr) length = static_cast<size_t>(static_cast<const char*>(cr) - line);
    if (lf == nullptr && cr == nullptr) {
      line_is_empty_ = false;
      return kNone;
    }
    const bool ends = line_is_empty_ && length == 0;
    line_is_empty_ = true;
    after_cr_ = cr != nullptr;
    at += length + 1;
    if (!ends) continue;
    ended_ = true;
    if (after_cr_ && at < bytes.size() && bytes[at] == '\n') {
      after_cr_ = false;
      ++at;
    }
    return at;
  }
  return kNone;
}

std::optional<std::string_view> DataLines::Next() {
  while (!rest_.empty()) {
    const std::string_view line = NextLine();
    if (line.starts_with(kData)) return line.substr(kData.size());
  }
  return std::nullopt;
}

std::string_view DataLines::NextLine() {
  const std::string_view line = FirstLine(rest_);
  const size_t taken = std::min(line.size() + 1, rest_.size());
  rest_.remove_prefix(taken);
  looked_at_ += taken;
  return line;
}

void EventStream::Pass(http::IoVecs& pieces, bool last, http::TimePoint now) {
  now_ = now;
  passing_.clear();
  http::IoVecs passed;
  bool copy = hide_usage_ || !held_.empty() || overlong_.has_value();
  for (size_t i = 0; i < pieces.count(); ++i) {
    const iovec& piece = pieces.data()[i];
    const std::string_view bytes(static_cast<const char*>(piece.iov_base), piece.iov_len);
    if (copy) {
      ReadAndCopy(bytes);
      continue;
    }
    const size_t whole = ReadInPlace(bytes);
    const bool ends_here = last && i + 1 == pieces.count();
    if (ends_here && whole < bytes.size()) OnEvent(bytes.substr(whole));
    passed.Add(ends_here ? bytes : bytes.substr(0, whole));
    if (ends_here || whole == bytes.size()) continue;
    held_.assign(bytes.substr(whole));
    copy = true;
  }
  if (last && !held_.empty()) {
    passing_.append(OnEvent(held_));
    held_.clear();
  }
  passed.Add(passing_);
  pieces = passed;
}

size_t EventStream::ReadInPlace(std::string_view bytes) {
  size_t start = 0;
  while (true) {
    const size_t length = splitter_.Find(bytes.substr(start));
    if (length == EventSplitter::kNone) return start;
    OnEvent(bytes.substr(start, length));
    start += length;
  }
}

void EventStream::ReadAndCopy(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t end = splitter_.Find(bytes);
    const bool ends = end != EventSplitter::kNone;
    const std::string_view taken = bytes.substr(0, end);
    bytes.remove_prefix(taken.size());
    if (overlong_) {
      PassOverlong(taken, ends);
    } else if (ends && held_.empty()) {
      passing_.append(OnEvent(taken));
    } else if (ends) {
      held_.append(taken);
      passing_.append(OnEvent(held_));
      held_.clear();
    } else {
      held_.append(taken);
    }
  }
  if (held_.size() <= kMaxHeld) return;
  overlong_.emplace();
  overlong_is_last_ = CountEvent(held_);
  const size_t data = DataStart(held_);
  if (data != held_.npos) overlong_->Feed(std::string_view(held_).substr(data));
  passing_.append(held_);
  held_.clear();
}

// Its data is one line: nobody breaks JSON of such a length into several.
void EventStream::PassOverlong(std::string_view bytes, bool ends) {
  overlong_->Feed(bytes);
  passing_.append(bytes);
  if (overlong_->usage()) usage_ = overlong_->usage();
  if (!ends) return;
  overlong_.reset();
  complete_ |= overlong_is_last_;
}

bool EventStream::CountEvent(std::string_view event) {
  const size_t start = DataStart(event);
  if (start == event.npos) return false;
  std::string_view data = event.substr(start);
  if (data.starts_with(' ')) data.remove_prefix(1);
  if (data.starts_with(kDone)) return true;
  if (events_++ == 0) first_event_ = now_;
  last_event_ = now_;
  return EndsResponse(event);
}

std::string_view EventStream::OnEvent(std::string_view event) {
  const bool after_hidden = std::exchange(hid_last_, false);
  if (after_hidden && event == "\n") return {};
  complete_ |= CountEvent(event);
  if (!Mentions(event, kUsage)) return event;
  UsageReader reader(UsageReader::Extent::kWhole);
  ReadData(event, reader);
  if (reader.usage()) usage_ = reader.usage();
  if (!hide_usage_) return event;
  if (reader.usage()) {
    hid_last_ = reader.choices_empty();
    return hid_last_ ? std::string_view() : event;
  }
  const size_t data = DataStart(event);
  if (data == event.npos) return event;
  const auto [start, length] = FindUsageNull(FirstLine(event.substr(data)));
  if (length == 0) return event;
  changed_.assign(event).erase(data + start, length);
  return changed_;
}

std::string EventStream::EndBroken(std::string_view error) {
  held_.clear();
  if (complete_) return {};
  // What has gone out of an unfinished event cannot be taken back; it can be ended.
  std::string end = overlong_ ? "\n\n" : "";
  end.append("data: ").append(FirstLine(error)).append("\n\n");
  return end;
}

}  // namespace krypton::gateway
