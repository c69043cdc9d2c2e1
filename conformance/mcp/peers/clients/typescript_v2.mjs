// The TypeScript SDK of both eras: typescript_v2.mjs URL legacy|modern TOOL ARGUMENTS. Prints what the tool answered.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const [url, era, tool, args] = process.argv.slice(2);
const mode = era === "modern" ? { pin: "2026-07-28" } : "legacy";
const client = new Client({ name: "typescript-v2", version: "1.0.0" }, { versionNegotiation: { mode } });
await client.connect(new StreamableHTTPClientTransport(new URL(url)));
const { tools } = await client.listTools();
if (!tools.some((known) => known.name === tool)) throw new Error(`no ${tool} among ${tools.length} tools`);
console.log(JSON.stringify(await client.callTool({ name: tool, arguments: JSON.parse(args) })));
await client.close();
