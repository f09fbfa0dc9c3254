"""The official MCP SDK 1.x against servers' URLs. Prints one JSON object a URL.
 Runs in the tests' legacy virtual environment.
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
            for b in (3, 4):
                result = await session.call_tool("add", {"a": round, "b": b})
                seen["sums"].append(result.content[0].text)
    return seen


for url in sys.argv[1:]:
    print(json.dumps(asyncio.run(talk(url, rounds=2))))
