#include "common/resource/llama_cpp.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>

namespace krypton::resource {
namespace {

class CommandLine {
 public:
  explicit CommandLine(const v1::ModelSpec& spec) : spec_(spec) {}

  // `names` are all spellings of one flag; the first is used.
  void Add(std::initializer_list<std::string_view> names, const std::string& value) {
    if (value.empty() || SaysItself(names)) return;
    words_.emplace_back(*names.begin());
    words_.push_back(value);
  }

  std::vector<std::string> Take() {
    words_.insert(words_.end(), spec_.args().begin(), spec_.args().end());
    return std::move(words_);
  }

 private:
  bool SaysItself(std::initializer_list<std::string_view> names) const {
    return std::any_of(spec_.args().begin(), spec_.args().end(), [&](const std::string& argument) {
      const std::string_view flag = std::string_view(argument).substr(0, argument.find('='));
      return std::find(names.begin(), names.end(), flag) != names.end();
    });
  }

  const v1::ModelSpec& spec_;
  std::vector<std::string> words_;
};

}  // namespace

std::vector<std::string> LlamaServerFlags(const v1::Model& model, const std::string& host,
                                          int port) {
  const v1::ModelSource& source = model.spec().source();
  CommandLine line(model.spec());
  line.Add({"--host"}, host);
  line.Add({"--port"}, std::to_string(port));
  line.Add({"--alias", "-a"}, model.metadata().name());
  line.Add({"--model", "-m"}, source.path());
  line.Add({"--hf-repo", "-hf", "-hfr"}, source.huggingface());
  line.Add({"--hf-file", "-hff"}, source.file());
  line.Add({"--parallel", "-np"}, std::to_string(model.spec().concurrency()));
  return line.Take();
}

}  // namespace krypton::resource
