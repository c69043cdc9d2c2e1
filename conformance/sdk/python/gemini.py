"""google-genai, generateContent."""

import json

from cases import *
from google import genai
from google.genai import errors, types

TOOL = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(
            name="get_weather",
            description="The weather.",
            parameters=types.Schema(
                type="OBJECT", properties={"city": types.Schema(type="STRING")}, required=["city"]
            ),
        )
    ]
)


class Client:
    name = "python google-genai"

    def __init__(self, url, key):
        self.url = url
        self.sdk = genai.Client(api_key=key, http_options=types.HttpOptions(base_url=url, timeout=15_000))

    def with_key(self, key):
        return Client(self.url, key)

    def ask(self, model, contents, **config):
        config = types.GenerateContentConfig(**config) if config else None
        return self.sdk.models.generate_content(model=model, contents=contents, config=config)

    def text(self, model):
        answer = self.ask(model, prompt("text"))
        expect(answer.text, HELLO, "text")
        expect(answer.candidates[0].finish_reason.name, "STOP", "finish_reason")
        usage = answer.usage_metadata
        expect((usage.prompt_token_count, usage.candidates_token_count), (11, 7), "usage")

    def stream(self, model):
        chunks = list(self.sdk.models.generate_content_stream(model=model, contents=prompt("stream")))
        expect("".join(chunk.text or "" for chunk in chunks), HELLO, "text")
        expect(chunks[-1].candidates[0].finish_reason.name, "STOP", "finish_reason")
        expect(chunks[-1].usage_metadata.candidates_token_count, 7, "output tokens")

    def tools(self, model, case="tools", final=ONE_CITY):
        off = types.AutomaticFunctionCallingConfig(disable=True)
        config = {"tools": [TOOL], "automatic_function_calling": off}
        question = types.Content(role="user", parts=[types.Part(text=prompt(case))])
        first = self.ask(model, [question], **config)
        calls = first.function_calls or []
        expect_calls([(call.name, call.args) for call in calls], case)
        results = [
            types.Part(
                function_response=types.FunctionResponse(
                    id=call.id, name=call.name, response={"result": DEGREES[call.args["city"]]}
                )
            )
            for call in calls
        ]
        turns = [question, first.candidates[0].content, types.Content(role="user", parts=results)]
        expect(self.ask(model, turns, **config).text, final, "text after the tools")

    def parallel(self, model):
        self.tools(model, "parallel", TWO_CITIES)

    def tools_stream(self, model):
        off = types.AutomaticFunctionCallingConfig(disable=True)
        config = types.GenerateContentConfig(tools=[TOOL], automatic_function_calling=off)
        stream = self.sdk.models.generate_content_stream(model=model, contents=prompt("parallel"), config=config)
        calls = [call for chunk in stream for call in chunk.function_calls or []]
        expect_calls([(call.name, call.args) for call in calls], "parallel")

    def images(self, model):
        parts = [types.Part(text=prompt("images")), types.Part.from_bytes(data=PIXEL, mime_type="image/png")]
        expect(self.ask(model, [types.Content(role="user", parts=parts)]).text, "I see one pixel.", "text")

    def reasoning(self, model):
        thinking = types.ThinkingConfig(include_thoughts=True, thinking_budget=1024)
        answer = self.ask(model, prompt("reasoning"), thinking_config=thinking)
        parts = answer.candidates[0].content.parts
        expect("".join(part.text for part in parts if part.thought), THOUGHT, "thought")
        expect(answer.text, AFTER_THOUGHT, "text")

    def structured(self, model):
        answer = self.ask(
            model, prompt("structured"), response_mime_type="application/json", response_json_schema=ANSWER_SCHEMA
        )
        expect(json.loads(answer.text), STRUCTURED, "object")

    def leave_stream(self, model, text):
        stream = self.sdk.models.generate_content_stream(model=model, contents=text)
        next(stream)
        stream.close()

    def expect_status(self, status, model, text):
        try:
            self.ask(model, text)
        except errors.APIError as error:
            expect(error.code, status, "status")
            expect(bool(error.message and error.status), True, "message and status in the error")
            return
        raise AssertionError(f"no error, where {status} was due")
