// The TypeScript SDK of the era of sessions: typescript_v1.mjs URL legacy TOOL ARGUMENTS. Prints what the tool answered.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [url, , tool, args] = process.argv.slice(2);
const client = new Client({ name: "typescript-v1", version: "1.0.0" });
await client.connect(new StreamableHTTPClientTransport(new URL(url)));
const { tools } = await client.listTools();
if (!tools.some((known) => known.name === tool)) throw new Error(`no ${tool} among ${tools.length} tools`);
console.log(JSON.stringify(await client.callTool({ name: tool, arguments: JSON.parse(args) })));
await client.close();
