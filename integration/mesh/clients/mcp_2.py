"""The official MCP SDK 2.x against a server's URL: usage mcp_2.py URL auto|legacy|2026-07-28 [ROUNDS].

Prints one JSON object. Runs in the tests' main virtual environment.
"""

import asyncio
import json
import sys

from mcp import Client


async def talk(url, mode, rounds):
    seen = {"sums": []}
    for round in range(rounds):
        async with Client(url, mode=mode) as client:
            seen["version"] = client.protocol_version
            seen["tools"] = sorted(tool.name for tool in (await client.list_tools()).tools)
            result = await client.call_tool("add", {"a": round, "b": 3})
            seen["sums"].append(result.content[0].text)
    return seen


rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 1
print(json.dumps(asyncio.run(talk(sys.argv[1], sys.argv[2], rounds))))
