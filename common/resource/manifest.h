// Manifests: YAML as kubectl takes it, read into checked and defaulted resources, and written back.
// Pure functions that any thread may call. Nothing in a manifest ends the process or takes long:
// what is too large, too deep, cyclic, not UTF-8 or not understood becomes a problem that says
// where and why, and the file's other documents are read all the same.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/resource/resource.h"
#include "krypton/v1/resource.pb.h"

namespace krypton::resource {

// Where the resource will run; a few rules differ.
enum class Target {
  // `krypton.ai/local-command` is required beside the image; `source.path` is allowed.
  kLocal,
  kCluster,
};

struct ManifestLimits {
  // Of one file: the same that a cluster takes as one object, and room for several.
  size_t max_file_bytes = 4 << 20;
  // Of one scalar. Kubernetes allows 256 KiB for all annotations together.
  size_t max_scalar_bytes = 256 << 10;
  // Of one document, after its aliases are followed.
  size_t max_nodes = 50'000;
  int max_depth = 64;
  int max_documents = 10'000;
  // Reported for one file; the last one says how many more there are.
  size_t max_problems = 100;
};

// A resource and the place of its document.
struct ManifestResource {
  std::shared_ptr<const Resource> resource;
  // From 1; documents without content do not count.
  int document = 0;
  // The line at which the document begins, from 1.
  int line = 0;
};

struct Manifest {
  std::vector<ManifestResource> resources;
  // A document has either its resource above, or one or more problems here. The key is set as far
  // as the document says it.
  std::vector<v1::ManifestProblem> problems;
};

// `file` is only repeated in problems. A key that comes twice is a problem of the later document.
Manifest ParseManifest(std::string_view file, std::string_view yaml, Target target,
                       const ManifestLimits& limits = {});

// One document, with apiVersion and kind, without what is unset; reads back as the same resource.
std::string ToYaml(const v1::Agent& agent);
std::string ToYaml(const v1::Model& model);

// `agents.yaml:12 (document 2): agent "default/echo": spec.port ...`: one line for a person.
std::string ToString(const v1::ManifestProblem& problem);

}  // namespace krypton::resource
