#include "manager/platform/local/supervisor/spec.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace krypton::supervisor {
namespace {

constexpr size_t kMaxBytes = 16 << 20;

// The whole input with a NUL behind it, or null.
char* ReadAll(int fd, size_t* size) {
  size_t capacity = 64 << 10;
  char* data = static_cast<char*>(malloc(capacity + 1));
  size_t used = 0;
  while (data != nullptr) {
    const ssize_t got = read(fd, data + used, capacity - used);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      if (got < 0) break;
      data[used] = '\0';
      *size = used;
      return data;
    }
    used += static_cast<size_t>(got);
    if (used < capacity) continue;
    if (capacity >= kMaxBytes) break;
    capacity *= 2;
    data = static_cast<char*>(realloc(data, capacity + 1));
  }
  return nullptr;
}

void Append(char*** list, char* value) {
  size_t count = 0;
  while (*list != nullptr && (*list)[count] != nullptr) ++count;
  // Doubles at powers of two; a list of one needs room for the null pointer too.
  if ((count & (count + 1)) == 0) {
    *list = static_cast<char**>(realloc(*list, (2 * count + 2) * sizeof(char*)));
  }
  (*list)[count] = value;
  (*list)[count + 1] = nullptr;
}

// False: the name is unknown.
bool Take(Spec* spec, const char* name, char* value) {
  const struct {
    const char* name;
    const char** text;
  } texts[] = {{"folder", &spec->folder},
               {"drain-token", &spec->drain_token},
               {"agent-folder", &spec->agent.folder},
               {"proxy-folder", &spec->proxy.folder}};
  for (const auto& row : texts) {
    if (strcmp(row.name, name) == 0) return *row.text = value, true;
  }
  const struct {
    const char* name;
    char*** list;
  } lists[] = {{"agent-arg", &spec->agent.argv},
               {"agent-env", &spec->agent.env},
               {"proxy-arg", &spec->proxy.argv},
               {"proxy-env", &spec->proxy.env}};
  for (const auto& row : lists) {
    if (strcmp(row.name, name) == 0) return Append(row.list, value), true;
  }
  const struct {
    const char* name;
    long* number;
  } numbers[] = {
      {"orphan-ms", &spec->orphan_ms}, {"grace-ms", &spec->grace_ms}, {"stop-ms", &spec->stop_ms}};
  for (const auto& row : numbers) {
    if (strcmp(row.name, name) == 0) return *row.number = atol(value), true;
  }
  if (strcmp(name, "log-bytes") != 0) return false;
  spec->log_bytes = static_cast<size_t>(atol(value));
  return true;
}

}  // namespace

const Spec* ReadSpec(int fd) {
  static Spec spec;
  size_t size = 0;
  char* data = ReadAll(fd, &size);
  if (data == nullptr) {
    dprintf(2, "krypton-supervisor: the spec on standard input cannot be read\n");
    return nullptr;
  }
  for (char* at = data; at < data + size;) {
    char* next = at + strlen(at) + 1;
    char* equals = strchr(at, '=');
    if (equals == nullptr) {
      dprintf(2, "krypton-supervisor: malformed spec\n");
      return nullptr;
    }
    *equals = '\0';
    if (!Take(&spec, at, equals + 1)) {
      dprintf(2, "krypton-supervisor: unknown spec field %s\n", at);
      return nullptr;
    }
    at = next;
  }
  if (spec.folder == nullptr || spec.agent.argv == nullptr || spec.proxy.argv == nullptr) {
    dprintf(2,
            "krypton-supervisor stands behind one replica and is started by krypton-manager, which "
            "writes its spec to standard input\n");
    return nullptr;
  }
  return &spec;
}

}  // namespace krypton::supervisor
