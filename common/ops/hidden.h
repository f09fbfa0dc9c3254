// What the front keeps from cpp-httplib, and under which names it tells it instead. Pure functions.
//
// With the true names 0.11 would compress answers by itself (and delay streams), cut them into
// ranges, and parse multipart and form bodies, without our bounds.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "common/http/message.h"
#include "common/transcode/transcoder.h"

namespace krypton::ops {

// The client's IP address.
inline constexpr std::string_view kPeerField = "krypton-ops-peer";
inline constexpr std::string_view kAcceptEncodingField = "krypton-ops-accept-encoding";
inline constexpr std::string_view kContentTypeField = "krypton-ops-content-type";

// Fields of the client that never reach cpp-httplib under their own name.
inline constexpr std::array<std::string_view, 4> kDroppedFields = {
    "accept-encoding", "content-type", "range", "if-range"};

// Of a line of a head. cpp-httplib refuses what is longer by an answer without a body.
inline constexpr size_t kMaxLineBytes = 8192;

// Whether no field becomes a longer line there, where each '%' arrives as "%25" (forward.h).
bool FitsBackend(const http::Fields& fields);

// Gives the fields of a request their own names back, and takes the peer out of them.
void Unhide(transcode::Request& request);

}  // namespace krypton::ops
