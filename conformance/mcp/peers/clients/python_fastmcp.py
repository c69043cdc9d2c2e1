"""FastMCP's client: python_fastmcp.py URL legacy|modern TOOL ARGUMENTS. Prints what the tool answered."""

import asyncio
import json
import sys

from fastmcp import Client

MODES = {"legacy": "legacy", "modern": "2026-07-28"}


async def main(url, era, tool, arguments):
    async with Client(url, mode=MODES[era]) as client:
        listed = await client.list_tools()
        assert tool in [known.name for known in listed], listed
        answer = await client.call_tool(tool, json.loads(arguments))
        print([block.model_dump_json() for block in answer.content])


asyncio.run(main(*sys.argv[1:]))
