// The answer of a streaming chat as it comes: server-sent events, cut anywhere, of OpenAI's
// chat.completion.chunk objects. A plain object without I/O.
#pragma once

#include <string>
#include <string_view>

namespace krypton::cli {

class ChatAnswer {
 public:
  // More of the body. Returns the text that it adds to the answer.
  std::string Take(std::string_view bytes);

  // All text so far.
  const std::string& text() const { return text_; }
  // `[DONE]` has come.
  bool done() const { return done_; }
  // What an error event said, or why an event could not be read; empty: nothing is wrong.
  const std::string& error() const { return error_; }

 private:
  std::string TakeLine(std::string_view line);
  std::string TakeEvent();

  // Of the line that has not ended yet, at most 1 MiB of it.
  std::string line_;
  // The data of the event that has not ended yet; likewise.
  std::string data_;
  std::string text_;
  std::string error_;
  bool done_ = false;
};

}  // namespace krypton::cli
