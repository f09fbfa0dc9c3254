// What the protos say in words of their services, messages, enums and fields: for documents that
// are made from descriptors, which have lost their comments. Made at build time (comments_gen.cc).
#pragma once

#include <string_view>

namespace krypton {

// The comment before the declaration of this full name ("krypton.v1.Agent.metadata"), or behind it
// on its line, without comment marks; empty when there is none. Any thread.
std::string_view ProtoComment(std::string_view full_name);

}  // namespace krypton
