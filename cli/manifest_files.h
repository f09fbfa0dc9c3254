// Which files are manifests by their name. Pure but for the listing of a folder.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace krypton::cli {

// *.yaml, *.yml, *.json, but not what editors keep beside them (.a.yaml, #a.yaml#).
bool IsManifestName(std::string_view name);
// What of these the manager follows in a folder: all but *.json.
bool IsFollowedName(std::string_view name);

// The files of `folder` whose names `is_wanted` takes, as paths in order; none of a folder that
// cannot be read.
std::vector<std::string> FilesIn(const std::string& folder, bool (*is_wanted)(std::string_view));

}  // namespace krypton::cli
