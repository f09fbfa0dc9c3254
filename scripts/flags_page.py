"""Writes docs/flags.md: the flags of every program, as `--help` says them.

    python3 scripts/flags_page.py build/release/bin           writes it
    python3 scripts/flags_page.py build/release/bin --check   says whether it is up to date; exit status 1
"""

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent / "docs" / "flags.md"
SERVERS = ["krypton-gateway", "krypton-manager", "krypton-control-plane", "krypton-proxy"]
HEAD = """# Flags

All flags of all programs, as `--help` says them. Each can be given as the variable beside it; the flag wins. In the
chart, `gateway.extraArgs`, `manager.extraArgs` and `controlPlane.extraArgs` add flags. Durations are Go's (`300s`,
`1h30m`); a boolean flag is switched off by `--no-FLAG` or `--FLAG=false`. What holds for every program stands in
[operations.md](operations.md).

Written by `python3 scripts/flags_page.py`; a test holds it against the programs.
"""
FLAG = re.compile(r"^  ((?:-\w, )?--\S+(?: .+)?)$")


def help_of(program, *command):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("KRYPTON_")}
    return subprocess.run([program, *command, "--help"], capture_output=True, text=True, check=True,
                          env=environment).stdout


def rows(text):
    """(flag with its placeholder, what it does, default, variable)."""
    lines = text.splitlines()
    for index, line in enumerate(lines):
        if not (flag := FLAG.match(line)):
            continue
        words = []
        for inner in lines[index + 1:]:
            if not inner.startswith("        "):
                break
            words.append(inner.strip())
        said = " ".join(words)
        variable = re.search(r" ?\[(KRYPTON_\w+)\]$", said)
        if variable:
            said = said[:variable.start()]
        default = re.search(r" ?\(default: (.*)\)$", said)
        if default:
            said = said[:default.start()]
        if flag[1] not in ("-h, --help", "--version"):
            yield flag[1], said, default[1] if default else "", variable[1] if variable else ""


def section(title, text):
    summary = re.search(r"^Usage:.*\n\n(.*(?:\n.+)*)", text)[1].replace("\n", " ")
    lines = [f"## {title}", "", summary, ""]
    found = list(rows(text))
    if found:
        lines += ["| flag | what it does | default | variable |", "|---|---|---|---|"]
        for flag, said, default, variable in found:
            shown = default if "`" in default else f"`{default}`" if default else ""
            cells = [f"`{flag}`", said, shown, f"`{variable}`" if variable else ""]
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines)


def page(binaries):
    parts = [HEAD] + [section(name, help_of(binaries / name)) for name in SERVERS]
    main = help_of(binaries / "krypton")
    for command in re.findall(r"^  ([a-z]+)\s{2,}\S", re.split(r"^Commands:$", main, flags=re.M)[1], re.M):
        parts.append(section(f"krypton {command}", help_of(binaries / "krypton", command)))
    return "\n".join(parts)


def main(arguments):
    text = page(Path(arguments[0]))
    same = PAGE.exists() and PAGE.read_text(encoding="utf-8") == text
    if "--check" in arguments:
        if not same:
            sys.exit("docs/flags.md differs from what the programs say: python3 scripts/flags_page.py BINARIES")
    elif not same:
        PAGE.write_text(text, encoding="utf-8")
        print("wrote docs/flags.md")


if __name__ == "__main__":
    main(sys.argv[1:])
