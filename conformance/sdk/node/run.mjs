// Puts every Node SDK through every case against every upstream dialect.
//
// run.mjs GATEWAY_URL KEY UPSTREAM_URL OUT.json [only-this-client]
import { writeFileSync } from "node:fs";
import { over, PROVIDERS } from "./ai-sdk.mjs";
import { Client as Anthropic } from "./anthropic.mjs";
import { CASES, runCase } from "./cases.mjs";
import { Client as OpenAIChat } from "./openai-chat.mjs";
import { Client as OpenAIResponses } from "./openai-responses.mjs";

const MODELS = ["via-openai-chat", "via-openai-responses", "via-anthropic", "via-gemini", "via-bedrock", "via-cohere"];
const [gateway, key, upstream, out, wanted = ""] = process.argv.slice(2);

globalThis.AI_SDK_LOG_WARNINGS = false;
// A stream that was left rejects promises nobody waits for; each case has its own judge.
process.on("unhandledRejection", () => {});

const clients = [
  new OpenAIChat(gateway, key),
  new OpenAIResponses(gateway, key),
  new Anthropic(gateway, key),
  ...PROVIDERS.map((provider) => over(provider)(gateway, key)),
];

const results = {};
for (const client of clients.filter((client) => client.name.includes(wanted))) {
  const pairs = {};
  for (const model of MODELS) {
    pairs[model] = {};
    for (const name of CASES) pairs[model][name] = await runCase(client, name, model, upstream);
  }
  results[client.name] = pairs;
  const verdicts = Object.values(pairs).flatMap((pair) => Object.values(pair));
  const passed = verdicts.filter((verdict) => verdict === "pass").length;
  console.log(`${client.name}: ${passed} of ${verdicts.length}`);
}
writeFileSync(out, JSON.stringify(results, null, 1));
process.exit(0);
