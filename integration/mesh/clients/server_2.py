"""The MCP SDK 2.x as an agent; it speaks both eras. Runs in the tests' main virtual environment."""

import os

from mcp.server import MCPServer

server = MCPServer("tools")


@server.tool()
def add(a: int, b: int) -> str:
    """Adds two numbers."""
    return str(a + b)


server.run(transport="streamable-http", host="127.0.0.1", port=int(os.environ["PORT"]))
