// What every client is put through: the words both sides know, and the judge of one case.
import assert from "node:assert/strict";

export const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
export const HELLO = "Hello from the scripted provider.";
export const THOUGHT = "The user greets; a greeting is due.";
export const AFTER_THOUGHT = "Hello after some thought.";
export const ONE_CITY = "It is 21 degrees in Paris.";
export const TWO_CITIES = "It is 21 degrees in Paris and 30 in Rome.";
export const DEGREES = { Paris: "21 degrees", Rome: "30 degrees" };
export const STRUCTURED = { city: "Paris", degrees: 21 };
export const WEATHER_SCHEMA = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
};
export const ANSWER_SCHEMA = {
  type: "object",
  properties: { city: { type: "string" }, degrees: { type: "integer" } },
  required: ["city", "degrees"],
  additionalProperties: false,
};

export const CASES = [
  "text", "stream", "tools", "tools_stream", "parallel", "images", "reasoning", "structured", "errors", "cancel",
];

/** The user's text; the scripted provider reads the case out of it. */
export const prompt = (name) => `case:${name} Please go on.`;

/** `calls`: [name, arguments] as the client's SDK parsed them. */
export function expectCalls(calls, name) {
  const cities = name === "parallel" ? ["Paris", "Rome"] : ["Paris"];
  assert.deepEqual(calls, cities.map((city) => ["get_weather", { city }]));
}

/** Asserts that a call fails with this status and a message. */
export async function expectFailure(status, call) {
  let failure;
  try {
    await call();
  } catch (error) {
    failure = error;
  }
  assert.ok(failure, `no error, where ${status} was due`);
  assert.equal(failure.status ?? failure.statusCode, status, String(failure));
  assert.ok(failure.message, "a message in the error");
}

async function cancels(upstream) {
  return Number(await (await fetch(`${upstream}/cancels`)).text());
}

async function expectCancel(upstream, before) {
  const deadline = Date.now() + 2000;
  while ((await cancels(upstream)) === before) {
    assert.ok(Date.now() < deadline, "the provider was not told that the client left");
  }
}

/** Runs one case; returns "pass" or why not. */
export async function runCase(client, name, model, upstream) {
  try {
    if (name === "errors") {
      await expectFailure(400, () => client.ask(model, prompt("invalid")));
      await expectFailure(404, () => client.ask("no-such-model", prompt("text")));
      await expectFailure(401, () => client.withKey("gk_nobody_issued_this_key").ask(model, prompt("text")));
    } else if (name === "cancel") {
      const before = await cancels(upstream);
      await client.leaveStream(model, prompt(name));
      await expectCancel(upstream, before);
    } else {
      await client[name](model);
    }
    return "pass";
  } catch (error) {
    return `${error.name}: ${error.message}`.slice(0, 300);
  }
}
