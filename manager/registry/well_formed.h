// What the registry lets in: text that every client can parse. A proto's string that is not UTF-8
// makes the whole message unreadable for its receiver, and file names, errors and last words of
// processes may hold any bytes. Pure functions.
#pragma once

#include <vector>

#include "google/protobuf/message.h"
#include "krypton/v1/resource.pb.h"

namespace krypton::manager {

// Every string in the message, at any depth; each wrong byte becomes U+FFFD. Not those in maps
// (labels, annotations, quantities): they come from readers of YAML and JSON that refuse such
// bytes.
void MakeUtf8(google::protobuf::Message& message);

}  // namespace krypton::manager
