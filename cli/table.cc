#include "cli/table.h"

#include <google/protobuf/timestamp.pb.h>

#include <algorithm>
#include <string_view>

#include "common/config/utf8.h"

namespace krypton::cli {
namespace {

constexpr size_t kGap = 3;

std::string Two(int64_t first, const char* unit, int64_t second, const char* small_unit) {
  std::string text = std::to_string(first) + unit;
  if (second > 0) text += std::to_string(second) + small_unit;
  return text;
}

// Takes a line of at most `width` characters from the beginning of `text`.
std::string TakeLine(std::string_view& text, size_t width) {
  size_t end = config::OffsetOfCharacter(text, width);
  if (end < text.size()) {
    const size_t blank = text.substr(0, end + 1).rfind(' ');
    if (blank != text.npos && blank > end / 2) end = blank;
  }
  std::string line(text.substr(0, end));
  text.remove_prefix(end);
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  return line;
}

constexpr std::string_view kIndent = "    ";
constexpr std::string_view kLeftOut = "[...] ";

}  // namespace

std::vector<std::string> Wrap(const std::string& text, size_t width, size_t max_lines) {
  std::vector<std::string> lines;
  std::string_view rest = text;
  const size_t narrow = width > 2 * kIndent.size() ? width - kIndent.size() : width;
  while (!rest.empty() || lines.empty()) {
    const bool is_last = lines.size() + 1 == max_lines;
    std::string line(lines.empty() || narrow == width ? "" : kIndent);
    const size_t room = lines.empty() ? width : narrow;
    if (is_last && config::CountCharacters(rest) > room && room > kLeftOut.size()) {
      line += kLeftOut;
      rest.remove_prefix(config::OffsetOfCharacter(
          rest, config::CountCharacters(rest) - (room - kLeftOut.size())));
    }
    line += TakeLine(rest, is_last ? rest.size() : room);
    lines.push_back(std::move(line));
  }
  return lines;
}

Table::Table(std::vector<std::string> header) : header_(std::move(header)) { Widen(header_); }

void Table::Add(std::vector<std::string> row) {
  Widen(row);
  rows_.push_back(std::move(row));
}

std::string Table::ToString() const {
  std::string text = Format(header_);
  for (const auto& row : rows_) text += Format(row);
  return text;
}

std::string Table::Line(const std::vector<std::string>& row) {
  Widen(row);
  return Format(row);
}

void Table::Widen(const std::vector<std::string>& row) {
  widths_.resize(std::max(widths_.size(), row.size()));
  for (size_t i = 0; i < row.size(); ++i) {
    widths_[i] = std::max(widths_[i], config::CountCharacters(row[i]));
  }
}

std::string Table::Format(const std::vector<std::string>& row) const {
  std::string line;
  for (size_t i = 0; i < row.size(); ++i) {
    line += row[i];
    if (i + 1 < row.size()) line.append(widths_[i] - config::CountCharacters(row[i]) + kGap, ' ');
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

std::string Age(std::chrono::seconds age) {
  const int64_t seconds = std::max<int64_t>(age.count(), 0);
  const int64_t minutes = seconds / 60;
  const int64_t hours = minutes / 60;
  const int64_t days = hours / 24;
  if (seconds < 120) return std::to_string(seconds) + "s";
  if (minutes < 10) return Two(minutes, "m", seconds % 60, "s");
  if (hours < 3) return std::to_string(minutes) + "m";
  if (hours < 8) return Two(hours, "h", minutes % 60, "m");
  if (hours < 48) return std::to_string(hours) + "h";
  if (days < 8) return Two(days, "d", hours % 24, "h");
  if (days < 365 * 2) return std::to_string(days) + "d";
  return Two(days / 365, "y", days % 365, "d");
}

std::string AgeSince(const google::protobuf::Timestamp& begin,
                     std::chrono::system_clock::time_point now) {
  if (begin.seconds() == 0 && begin.nanos() == 0) return "<unknown>";
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch());
  return Age(seconds - std::chrono::seconds(begin.seconds()));
}

}  // namespace krypton::cli
