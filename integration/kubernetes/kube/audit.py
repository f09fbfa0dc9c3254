"""What service accounts asked the API server, by its audit log."""

import json
import os
from pathlib import Path

from .mesh import SYSTEM

MANAGER = f"system:serviceaccount:{SYSTEM}:krypton-manager"
WRITES = ("create", "update", "patch", "delete")


def log():
    return Path(os.environ["KUBECONFIG"]).parent / "log" / "audit.jsonl"


def now():
    """The place up to which it is written, for `events`."""
    return log().stat().st_size


def events(since=0):
    with open(log(), encoding="utf-8") as file:
        file.seek(since)
        # The last line may be half written.
        return [json.loads(line) for line in file if line.endswith("\n")]


def by_manager(since=0):
    return [event for event in events(since) if event["user"]["username"] == MANAGER and "objectRef" in event]
