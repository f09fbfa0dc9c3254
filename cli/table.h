// Text for people: tables as kubectl aligns them, and times as ages. Pure.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace google::protobuf {
class Timestamp;
}

namespace krypton::cli {

// Columns aligned, three blanks between, no blanks at line ends. Rows that are added later (a
// watch) keep the widths that the table has by then, and widen it where they must.
class Table {
 public:
  explicit Table(std::vector<std::string> header);

  void Add(std::vector<std::string> row);
  // The header and all rows.
  std::string ToString() const;
  // One row with the widths of the table, without adding it.
  std::string Line(const std::vector<std::string>& row);
  const std::vector<std::string>& header() const { return header_; }

 private:
  void Widen(const std::vector<std::string>& row);
  std::string Format(const std::vector<std::string>& row) const;

  std::vector<std::string> header_;
  std::vector<std::vector<std::string>> rows_;
  std::vector<size_t> widths_;
};

// As kubectl writes them: 45s, 3m10s, 25m, 5h12m, 3d4h, 40d, 2y10d. Negative counts as 0.
std::string Age(std::chrono::seconds age);
// Of something that began at `begin`; "<unknown>" when unset.
std::string AgeSince(const google::protobuf::Timestamp& begin,
                     std::chrono::system_clock::time_point now);

// `text` in lines of at most `width` characters, broken at blanks where there are any; all but the
// first are indented. Of more than `max_lines` (at least 2) the middle is left out, since a cause
// stands at the end.
std::vector<std::string> Wrap(const std::string& text, size_t width, size_t max_lines);

}  // namespace krypton::cli
