"""What every client is put through: the words both sides know, and the judge of one case."""

import base64
import time
import urllib.request

PIXEL_BASE64 = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PIXEL = base64.b64decode(PIXEL_BASE64)
HELLO = "Hello from the scripted provider."
THOUGHT = "The user greets; a greeting is due."
AFTER_THOUGHT = "Hello after some thought."
ONE_CITY = "It is 21 degrees in Paris."
TWO_CITIES = "It is 21 degrees in Paris and 30 in Rome."
DEGREES = {"Paris": "21 degrees", "Rome": "30 degrees"}
WEATHER_SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
ANSWER_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}},
    "required": ["city", "degrees"],
    "additionalProperties": False,
}
STRUCTURED = {"city": "Paris", "degrees": 21}

CASES = ["text", "stream", "tools", "tools_stream", "parallel", "images", "reasoning", "structured", "errors", "cancel"]


def prompt(case):
    """The user's text; the scripted provider reads the case out of it."""
    return f"case:{case} Please go on."


def expect(actual, wanted, what):
    if actual != wanted:
        raise AssertionError(f"{what}: {actual!r}, not {wanted!r}")


def expect_calls(calls, case):
    """`calls`: (name, arguments) as the client's SDK parsed them."""
    cities = ["Paris", "Rome"] if case == "parallel" else ["Paris"]
    expect(calls, [("get_weather", {"city": city}) for city in cities], "calls")


def cancels(upstream):
    """How many answers the scripted provider had to give up because its peer left."""
    with urllib.request.urlopen(f"{upstream}/cancels", timeout=5) as answer:
        return int(answer.read())


def expect_cancel(upstream, before):
    deadline = time.monotonic() + 2
    while cancels(upstream) == before:
        if time.monotonic() > deadline:
            raise AssertionError("the provider was not told that the client left")


def run_case(client, case, model, upstream):
    """Runs one case; returns "pass" or why not."""
    try:
        if case == "errors":
            client.expect_status(400, model, prompt("invalid"))
            client.expect_status(404, "no-such-model", prompt("text"))
            client.with_key("gk_nobody_issued_this_key").expect_status(401, model, prompt("text"))
        elif case == "cancel":
            before = cancels(upstream)
            client.leave_stream(model, prompt(case))
            expect_cancel(upstream, before)
        else:
            getattr(client, case)(model)
        return "pass"
    except Exception as error:  # whatever an SDK raises is the finding
        return f"{type(error).__name__}: {error}"[:300]
