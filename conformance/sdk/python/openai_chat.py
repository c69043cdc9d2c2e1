"""openai, Chat Completions."""

import json

import openai
from cases import *


class Client:
    name = "python openai chat"

    def __init__(self, url, key):
        self.url = url
        self.sdk = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=15)

    def with_key(self, key):
        return Client(self.url, key)

    def ask(self, model, case, **more):
        return self.sdk.chat.completions.create(
            model=model, messages=[{"role": "user", "content": prompt(case)}], **more
        )

    def text(self, model):
        answer = self.ask(model, "text")
        expect(answer.choices[0].message.content, HELLO, "text")
        expect(answer.choices[0].finish_reason, "stop", "finish_reason")
        expect((answer.usage.prompt_tokens, answer.usage.completion_tokens), (11, 7), "usage")

    def stream(self, model):
        chunks = list(self.ask(model, "stream", stream=True, stream_options={"include_usage": True}))
        texts = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
        expect("".join(texts), HELLO, "text")
        reasons = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices]
        expect([reason for reason in reasons if reason], ["stop"], "finish reasons")
        expect((chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens), (11, 7), "usage")

    def tools(self, model, case="tools", final=ONE_CITY):
        tools = [{"type": "function", "function": {"name": "get_weather", "parameters": WEATHER_SCHEMA}}]
        messages = [{"role": "user", "content": prompt(case)}]
        first = self.sdk.chat.completions.create(model=model, messages=messages, tools=tools).choices[0]
        calls = first.message.tool_calls or []
        expect(first.finish_reason, "tool_calls", "finish_reason")
        expect_calls([(call.function.name, json.loads(call.function.arguments)) for call in calls], case)
        messages.append(first.message)
        for call in calls:
            city = json.loads(call.function.arguments)["city"]
            messages.append({"role": "tool", "tool_call_id": call.id, "content": DEGREES[city]})
        second = self.sdk.chat.completions.create(model=model, messages=messages, tools=tools)
        expect(second.choices[0].message.content, final, "text after the tools")

    def parallel(self, model):
        self.tools(model, "parallel", TWO_CITIES)

    def tools_stream(self, model):
        tools = [{"type": "function", "function": {"name": "get_weather", "parameters": WEATHER_SCHEMA}}]
        messages = [{"role": "user", "content": prompt("parallel")}]
        with self.sdk.chat.completions.stream(model=model, messages=messages, tools=tools) as stream:
            calls = stream.get_final_completion().choices[0].message.tool_calls
        expect_calls([(call.function.name, json.loads(call.function.arguments)) for call in calls], "parallel")

    def images(self, model):
        content = [
            {"type": "text", "text": prompt("images")},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL_BASE64}"}},
        ]
        answer = self.sdk.chat.completions.create(model=model, messages=[{"role": "user", "content": content}])
        expect(answer.choices[0].message.content, "I see one pixel.", "text")

    def reasoning(self, model):
        message = self.ask(model, "reasoning", reasoning_effort="high").choices[0].message
        expect(message.content, AFTER_THOUGHT, "text")
        expect(message.model_extra.get("reasoning_content"), THOUGHT, "thought")

    def structured(self, model):
        schema = {"name": "weather", "schema": ANSWER_SCHEMA, "strict": True}
        answer = self.ask(model, "structured", response_format={"type": "json_schema", "json_schema": schema})
        expect(json.loads(answer.choices[0].message.content), STRUCTURED, "object")

    def leave_stream(self, model, text):
        stream = self.sdk.chat.completions.create(
            model=model, messages=[{"role": "user", "content": text}], stream=True
        )
        for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                break
        stream.close()

    def expect_status(self, status, model, text):
        try:
            self.sdk.chat.completions.create(model=model, messages=[{"role": "user", "content": text}])
        except openai.APIStatusError as error:
            expect(error.status_code, status, "status")
            expect(bool(error.body and error.body.get("message")), True, "a message in the error")
            return
        raise AssertionError(f"no error, where {status} was due")
