#include "cli/chat_answer.h"

#include <boost/json.hpp>
#include <utility>

namespace krypton::cli {
namespace {

namespace json = boost::json;

constexpr size_t kMaxBytes = 1 << 20;

const json::value* Member(const json::value* value, std::string_view name) {
  const json::object* object = value != nullptr ? value->if_object() : nullptr;
  return object != nullptr ? object->if_contains(name) : nullptr;
}

std::string Text(const json::value* value) {
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

// choices[0].delta.content.
std::string Delta(const json::value& chunk) {
  const json::value* choices = Member(&chunk, "choices");
  const json::array* list = choices != nullptr ? choices->if_array() : nullptr;
  if (list == nullptr || list->empty()) return "";
  return Text(Member(Member(&list->front(), "delta"), "content"));
}

}  // namespace

std::string ChatAnswer::Take(std::string_view bytes) {
  std::string added;
  while (!bytes.empty() && !done_ && error_.empty()) {
    const size_t end = bytes.find('\n');
    line_ += bytes.substr(0, end);
    if (line_.size() + data_.size() > kMaxBytes) {
      error_ = "an event of the answer is larger than 1 MiB";
      break;
    }
    if (end == bytes.npos) break;
    bytes.remove_prefix(end + 1);
    if (line_.ends_with('\r')) line_.pop_back();
    added += TakeLine(std::exchange(line_, {}));
  }
  text_ += added;
  return added;
}

std::string ChatAnswer::TakeLine(std::string_view line) {
  if (line.empty()) return TakeEvent();
  if (!line.starts_with("data:")) return "";  // A comment, or a field that says nothing to us.
  line.remove_prefix(5);
  if (line.starts_with(' ')) line.remove_prefix(1);
  if (!data_.empty()) data_ += '\n';
  data_ += line;
  return "";
}

std::string ChatAnswer::TakeEvent() {
  const std::string data = std::exchange(data_, {});
  if (data.empty()) return "";
  if (data == "[DONE]") {
    done_ = true;
    return "";
  }
  json::error_code failed;
  const json::value chunk = json::parse(data, failed);
  if (failed) {
    error_ = "an event of the answer is not JSON";
    return "";
  }
  if (const json::value* error = Member(&chunk, "error"); error != nullptr) {
    error_ = Text(Member(error, "message"));
    if (error_.empty()) error_ = json::serialize(*error);
    return "";
  }
  return Delta(chunk);
}

}  // namespace krypton::cli
