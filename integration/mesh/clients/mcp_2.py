"""The official MCP SDK 2.x against servers' URLs: usage mcp_2.py MODE,... URL...

A mode is auto, legacy or 2026-07-28; each is tried with each URL. Prints one JSON object for each. Runs in the tests' main virtual environment.
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
            for b in (3, 4):
                result = await client.call_tool("add", {"a": round, "b": b})
                seen["sums"].append(result.content[0].text)
    return seen


for url in sys.argv[2:]:
    for mode in sys.argv[1].split(","):
        print(json.dumps(asyncio.run(talk(url, mode, rounds=2))))
