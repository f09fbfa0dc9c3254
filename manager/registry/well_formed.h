// What the registry lets in: text that every client can parse, and no more than a message holds. A
// proto's string that is not UTF-8 makes the whole message unreadable for its receiver, and file
// names, errors and last words of processes may hold any bytes. Pure functions.
#pragma once

#include <vector>

#include "google/protobuf/message.h"
#include "krypton/v1/registry.pb.h"
#include "krypton/v1/resource.pb.h"

namespace krypton::manager {

// Every string in the message, at any depth; each wrong byte becomes U+FFFD. Not those in maps
// (labels, annotations, quantities): they come from readers of YAML and JSON that refuse such
// bytes.
void MakeUtf8(google::protobuf::Message& message);

// The problems as they are told: texts cut to a length for people, together at most `max_bytes`;
// the last one says how many more there are.
v1::ManifestProblems MakeProblems(const std::vector<v1::ManifestProblem>& problems,
                                  size_t max_bytes);

}  // namespace krypton::manager
