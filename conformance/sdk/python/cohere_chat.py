"""cohere, v2 chat."""

import json

import cohere
from cases import *
from cohere.core.api_error import ApiError

TOOLS = [
    {"type": "function", "function": {"name": "get_weather", "description": "Weather.", "parameters": WEATHER_SCHEMA}}
]


class Client:
    name = "python cohere"

    def __init__(self, url, key):
        self.url = url
        self.sdk = cohere.ClientV2(
            api_key=key, base_url=url, timeout=15, max_retries=0, log_warning_experimental_features=False
        )

    def with_key(self, key):
        return Client(self.url, key)

    def ask(self, model, case, **more):
        return self.sdk.chat(model=model, messages=[{"role": "user", "content": prompt(case)}], **more)

    def text(self, model):
        answer = self.ask(model, "text")
        expect([part.text for part in answer.message.content], [HELLO], "text")
        expect(answer.finish_reason, "COMPLETE", "finish_reason")
        expect((answer.usage.tokens.input_tokens, answer.usage.tokens.output_tokens), (11, 7), "usage")

    def events(self, model, case, **more):
        return list(self.sdk.chat_stream(model=model, messages=[{"role": "user", "content": prompt(case)}], **more))

    def stream(self, model):
        events = self.events(model, "stream")
        texts = [event.delta.message.content.text or "" for event in events if event.type == "content-delta"]
        expect("".join(texts), HELLO, "text")
        expect([event.delta.finish_reason for event in events if event.type == "message-end"], ["COMPLETE"], "end")
        expect(events[-1].delta.usage.tokens.output_tokens, 7, "output tokens")

    def tools(self, model, case="tools", final=ONE_CITY):
        messages = [{"role": "user", "content": prompt(case)}]
        first = self.sdk.chat(model=model, messages=messages, tools=TOOLS)
        calls = first.message.tool_calls or []
        expect(first.finish_reason, "TOOL_CALL", "finish_reason")
        expect_calls([(call.function.name, json.loads(call.function.arguments)) for call in calls], case)
        messages.append({"role": "assistant", "tool_calls": calls})
        for call in calls:
            city = json.loads(call.function.arguments)["city"]
            messages.append({"role": "tool", "tool_call_id": call.id, "content": DEGREES[city]})
        second = self.sdk.chat(model=model, messages=messages, tools=TOOLS)
        expect([part.text for part in second.message.content], [final], "text after the tools")

    def parallel(self, model):
        self.tools(model, "parallel", TWO_CITIES)

    def tools_stream(self, model):
        calls = {}
        for event in self.events(model, "parallel", tools=TOOLS):
            if event.type == "tool-call-start":
                calls[event.index] = [event.delta.message.tool_calls.function.name, ""]
            elif event.type == "tool-call-delta":
                calls[event.index][1] += event.delta.message.tool_calls.function.arguments
        expect_calls([(name, json.loads(arguments)) for name, arguments in calls.values()], "parallel")

    def images(self, model):
        content = [
            {"type": "text", "text": prompt("images")},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL_BASE64}"}},
        ]
        answer = self.sdk.chat(model=model, messages=[{"role": "user", "content": content}])
        expect([part.text for part in answer.message.content], ["I see one pixel."], "text")

    def reasoning(self, model):
        answer = self.ask(model, "reasoning", thinking={"type": "enabled", "token_budget": 1024})
        parts = answer.message.content
        expect([part.thinking for part in parts if part.type == "thinking"], [THOUGHT], "thought")
        expect([part.text for part in parts if part.type == "text"], [AFTER_THOUGHT], "text")

    def structured(self, model):
        form = {"type": "json_object", "json_schema": ANSWER_SCHEMA}
        answer = self.ask(model, "structured", response_format=form)
        expect(json.loads(answer.message.content[0].text), STRUCTURED, "object")

    def leave_stream(self, model, text):
        stream = self.sdk.chat_stream(model=model, messages=[{"role": "user", "content": text}])
        for event in stream:
            if event.type == "content-delta":
                break
        stream.close()

    def expect_status(self, status, model, text):
        try:
            self.sdk.chat(model=model, messages=[{"role": "user", "content": text}])
        except ApiError as error:
            expect(error.status_code, status, "status")
            message = error.body.get("message") if isinstance(error.body, dict) else error.body.message
            expect(bool(message), True, "a message in the error")
            return
        raise AssertionError(f"no error, where {status} was due")
