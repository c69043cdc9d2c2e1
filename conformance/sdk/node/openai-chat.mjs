// openai, Chat Completions.
import assert from "node:assert/strict";
import OpenAI from "openai";
import * as c from "./cases.mjs";

const TOOLS = [{ type: "function", function: { name: "get_weather", parameters: c.WEATHER_SCHEMA } }];

export class Client {
  name = "node openai chat";

  constructor(url, key) {
    this.url = url;
    this.sdk = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0, timeout: 15_000 });
  }

  withKey(key) {
    return new Client(this.url, key);
  }

  ask(model, text, more = {}) {
    return this.sdk.chat.completions.create({ model, messages: [{ role: "user", content: text }], ...more });
  }

  async text(model) {
    const answer = await this.ask(model, c.prompt("text"));
    assert.equal(answer.choices[0].message.content, c.HELLO);
    assert.equal(answer.choices[0].finish_reason, "stop");
    assert.deepEqual([answer.usage.prompt_tokens, answer.usage.completion_tokens], [11, 7]);
  }

  async stream(model) {
    const chunks = [];
    const options = { stream: true, stream_options: { include_usage: true } };
    for await (const chunk of await this.ask(model, c.prompt("stream"), options)) chunks.push(chunk);
    assert.equal(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join(""), c.HELLO);
    assert.deepEqual(chunks.map((chunk) => chunk.choices[0]?.finish_reason).filter(Boolean), ["stop"]);
    assert.equal(chunks.at(-1).usage.completion_tokens, 7);
  }

  async tools(model, name = "tools", final = c.ONE_CITY) {
    const messages = [{ role: "user", content: c.prompt(name) }];
    const first = await this.sdk.chat.completions.create({ model, messages, tools: TOOLS });
    const { message, finish_reason } = first.choices[0];
    assert.equal(finish_reason, "tool_calls");
    c.expectCalls(message.tool_calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]), name);
    messages.push(message);
    for (const call of message.tool_calls) {
      const content = c.DEGREES[JSON.parse(call.function.arguments).city];
      messages.push({ role: "tool", tool_call_id: call.id, content });
    }
    const second = await this.sdk.chat.completions.create({ model, messages, tools: TOOLS });
    assert.equal(second.choices[0].message.content, final);
  }

  parallel(model) {
    return this.tools(model, "parallel", c.TWO_CITIES);
  }

  async tools_stream(model) {
    const messages = [{ role: "user", content: c.prompt("parallel") }];
    const stream = this.sdk.chat.completions.stream({ model, messages, tools: TOOLS });
    const { tool_calls } = await stream.finalMessage();
    c.expectCalls(tool_calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]), "parallel");
  }

  async images(model) {
    const content = [
      { type: "text", text: c.prompt("images") },
      { type: "image_url", image_url: { url: `data:image/png;base64,${c.PIXEL}` } },
    ];
    const answer = await this.sdk.chat.completions.create({ model, messages: [{ role: "user", content }] });
    assert.equal(answer.choices[0].message.content, "I see one pixel.");
  }

  async reasoning(model) {
    const answer = await this.ask(model, c.prompt("reasoning"), { reasoning_effort: "high" });
    assert.equal(answer.choices[0].message.content, c.AFTER_THOUGHT);
    assert.equal(answer.choices[0].message.reasoning_content, c.THOUGHT);
  }

  async structured(model) {
    const json_schema = { name: "weather", schema: c.ANSWER_SCHEMA, strict: true };
    const answer = await this.ask(model, c.prompt("structured"), { response_format: { type: "json_schema", json_schema } });
    assert.deepEqual(JSON.parse(answer.choices[0].message.content), c.STRUCTURED);
  }

  async leaveStream(model, text) {
    for await (const chunk of await this.ask(model, text, { stream: true })) {
      if (chunk.choices[0]?.delta.content) break;
    }
  }
}
