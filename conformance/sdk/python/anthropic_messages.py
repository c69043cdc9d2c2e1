"""anthropic, Messages."""

import json

import anthropic
from cases import *

TOOLS = [{"name": "get_weather", "description": "The weather.", "input_schema": WEATHER_SCHEMA}]


class Client:
    name = "python anthropic"

    def __init__(self, url, key):
        self.url = url
        self.sdk = anthropic.Anthropic(base_url=url, api_key=key, max_retries=0, timeout=15)

    def with_key(self, key):
        return Client(self.url, key)

    def ask(self, model, case, max_tokens=1024, **more):
        messages = [{"role": "user", "content": prompt(case)}]
        return self.sdk.messages.create(model=model, max_tokens=max_tokens, messages=messages, **more)

    def text(self, model):
        answer = self.ask(model, "text")
        expect([block.text for block in answer.content], [HELLO], "text")
        expect(answer.stop_reason, "end_turn", "stop_reason")
        expect((answer.usage.input_tokens, answer.usage.output_tokens), (11, 7), "usage")

    def stream(self, model):
        messages = [{"role": "user", "content": prompt("stream")}]
        with self.sdk.messages.stream(model=model, max_tokens=1024, messages=messages) as stream:
            expect("".join(stream.text_stream), HELLO, "text")
            final = stream.get_final_message()
        expect(final.stop_reason, "end_turn", "stop_reason")
        expect(final.usage.output_tokens, 7, "output tokens")

    def tools(self, model, case="tools", final=ONE_CITY):
        messages = [{"role": "user", "content": prompt(case)}]
        first = self.sdk.messages.create(model=model, max_tokens=1024, messages=messages, tools=TOOLS)
        calls = [block for block in first.content if block.type == "tool_use"]
        expect(first.stop_reason, "tool_use", "stop_reason")
        expect_calls([(call.name, call.input) for call in calls], case)
        results = [
            {"type": "tool_result", "tool_use_id": call.id, "content": DEGREES[call.input["city"]]} for call in calls
        ]
        messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
        second = self.sdk.messages.create(model=model, max_tokens=1024, messages=messages, tools=TOOLS)
        expect([block.text for block in second.content], [final], "text after the tools")

    def parallel(self, model):
        self.tools(model, "parallel", TWO_CITIES)

    def tools_stream(self, model):
        messages = [{"role": "user", "content": prompt("parallel")}]
        with self.sdk.messages.stream(model=model, max_tokens=1024, messages=messages, tools=TOOLS) as stream:
            content = stream.get_final_message().content
        expect_calls([(block.name, block.input) for block in content if block.type == "tool_use"], "parallel")

    def images(self, model):
        source = {"type": "base64", "media_type": "image/png", "data": PIXEL_BASE64}
        content = [{"type": "text", "text": prompt("images")}, {"type": "image", "source": source}]
        answer = self.sdk.messages.create(
            model=model, max_tokens=1024, messages=[{"role": "user", "content": content}]
        )
        expect(answer.content[0].text, "I see one pixel.", "text")

    def reasoning(self, model):
        thinking = {"type": "enabled", "budget_tokens": 1024}
        answer = self.ask(model, "reasoning", max_tokens=4096, thinking=thinking)
        thoughts = [block.thinking for block in answer.content if block.type == "thinking" and block.thinking]
        expect(thoughts, [THOUGHT], "thought")
        expect([block.text for block in answer.content if block.type == "text"], [AFTER_THOUGHT], "text")
        # What was thought goes back as it came: no provider may choke on it.
        messages = [
            {"role": "user", "content": prompt("text")},
            {"role": "assistant", "content": answer.content},
            {"role": "user", "content": "And now?"},
        ]
        again = self.sdk.messages.create(model=model, max_tokens=4096, thinking=thinking, messages=messages)
        expect(again.content[-1].text, HELLO, "text of the second turn")

    def structured(self, model):
        form = {"format": {"type": "json_schema", "schema": ANSWER_SCHEMA}}
        answer = self.ask(model, "structured", output_config=form)
        expect(json.loads(answer.content[0].text), STRUCTURED, "object")

    def leave_stream(self, model, text):
        messages = [{"role": "user", "content": text}]
        with self.sdk.messages.stream(model=model, max_tokens=1024, messages=messages) as stream:
            next(iter(stream.text_stream))

    def expect_status(self, status, model, text):
        try:
            self.sdk.messages.create(model=model, max_tokens=64, messages=[{"role": "user", "content": text}])
        except anthropic.APIStatusError as error:
            expect(error.status_code, status, "status")
            expect(bool(error.body["error"]["message"]), True, "a message in the error")
            return
        raise AssertionError(f"no error, where {status} was due")
