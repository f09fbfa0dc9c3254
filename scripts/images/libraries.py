"""What a program needs at run time, and from which Debian package each file comes."""

import functools
import os
import re
import subprocess
from dataclasses import dataclass

LINE = re.compile(r"^\s*(?:\S+ => )?(/\S+) \(0x")


@dataclass(frozen=True)
class Package:
    name: str
    version: str
    architecture: str
    source: str
    source_version: str
    homepage: str


def needed(program):
    """Paths of the shared libraries and the loader that PROGRAM is started with."""
    listing = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    if missing := [line.strip() for line in listing.splitlines() if "not found" in line]:
        raise SystemExit(f"{program} lacks libraries: {missing}")
    return {match[1] for line in listing.splitlines() if (match := LINE.match(line))}


def in_image(path):
    """Where a library lies in an image: Debian's /lib and /lib64 are links into /usr."""
    return path if path.startswith("/usr/") else "/usr" + path


def linked_in(program):
    """Archives that the build put into PROGRAM itself, as its linker's launcher wrote them down."""
    listing = program + ".archives"
    if not os.path.exists(listing):
        return set()
    with open(listing, encoding="utf-8") as file:
        return set(file.read().split())


def spellings(path):
    """What dpkg may know a file by: as it is named, its target, and that before /lib became a link into /usr."""
    real = os.path.realpath(path)
    return [path, real, re.sub("^/usr", "", real)]


def owners(paths):
    """Names of the packages that installed PATHS."""
    asked = sorted({each for path in paths for each in spellings(path)})
    # One question for all: each reads dpkg's whole database. It complains about the spellings it does not know.
    answer = subprocess.run(["dpkg-query", "--search", *asked], capture_output=True, text=True).stdout
    known = {file: names.split(",")[0].partition(":")[0]
             for names, file in (line.split(": ", 1) for line in answer.splitlines()
                                 if not line.startswith("diversion by "))}
    found = {path: next((known[each] for each in spellings(path) if each in known), None) for path in paths}
    if unknown := [path for path, name in found.items() if name is None]:
        raise SystemExit(f"no package owns {unknown}")
    return set(found.values())


@functools.cache
def package(name):
    fields = ["Package", "Version", "Architecture", "source:Package", "source:Version", "Homepage"]
    form = "\t".join(f"${{{field}}}" for field in fields)
    shown = subprocess.run(["dpkg-query", "--show", f"--showformat={form}", name],
                           capture_output=True, text=True, check=True).stdout
    return Package(*shown.split("\t"))


def packages_of(paths):
    return [package(name) for name in sorted(owners(paths))] if paths else []


def files_of(names):
    """Regular files and links that the packages NAMES install."""
    listed = subprocess.run(["dpkg-query", "--listfiles", *names], capture_output=True, text=True, check=True)
    return [path for path in listed.stdout.split("\n") if os.path.isfile(path) or os.path.islink(path)]
