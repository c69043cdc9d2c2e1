// @anthropic-ai/sdk, Messages.
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import * as c from "./cases.mjs";

const TOOLS = [{ name: "get_weather", description: "The weather.", input_schema: c.WEATHER_SCHEMA }];

export class Client {
  name = "node anthropic";

  constructor(url, key) {
    this.url = url;
    this.sdk = new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0, timeout: 15_000 });
  }

  withKey(key) {
    return new Client(this.url, key);
  }

  ask(model, text, more = {}) {
    const messages = [{ role: "user", content: text }];
    return this.sdk.messages.create({ model, max_tokens: 1024, messages, ...more });
  }

  async text(model) {
    const answer = await this.ask(model, c.prompt("text"));
    assert.deepEqual(answer.content.map((block) => block.text), [c.HELLO]);
    assert.equal(answer.stop_reason, "end_turn");
    assert.deepEqual([answer.usage.input_tokens, answer.usage.output_tokens], [11, 7]);
  }

  async stream(model) {
    const messages = [{ role: "user", content: c.prompt("stream") }];
    const stream = this.sdk.messages.stream({ model, max_tokens: 1024, messages });
    assert.equal(await stream.finalText(), c.HELLO);
    const final = await stream.finalMessage();
    assert.equal(final.stop_reason, "end_turn");
    assert.equal(final.usage.output_tokens, 7);
  }

  async tools(model, name = "tools", final = c.ONE_CITY) {
    const messages = [{ role: "user", content: c.prompt(name) }];
    const first = await this.ask(model, c.prompt(name), { tools: TOOLS });
    assert.equal(first.stop_reason, "tool_use");
    const calls = first.content.filter((block) => block.type === "tool_use");
    c.expectCalls(calls.map((call) => [call.name, call.input]), name);
    const content = calls.map((call) => ({
      type: "tool_result",
      tool_use_id: call.id,
      content: c.DEGREES[call.input.city],
    }));
    messages.push({ role: "assistant", content: first.content }, { role: "user", content });
    const second = await this.sdk.messages.create({ model, max_tokens: 1024, messages, tools: TOOLS });
    assert.deepEqual(second.content.map((block) => block.text), [final]);
  }

  parallel(model) {
    return this.tools(model, "parallel", c.TWO_CITIES);
  }

  async tools_stream(model) {
    const messages = [{ role: "user", content: c.prompt("parallel") }];
    const stream = this.sdk.messages.stream({ model, max_tokens: 1024, messages, tools: TOOLS });
    const { content } = await stream.finalMessage();
    const calls = content.filter((block) => block.type === "tool_use");
    c.expectCalls(calls.map((call) => [call.name, call.input]), "parallel");
  }

  async images(model) {
    const source = { type: "base64", media_type: "image/png", data: c.PIXEL };
    const answer = await this.ask(model, [{ type: "text", text: c.prompt("images") }, { type: "image", source }]);
    assert.equal(answer.content[0].text, "I see one pixel.");
  }

  async reasoning(model) {
    const thinking = { type: "enabled", budget_tokens: 1024 };
    const answer = await this.ask(model, c.prompt("reasoning"), { max_tokens: 4096, thinking });
    const of = (type) => answer.content.filter((block) => block.type === type);
    assert.deepEqual(of("thinking").map((block) => block.thinking).filter(Boolean), [c.THOUGHT]);
    assert.deepEqual(of("text").map((block) => block.text), [c.AFTER_THOUGHT]);
  }

  async structured(model) {
    const output_config = { format: { type: "json_schema", schema: c.ANSWER_SCHEMA } };
    const answer = await this.ask(model, c.prompt("structured"), { output_config });
    assert.deepEqual(JSON.parse(answer.content[0].text), c.STRUCTURED);
  }

  async leaveStream(model, text) {
    for await (const event of await this.ask(model, text, { stream: true })) {
      if (event.type === "content_block_delta") break;
    }
  }
}
