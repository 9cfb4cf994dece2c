"""The official MCP client against `lazaret mcp`, in one protocol revision; prints one line of JSON.

python mcp_client.py MODE COMMAND ARGUMENT..., where MODE is `legacy` or a revision.
"""

import asyncio
import json
import sys

from mcp import Client, StdioServerParameters


def told(result):
    """What matters of a result."""
    return {
        "error": bool(result.is_error),
        "text": "".join(block.text for block in result.content if block.type == "text"),
        "images": [block.mime_type for block in result.content if block.type == "image"],
        "structured": result.structured_content,
    }


async def main(mode, command, arguments):
    server = StdioServerParameters(command=command, args=arguments)
    async with Client(server, mode=mode) as client:
        tools = (await client.list_tools()).tools
        said = {"tools": [tool.name for tool in tools], "results": []}
        for line in sys.stdin:
            call = json.loads(line)
            try:
                result = told(await client.call_tool(call["tool"], call["arguments"]))
            except Exception as error:
                result = {"protocol_error": str(error)}
            said["results"].append(result)
        print(json.dumps(said))


asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
