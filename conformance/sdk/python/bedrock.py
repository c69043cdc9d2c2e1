"""boto3, Bedrock Converse. The key travels as the access key id of the signature."""

import json

import boto3
import botocore.exceptions
from botocore.config import Config
from cases import *

TOOLS = {
    "tools": [
        {"toolSpec": {"name": "get_weather", "description": "Weather.", "inputSchema": {"json": WEATHER_SCHEMA}}}
    ]
}


class Client:
    name = "python boto3"

    def __init__(self, url, key):
        self.url = url
        self.sdk = boto3.client(
            "bedrock-runtime",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id=key,
            aws_secret_access_key="the gateway knows the key by its id",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=15),
        )

    def with_key(self, key):
        return Client(self.url, key)

    @staticmethod
    def turn(*blocks):
        return {"role": "user", "content": list(blocks)}

    def ask(self, model, case, **more):
        return self.sdk.converse(modelId=model, messages=[self.turn({"text": prompt(case)})], **more)

    def text(self, model):
        answer = self.ask(model, "text")
        expect(answer["output"]["message"]["content"], [{"text": HELLO}], "content")
        expect(answer["stopReason"], "end_turn", "stopReason")
        expect((answer["usage"]["inputTokens"], answer["usage"]["outputTokens"]), (11, 7), "usage")

    def events(self, model, case, **more):
        messages = [self.turn({"text": prompt(case)})]
        return list(self.sdk.converse_stream(modelId=model, messages=messages, **more)["stream"])

    def stream(self, model):
        events = self.events(model, "stream")
        deltas = [event["contentBlockDelta"]["delta"] for event in events if "contentBlockDelta" in event]
        expect("".join(delta.get("text", "") for delta in deltas), HELLO, "text")
        expect([event["messageStop"]["stopReason"] for event in events if "messageStop" in event], ["end_turn"], "stop")
        expect(events[-1]["metadata"]["usage"]["outputTokens"], 7, "output tokens")

    def tools(self, model, case="tools", final=ONE_CITY):
        first = self.ask(model, case, toolConfig=TOOLS)
        message = first["output"]["message"]
        calls = [block["toolUse"] for block in message["content"] if "toolUse" in block]
        expect(first["stopReason"], "tool_use", "stopReason")
        expect_calls([(call["name"], call["input"]) for call in calls], case)
        results = [
            {"toolResult": {"toolUseId": call["toolUseId"], "content": [{"text": DEGREES[call["input"]["city"]]}]}}
            for call in calls
        ]
        messages = [self.turn({"text": prompt(case)}), message, self.turn(*results)]
        second = self.sdk.converse(modelId=model, messages=messages, toolConfig=TOOLS)
        expect(second["output"]["message"]["content"], [{"text": final}], "text after the tools")

    def parallel(self, model):
        self.tools(model, "parallel", TWO_CITIES)

    def tools_stream(self, model):
        calls = {}
        for event in self.events(model, "parallel", toolConfig=TOOLS):
            if "contentBlockStart" in event and "toolUse" in event["contentBlockStart"]["start"]:
                start = event["contentBlockStart"]
                calls[start["contentBlockIndex"]] = [start["start"]["toolUse"]["name"], ""]
            elif "contentBlockDelta" in event and "toolUse" in event["contentBlockDelta"]["delta"]:
                delta = event["contentBlockDelta"]
                calls[delta["contentBlockIndex"]][1] += delta["delta"]["toolUse"]["input"]
        expect_calls([(name, json.loads(arguments)) for name, arguments in calls.values()], "parallel")

    def images(self, model):
        image = {"image": {"format": "png", "source": {"bytes": PIXEL}}}
        answer = self.sdk.converse(modelId=model, messages=[self.turn({"text": prompt("images")}, image)])
        expect(answer["output"]["message"]["content"], [{"text": "I see one pixel."}], "content")

    def reasoning(self, model):
        more = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
        answer = self.ask(model, "reasoning", additionalModelRequestFields=more, inferenceConfig={"maxTokens": 4096})
        content = answer["output"]["message"]["content"]
        texts = [block["reasoningContent"]["reasoningText"]["text"] for block in content if "reasoningContent" in block]
        thoughts = [text for text in texts if text]
        expect(thoughts, [THOUGHT], "thought")
        expect([block["text"] for block in content if "text" in block], [AFTER_THOUGHT], "text")

    def structured(self, model):
        schema = {"schema": json.dumps(ANSWER_SCHEMA), "name": "weather"}
        form = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": schema}}}
        answer = self.ask(model, "structured", outputConfig=form)
        expect(json.loads(answer["output"]["message"]["content"][0]["text"]), STRUCTURED, "object")

    def leave_stream(self, model, text):
        stream = self.sdk.converse_stream(modelId=model, messages=[self.turn({"text": text})])["stream"]
        for event in stream:
            if "contentBlockDelta" in event:
                break
        stream.close()

    def expect_status(self, status, model, text):
        try:
            self.sdk.converse(modelId=model, messages=[self.turn({"text": text})])
        except botocore.exceptions.ClientError as error:
            expect(error.response["ResponseMetadata"]["HTTPStatusCode"], status, "status")
            expect(bool(error.response["Error"]["Message"]), True, "a message in the error")
            return
        raise AssertionError(f"no error, where {status} was due")
