"""Reads what CTest (or pytest) wrote and closes a run: failures by name, skips with reasons, and one line of totals.

A CTest entry that runs a pytest file counts as its tests; every other entry counts as one.
"""

import re
import sys
import xml.etree.ElementTree as xml

COUNTS = re.compile(r"(\d+) (passed|failed|errors?|skipped)")


def counts_of(case):
    """(passed, failed, skipped) of one entry."""
    output = case.findtext("system-out") or ""
    status = case.get("status")
    closing = [line for line in output.splitlines() if re.search(r"\b(passed|failed|skipped)\b.* in [0-9.]+s", line)]
    if closing:
        found = {word.rstrip("s"): int(number) for number, word in COUNTS.findall(closing[-1])}
        failed = found.get("failed", 0) + found.get("error", 0)
        if status == "fail" and not failed:
            failed = 1
        return found.get("passed", 0), failed, found.get("skipped", 0)
    if status == "run":
        return 1, 0, 0
    return (0, 1, 0) if status == "fail" else (0, 0, 1)


def counts_of_pytest(path):
    """(passed, failed, skipped) of what pytest itself wrote; None for CTest's file."""
    suite = xml.parse(path).getroot().find("testsuite[@name='pytest']")
    if suite is None:
        return None
    number = {key: int(suite.get(key)) for key in ("tests", "failures", "errors", "skipped")}
    failed = number["failures"] + number["errors"]
    return number["tests"] - failed - number["skipped"], failed, number["skipped"]


def main(path, *more):
    """`more`: further files of pytest, after one of pytest."""
    if counts := counts_of_pytest(path):  # It has said the rest itself.
        total = map(sum, zip(counts, *map(counts_of_pytest, more)))
        return print("{} passed, {} failed, {} skipped".format(*total))
    total, failures, skips = [0, 0, 0], [], []
    for case in xml.parse(path).getroot().iter("testcase"):
        counts = counts_of(case)
        total = [a + b for a, b in zip(total, counts)]
        output = case.findtext("system-out") or ""
        if counts[1]:
            failures.append(case.get("name"))
            failures += [f"  {line}" for line in output.splitlines() if line.startswith(("FAILED ", "ERROR "))]
        if counts[2]:
            reasons = [line for line in output.splitlines() if line.startswith("SKIPPED ")]
            skips += [f"{case.get('name')}: {reason}" for reason in reasons or ["skipped"]]
    for title, lines in (("Skipped:", skips), ("Failed:", failures)):
        if lines:
            print(title, *lines, sep="\n  ")
    print(f"{total[0]} passed, {total[1]} failed, {total[2]} skipped")


if __name__ == "__main__":
    main(*sys.argv[1:])
