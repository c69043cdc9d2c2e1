// openai, Responses.
import assert from "node:assert/strict";
import OpenAI from "openai";
import * as c from "./cases.mjs";

const TOOLS = [{ type: "function", name: "get_weather", parameters: c.WEATHER_SCHEMA, strict: false }];

export class Client {
  name = "node openai responses";

  constructor(url, key) {
    this.url = url;
    this.sdk = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0, timeout: 15_000 });
  }

  withKey(key) {
    return new Client(this.url, key);
  }

  ask(model, input, more = {}) {
    return this.sdk.responses.create({ model, input, ...more });
  }

  async text(model) {
    const answer = await this.ask(model, c.prompt("text"));
    assert.equal(answer.output_text, c.HELLO);
    assert.equal(answer.status, "completed");
    assert.deepEqual([answer.usage.input_tokens, answer.usage.output_tokens], [11, 7]);
  }

  async stream(model) {
    const events = [];
    for await (const event of await this.ask(model, c.prompt("stream"), { stream: true })) events.push(event);
    const deltas = events.filter((event) => event.type === "response.output_text.delta");
    assert.equal(deltas.map((event) => event.delta).join(""), c.HELLO);
    assert.deepEqual(events.map((event) => event.sequence_number), events.map((_, index) => index));
    assert.equal(events.at(-1).type, "response.completed");
    assert.equal(events.at(-1).response.usage.output_tokens, 7);
  }

  async tools(model, name = "tools", final = c.ONE_CITY) {
    const first = await this.ask(model, c.prompt(name), { tools: TOOLS, store: false });
    const calls = first.output.filter((item) => item.type === "function_call");
    c.expectCalls(calls.map((call) => [call.name, JSON.parse(call.arguments)]), name);
    const results = calls.map((call) => ({
      type: "function_call_output",
      call_id: call.call_id,
      output: c.DEGREES[JSON.parse(call.arguments).city],
    }));
    const input = [{ role: "user", content: c.prompt(name) }, ...first.output, ...results];
    const second = await this.ask(model, input, { tools: TOOLS, store: false });
    assert.equal(second.output_text, final);
  }

  parallel(model) {
    return this.tools(model, "parallel", c.TWO_CITIES);
  }

  async tools_stream(model) {
    const stream = this.sdk.responses.stream({ model, input: c.prompt("parallel"), tools: TOOLS });
    const { output } = await stream.finalResponse();
    const calls = output.filter((item) => item.type === "function_call");
    c.expectCalls(calls.map((call) => [call.name, JSON.parse(call.arguments)]), "parallel");
  }

  async images(model) {
    const content = [
      { type: "input_text", text: c.prompt("images") },
      { type: "input_image", image_url: `data:image/png;base64,${c.PIXEL}`, detail: "auto" },
    ];
    const answer = await this.ask(model, [{ role: "user", content }]);
    assert.equal(answer.output_text, "I see one pixel.");
  }

  async reasoning(model) {
    const answer = await this.ask(model, c.prompt("reasoning"), {
      reasoning: { effort: "high", summary: "auto" },
      include: ["reasoning.encrypted_content"],
      store: false,
    });
    assert.equal(answer.output_text, c.AFTER_THOUGHT);
    const thoughts = answer.output.filter((item) => item.type === "reasoning");
    assert.deepEqual(thoughts.map((item) => item.summary[0]?.text).filter(Boolean), [c.THOUGHT]);
  }

  async structured(model) {
    const format = { type: "json_schema", name: "weather", schema: c.ANSWER_SCHEMA, strict: true };
    const answer = await this.ask(model, c.prompt("structured"), { text: { format } });
    assert.deepEqual(JSON.parse(answer.output_text), c.STRUCTURED);
  }

  async leaveStream(model, text) {
    for await (const event of await this.ask(model, text, { stream: true })) {
      if (event.type === "response.output_text.delta") break;
    }
  }
}
