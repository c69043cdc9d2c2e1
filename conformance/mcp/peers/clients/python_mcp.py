"""The official Python SDK: python_mcp.py URL legacy|modern TOOL ARGUMENTS. Prints what the tool answered."""

import asyncio
import json
import sys

from mcp import Client

MODES = {"legacy": "legacy", "modern": "2026-07-28"}


async def main(url, era, tool, arguments):
    async with Client(url, mode=MODES[era]) as client:
        listed = await client.list_tools()
        assert tool in [known.name for known in listed.tools], listed
        answer = await client.call_tool(tool, json.loads(arguments))
        print(answer.model_dump_json())


asyncio.run(main(*sys.argv[1:]))
