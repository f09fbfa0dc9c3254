"""The official MCP SDK 1.x against a server's URL: usage mcp_1.py URL [ROUNDS].

Prints one JSON object. Runs in the tests' legacy virtual environment.
"""

import asyncio
import json
import sys

from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client


async def talk(url, rounds):
    seen = {"sums": []}
    for round in range(rounds):
        async with streamable_http_client(url) as (read, write, _), ClientSession(read, write) as session:
            seen["version"] = (await session.initialize()).protocolVersion
            seen["tools"] = sorted(tool.name for tool in (await session.list_tools()).tools)
            result = await session.call_tool("add", {"a": round, "b": 3})
            seen["sums"].append(result.content[0].text)
    return seen


rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 1
print(json.dumps(asyncio.run(talk(sys.argv[1], rounds))))
