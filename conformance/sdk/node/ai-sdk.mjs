// The AI SDK (`ai`) over its own providers: one client per provider, the same cases through one interface.
import assert from "node:assert/strict";
import { createAmazonBedrock } from "@ai-sdk/amazon-bedrock";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createCohere } from "@ai-sdk/cohere";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, isStepCount, jsonSchema, Output, streamText, tool } from "ai";
import * as c from "./cases.mjs";

const DIALECTS = {
  "openai chat": {
    model: (url, key) => createOpenAI({ baseURL: `${url}/v1`, apiKey: key }).chat,
    thinking: { openai: { reasoningEffort: "high", forceReasoning: true } },
    // The AI SDK's OpenAI provider reads no reasoning out of Chat Completions, which have no standard place for it.
    showsThoughts: false,
  },
  "openai responses": {
    model: (url, key) => createOpenAI({ baseURL: `${url}/v1`, apiKey: key }).responses,
    thinking: { openai: { reasoningEffort: "high", reasoningSummary: "auto", forceReasoning: true, store: false } },
    showsThoughts: true,
  },
  anthropic: {
    model: (url, key) => createAnthropic({ baseURL: `${url}/v1`, apiKey: key }),
    thinking: { anthropic: { thinking: { type: "enabled", budgetTokens: 1024 } } },
    showsThoughts: true,
  },
  google: {
    model: (url, key) => createGoogleGenerativeAI({ baseURL: `${url}/v1beta`, apiKey: key }),
    thinking: { google: { thinkingConfig: { includeThoughts: true, thinkingBudget: 1024 } } },
    showsThoughts: true,
  },
  "amazon-bedrock": {
    model: (url, key) =>
      createAmazonBedrock({ baseURL: url, region: "us-east-1", accessKeyId: key, secretAccessKey: "any" }),
    thinking: { bedrock: { reasoningConfig: { type: "enabled", budgetTokens: 1024 } } },
    // It asks only models for reasoning whose name says that they are Anthropic's.
    thinkingModel: (model) => `anthropic.${model}`,
    showsThoughts: true,
  },
  cohere: {
    model: (url, key) => createCohere({ baseURL: `${url}/v2`, apiKey: key }),
    thinking: { cohere: { thinking: { type: "enabled", tokenBudget: 1024 } } },
    showsThoughts: true,
  },
};

const weather = tool({
  description: "The weather.",
  inputSchema: jsonSchema(c.WEATHER_SCHEMA),
  execute: async ({ city }) => c.DEGREES[city],
});

class Client {
  constructor(provider, url, key) {
    this.name = `node ai over @ai-sdk ${provider}`;
    this.provider = provider;
    this.url = url;
    this.dialect = DIALECTS[provider];
    this.model = this.dialect.model(url, key);
  }

  withKey(key) {
    return new Client(this.provider, this.url, key);
  }

  options(model, text, more = {}) {
    return { model: this.model(model), prompt: text, maxRetries: 0, abortSignal: AbortSignal.timeout(15_000), ...more };
  }

  ask(model, text, more) {
    return generateText(this.options(model, text, more));
  }

  async text(model) {
    const answer = await this.ask(model, c.prompt("text"));
    assert.equal(answer.text, c.HELLO);
    assert.equal(answer.finishReason, "stop");
    assert.deepEqual([answer.usage.inputTokens, answer.usage.outputTokens], [11, 7]);
  }

  async stream(model) {
    const answer = streamText(this.options(model, c.prompt("stream"), { onError: () => {} }));
    let text = "";
    for await (const piece of answer.textStream) text += piece;
    assert.equal(text, c.HELLO);
    assert.equal(await answer.finishReason, "stop");
    assert.equal((await answer.usage).outputTokens, 7);
  }

  /** The SDK itself goes round: call, tool, second call. */
  async tools(model, name = "tools", final = c.ONE_CITY) {
    const more = { tools: { get_weather: weather }, stopWhen: isStepCount(2) };
    const answer = await this.ask(model, c.prompt(name), more);
    const calls = answer.steps[0].toolCalls;
    c.expectCalls(calls.map((call) => [call.toolName, call.input]), name);
    assert.equal(answer.text, final);
  }

  parallel(model) {
    return this.tools(model, "parallel", c.TWO_CITIES);
  }

  async tools_stream(model) {
    const more = { tools: { get_weather: weather }, stopWhen: isStepCount(2), onError: () => {} };
    const answer = streamText(this.options(model, c.prompt("parallel"), more));
    let text = "";
    for await (const piece of answer.textStream) text += piece;
    assert.equal(text, c.TWO_CITIES);
  }

  async images(model) {
    const content = [
      { type: "text", text: c.prompt("images") },
      { type: "file", data: c.PIXEL, mediaType: "image/png" },
    ];
    const messages = [{ role: "user", content }];
    const answer = await generateText({ ...this.options(model), prompt: undefined, messages });
    assert.equal(answer.text, "I see one pixel.");
  }

  async reasoning(model) {
    const more = { providerOptions: this.dialect.thinking, maxOutputTokens: 4096 };
    const named = this.dialect.thinkingModel?.(model) ?? model;
    const answer = await this.ask(named, c.prompt("reasoning"), more);
    assert.equal(answer.text, c.AFTER_THOUGHT);
    if (this.dialect.showsThoughts) assert.equal(answer.reasoningText, c.THOUGHT);
  }

  async structured(model) {
    const output = Output.object({ schema: jsonSchema(c.ANSWER_SCHEMA) });
    const answer = await this.ask(model, c.prompt("structured"), { output });
    assert.deepEqual(answer.output, c.STRUCTURED);
  }

  async leaveStream(model, text) {
    const leaving = new AbortController();
    const answer = streamText({ ...this.options(model, text, { onError: () => {} }), abortSignal: leaving.signal });
    for await (const _ of answer.textStream) break;
    leaving.abort();
  }
}

export const PROVIDERS = Object.keys(DIALECTS);
export const over = (provider) => (url, key) => new Client(provider, url, key);
