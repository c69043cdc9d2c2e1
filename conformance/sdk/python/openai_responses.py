"""openai, Responses."""

import json

import openai
from cases import *

TOOLS = [{"type": "function", "name": "get_weather", "parameters": WEATHER_SCHEMA, "strict": False}]


class Client:
    name = "python openai responses"

    def __init__(self, url, key):
        self.url = url
        self.sdk = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=15)

    def with_key(self, key):
        return Client(self.url, key)

    def ask(self, model, case, **more):
        return self.sdk.responses.create(model=model, input=prompt(case), **more)

    def text(self, model):
        answer = self.ask(model, "text")
        expect(answer.output_text, HELLO, "text")
        expect(answer.status, "completed", "status")
        expect((answer.usage.input_tokens, answer.usage.output_tokens), (11, 7), "usage")

    def stream(self, model):
        events = list(self.ask(model, "stream", stream=True))
        deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
        expect("".join(deltas), HELLO, "text")
        expect([event.sequence_number for event in events], list(range(len(events))), "sequence numbers")
        expect(events[0].type, "response.created", "first event")
        expect(events[-1].type, "response.completed", "last event")
        expect(events[-1].response.output_text, HELLO, "text of the last event")
        expect((events[-1].response.usage.input_tokens, events[-1].response.usage.output_tokens), (11, 7), "usage")

    def tools(self, model, case="tools", final=ONE_CITY):
        first = self.ask(model, case, tools=TOOLS, store=False)
        calls = [item for item in first.output if item.type == "function_call"]
        expect_calls([(call.name, json.loads(call.arguments)) for call in calls], case)
        turns = [{"role": "user", "content": prompt(case)}, *first.output]
        for call in calls:
            degrees = DEGREES[json.loads(call.arguments)["city"]]
            turns.append({"type": "function_call_output", "call_id": call.call_id, "output": degrees})
        second = self.sdk.responses.create(model=model, input=turns, tools=TOOLS, store=False)
        expect(second.output_text, final, "text after the tools")

    def parallel(self, model):
        self.tools(model, "parallel", TWO_CITIES)

    def tools_stream(self, model):
        with self.sdk.responses.stream(model=model, input=prompt("parallel"), tools=TOOLS) as stream:
            for _ in stream:
                pass
            output = stream.get_final_response().output
        calls = [item for item in output if item.type == "function_call"]
        expect_calls([(call.name, json.loads(call.arguments)) for call in calls], "parallel")

    def images(self, model):
        content = [
            {"type": "input_text", "text": prompt("images")},
            {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL_BASE64}", "detail": "auto"},
        ]
        answer = self.sdk.responses.create(model=model, input=[{"role": "user", "content": content}])
        expect(answer.output_text, "I see one pixel.", "text")

    def reasoning(self, model):
        answer = self.ask(
            model,
            "reasoning",
            reasoning={"effort": "high", "summary": "auto"},
            include=["reasoning.encrypted_content"],
            store=False,
        )
        expect(answer.output_text, AFTER_THOUGHT, "text")
        thoughts = [item.summary[0].text for item in answer.output if item.type == "reasoning" and item.summary]
        expect(thoughts, [THOUGHT], "thought")
        # What was thought goes back as it came: no provider may choke on it.
        turns = [{"role": "user", "content": prompt("text")}, *answer.output, {"role": "user", "content": "And now?"}]
        again = self.sdk.responses.create(model=model, input=turns, store=False)
        expect(again.output_text, HELLO, "text of the second turn")

    def structured(self, model):
        form = {"type": "json_schema", "name": "weather", "schema": ANSWER_SCHEMA, "strict": True}
        expect(json.loads(self.ask(model, "structured", text={"format": form}).output_text), STRUCTURED, "object")

    def leave_stream(self, model, text):
        stream = self.sdk.responses.create(model=model, input=text, stream=True)
        for event in stream:
            if event.type == "response.output_text.delta":
                break
        stream.close()

    def expect_status(self, status, model, text):
        try:
            self.sdk.responses.create(model=model, input=text)
        except openai.APIStatusError as error:
            expect(error.status_code, status, "status")
            expect(bool(error.body and error.body.get("message")), True, "a message in the error")
            return
        raise AssertionError(f"no error, where {status} was due")
