#!/usr/bin/env python3
"""A linker's launcher (RULE_LAUNCH_LINK): links the static archive of each library that has one, and writes
their paths to OUTPUT.archives, for the program's bill of materials.

Debian's CMake packages name shared libraries only. The sidecar runs thousands of times, and for it
the archives are worth having: it starts in half the time and maps less memory.
"""

import os
import re
import subprocess
import sys

SHARED = re.compile(r"^(/.*/lib[^/]*?)\.so[\d.]*$")
# Of the C library: always shared.
KEPT = {"libm.a", "libdl.a", "librt.a", "libpthread.a", "libatomic.a"}


def archive_of(word, folder):
    if match := SHARED.match(word):
        archive = match.group(1) + ".a"
    elif word.startswith("-l"):
        archive = f"{folder}/lib{word[2:]}.a"
    else:
        return word
    usable = os.path.exists(archive) and os.path.basename(archive) not in KEPT
    return archive if usable else word


def needs_of(archive):
    """What an archive needs besides itself: it cannot say so, its pkg-config file can (libcrypto on Debian 13: zstd)."""
    folder, name = os.path.split(archive)
    if not os.path.exists(f"{folder}/pkgconfig/{name[:-2]}.pc"):
        return []
    query = ["pkg-config", "--static", "--libs-only-l", name[:-2]]
    found = subprocess.run(query, capture_output=True, text=True, check=False).stdout.split()
    return [archive_of(word, folder) for word in found]


words = sys.argv[1:]
folders = [os.path.dirname(word) for word in words if SHARED.match(word)]
words = [archive_of(word, folders[0] if folders else "/usr/lib") for word in words]
archives = {word for word in words if word.startswith("/") and word.endswith(".a")}
words += sorted({need for archive in archives for need in needs_of(archive)} - set(words))
first = next(i for i, word in enumerate(words) if word.endswith(".a"))
group = [*words[:first], "-Wl,--start-group", *words[first:], "-Wl,--end-group", "-ldl"]
with open(words[words.index("-o") + 1] + ".archives", "w", encoding="utf-8") as listing:
    listing.write("\n".join(sorted({word for word in words if word.startswith("/") and word.endswith(".a")})) + "\n")
sys.exit(subprocess.call(group))
