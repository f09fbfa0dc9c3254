// Status, as it is applied to the status subresource of an Agent or a Model. Pure.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "boost/json/object.hpp"
#include "manager/platform/kubernetes/objects/declared.h"
#include "manager/platform/platform.h"

namespace krypton::kube {

// The whole intent of Krypton's part of it. The uid is in it, so that nothing of one resource is
// said of another that took its name meanwhile.
boost::json::object StatusObject(const Declared& declared, const platform::Status& status);

// Of a resource whose spec is not valid: what was said of its last good version (default-made where
// there is none), and that the present one is not accepted. A condition keeps the time of its last
// transition from what is written already.
platform::Status RefusedStatus(const Declared& declared, const platform::Status& before,
                               std::chrono::system_clock::time_point now);

// Two that are written alike.
bool SameStatus(const platform::Status& a, const platform::Status& b);

}  // namespace krypton::kube
