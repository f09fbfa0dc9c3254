"""The MCP SDK 1.x as an agent, with sessions. Runs in the tests' legacy virtual environment."""

import os

from mcp.server.fastmcp import FastMCP

server = FastMCP("tools", host="0.0.0.0", port=int(os.environ["PORT"]))


@server.tool()
def add(a: int, b: int) -> str:
    """Adds two numbers."""
    return str(a + b)


server.run(transport="streamable-http")
