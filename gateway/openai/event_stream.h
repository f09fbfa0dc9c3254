// The events of a streamed answer (text/event-stream) on their way to the client. Whole events pass
// as they are; what has arrived of an unfinished one waits for its end, so that a stream that
// breaks can end between two events. On their way they are counted, and what one of them says of
// usage is read. Where the gateway has asked for usage and the client has not, what that adds is
// taken out.
//
// A stream of whole events costs a search for line ends and one for "usage"; it is not copied.
// Belongs to one request, on its worker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/http/socket.h"
#include "common/http/timer_wheel.h"
#include "gateway/openai/usage.h"

namespace krypton::gateway {

// Finds where events end: behind an empty line (WHATWG HTML §9.2.5: lines end with CR LF, LF or
// CR), however the stream is cut.
class EventSplitter {
 public:
  static constexpr size_t kNone = std::string_view::npos;
  // The offset behind the first end of an event in `bytes`; go on behind it. kNone: all was taken.
  // An LF whose CR has ended an event before is an end of its own.
  size_t Find(std::string_view bytes);

 private:
  bool line_is_empty_ = true;
  // The last byte was a CR: an LF still belongs to it.
  bool after_cr_ = false;
  // The last byte ended an event.
  bool ended_ = false;
};

// The data lines of one event, in order (WHATWG HTML §9.2.6). Looks at each byte once.
class DataLines {
 public:
  explicit DataLines(std::string_view event) : rest_(event) {}

  // What stands behind the colon of the next one; nullopt: there is none.
  std::optional<std::string_view> Next();
  // Bytes, so far.
  size_t looked_at() const { return looked_at_; }

 private:
  std::string_view NextLine();

  std::string_view rest_;
  size_t looked_at_ = 0;
};

class EventStream {
 public:
  // What is held of an unfinished event. Of a longer one the beginning is passed on.
  static constexpr size_t kMaxHeld = 64 * 1024;

  // `hide_usage`: the client has not asked for what usage adds to the stream.
  explicit EventStream(bool hide_usage) : hide_usage_(hide_usage) {}
  EventStream(const EventStream&) = delete;
  EventStream& operator=(const EventStream&) = delete;

  // Takes the next pieces of the stream and leaves in them what goes on: everything with `last`,
  // which ends the stream. What they point to is good until the next call.
  void Pass(http::IoVecs& pieces, bool last, http::TimePoint now);
  // The stream has broken: the bytes that end it for the client. `error` is the JSON of an error.
  // Nothing where it is complete.
  std::string EndBroken(std::string_view error);

  // --- So far ---
  // The event after which nothing comes has passed: [DONE], or the Responses API's last one.
  bool complete() const { return complete_; }
  // Those with data, not counting [DONE].
  int64_t events() const { return events_; }
  http::TimePoint first_event() const { return first_event_; }
  http::TimePoint last_event() const { return last_event_; }
  const std::optional<Usage>& usage() const { return usage_; }

 private:
  // Reads the events that end in `bytes`; returns where the last of them ends.
  size_t ReadInPlace(std::string_view bytes);
  // Likewise what has been held before them; what goes on is copied to passing_, the rest is held.
  void ReadAndCopy(std::string_view bytes);
  // Returns what the client gets of it.
  std::string_view OnEvent(std::string_view event);
  // Returns whether nothing comes after it.
  bool CountEvent(std::string_view event);
  void PassOverlong(std::string_view bytes, bool ends);

  const bool hide_usage_;
  EventSplitter splitter_;
  http::TimePoint now_{};
  // The beginning of an event whose end has not come.
  std::string held_;
  // What the last call has passed on of this object's memory.
  std::string passing_;
  // Of an event that is changed.
  std::string changed_;
  // Reads the event that is too long to be held, while it passes.
  std::optional<UsageReader> overlong_;
  bool overlong_is_last_ = false;
  bool complete_ = false;
  // The last event was taken out; an LF of its own may belong to its end.
  bool hid_last_ = false;
  int64_t events_ = 0;
  http::TimePoint first_event_{};
  http::TimePoint last_event_{};
  std::optional<Usage> usage_;
};

}  // namespace krypton::gateway
