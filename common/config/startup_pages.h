// Of the code and constants that a process maps, most serve only its start (or the kernel mapped
// them because they lie beside what was needed). They count in its resident size for ever, although
// they are pages of files that the kernel can map again at any time.
#pragma once

namespace krypton::config {

// Unmaps the pages of all read-only segments of the program and its libraries; those that are
// needed come back by themselves, from the page cache. Called once, at the end of a start. A
// sidecar is half as large afterwards. Any thread.
void ReleaseStartupPages();

}  // namespace krypton::config
