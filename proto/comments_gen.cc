// comments_gen DESCRIPTOR_SET: writes the source of ProtoComment (comments.h) for a descriptor set
// that protoc made with --include_source_info. A program of the build.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <cstdio>
#include <fstream>
#include <map>
#include <string>

namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;
using google::protobuf::FileDescriptorSet;
using google::protobuf::SourceLocation;

// Sorted, for a search by halves.
using Comments = std::map<std::string, std::string>;

// Lines joined by blanks, paragraphs by an empty line.
std::string Flow(const std::string& comment) {
  std::string flowed;
  size_t begin = 0;
  while (begin < comment.size()) {
    const size_t end = std::min(comment.find('\n', begin), comment.size());
    const size_t first = std::min(comment.find_first_not_of(" \t", begin), end);
    const std::string line = comment.substr(first, end - first);
    if (line.empty()) {
      if (!flowed.empty() && flowed.back() != '\n') flowed += "\n\n";
    } else {
      if (!flowed.empty() && flowed.back() != '\n') flowed += ' ';
      flowed += line;
    }
    begin = end + 1;
  }
  flowed.erase(flowed.find_last_not_of(" \n") + 1);
  return flowed;
}

template <class Descriptor>
void Add(const Descriptor& of, Comments& comments) {
  SourceLocation location;
  if (!of.GetSourceLocation(&location)) return;
  std::string text = Flow(location.leading_comments);
  if (text.empty()) text = Flow(location.trailing_comments);
  if (!text.empty()) comments[of.full_name()] = text;
}

void AddMessage(const google::protobuf::Descriptor& message, Comments& comments) {
  Add(message, comments);
  for (int i = 0; i < message.field_count(); ++i) Add(*message.field(i), comments);
  for (int i = 0; i < message.enum_type_count(); ++i) Add(*message.enum_type(i), comments);
  for (int i = 0; i < message.nested_type_count(); ++i) {
    AddMessage(*message.nested_type(i), comments);
  }
}

void AddFile(const FileDescriptor& file, Comments& comments) {
  for (int i = 0; i < file.message_type_count(); ++i) AddMessage(*file.message_type(i), comments);
  for (int i = 0; i < file.enum_type_count(); ++i) Add(*file.enum_type(i), comments);
  for (int i = 0; i < file.service_count(); ++i) {
    Add(*file.service(i), comments);
    for (int m = 0; m < file.service(i)->method_count(); ++m) {
      Add(*file.service(i)->method(m), comments);
    }
  }
}

void Write(const Comments& comments) {
  std::printf(
      "#include \"proto/comments.h\"\n\n#include <algorithm>\n#include <iterator>\n\n"
      "namespace krypton {\nnamespace {\n\n"
      "struct Entry {\n  std::string_view name;\n  std::string_view comment;\n};\n\n"
      "constexpr Entry kEntries[] = {\n    {\"\", \"\"},\n");
  for (const auto& [name, comment] : comments) {
    std::printf("    {\"%s\", R\"~~(%s)~~\"},\n", name.c_str(), comment.c_str());
  }
  std::printf(
      "};\n\n}  // namespace\n\n"
      "std::string_view ProtoComment(std::string_view full_name) {\n"
      "  const auto* found = std::lower_bound(\n"
      "      std::begin(kEntries), std::end(kEntries), full_name,\n"
      "      [](const Entry& entry, std::string_view name) { return entry.name < name; });\n"
      "  if (found == std::end(kEntries) || found->name != full_name) return {};\n"
      "  return found->comment;\n}\n\n}  // namespace krypton\n");
}

}  // namespace

int main(int count, char** arguments) {
  FileDescriptorSet set;
  std::ifstream stream(count == 2 ? arguments[1] : "", std::ios::binary);
  if (!set.ParseFromIstream(&stream)) {
    std::fprintf(stderr, "comments_gen: the argument is not a descriptor set\n");
    return 1;
  }
  DescriptorPool pool;
  Comments comments;
  for (const auto& proto : set.file()) {
    const FileDescriptor* file = pool.BuildFile(proto);
    if (file == nullptr) return 1;  // Protobuf says why.
    if (file->package().rfind("krypton.", 0) == 0) AddFile(*file, comments);
  }
  Write(comments);
  return 0;
}
