"""The user of a gateway that stands before the suite's own servers: driver.py URL, started by `conformance client`.

Starts a gateway with that URL as its one MCP server, lists and calls everything through it, and where the server wants consent
follows the link the gateway shows, as a person with a browser would. MCP_CONFORMANCE_* say which scenario it is; what differs
between scenarios stands in the table SCENARIOS and nowhere else.
"""

import contextlib
import json
import os
import re
import sys
import types
import urllib.parse
import urllib.request

import browser
import house
import mcp

#: Pages a person clicks through before they give up.
CONSENTS_MAX = 6
#: Where the suite's authorization servers look for the document that says who a client is.
CLIENT_DOCUMENT = "https://conformance-test.local/client-metadata.json"
#: Scenarios with more to do than to list the tools and call each: what to call, in order, with which arguments.
SCENARIOS = {
    "json-schema-ref-no-deref": [],
    "request-metadata": [],
    "sep-2322-client-request-state": [
        ("test_mrtr_echo_state", {}), ("test_mrtr_unrelated", {}), ("test_mrtr_no_state", {}), ("test_mrtr_no_result_type", {}),
    ],
}


def config(url, scenario, context):
    """The gateway's configuration: one server, and how it is logged in to."""
    server = {"url": url, "pins": "allow_new", "auth": {"per_user": {}}}
    credentials = {key: context[key] for key in ("client_id", "client_secret") if key in context}
    if scenario.startswith("auth/client-credentials"):
        extra = {"private_key": context["private_key_pem"]} if "private_key_pem" in context else {}
        server["auth"] = {"client_credentials": credentials | extra}
    elif scenario == "auth/enterprise-managed-authorization":
        provider = {"token_url": context["idp_token_endpoint"], "client_id": context["idp_client_id"]}
        exchange = credentials | {"subject_token": context["idp_id_token"], "identity_provider": provider}
        server["auth"] = {"exchange": exchange}
    elif scenario == "auth/wif-jwt-bearer":
        server["auth"] = {"exchange": credentials | {"subject_token": context["valid_jwt"], "grant": "jwt_bearer"}}
    elif scenario == "auth/pre-registration":
        server["auth"] = {"per_user": credentials}
    elif not scenario.startswith("auth/"):
        server.pop("auth")
    return {"mcp": {"client_document": CLIENT_DOCUMENT}, "mcp_servers": {"judge": server}}


def main():
    url = sys.argv[1]
    scenario = os.environ.get("MCP_CONFORMANCE_SCENARIO", "tools_call")
    context = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT", "{}"))
    modern = os.environ.get("MCP_CONFORMANCE_PROTOCOL_VERSION", "2026-07-28") >= "2026"
    with house.gateway(config(url, scenario, context), keep_log=os.environ.get("MCP_DRIVER_LOG")) as gate:
        person = browser.Browser(house.KEY)
        client = mcp.Client(f"{gate.url}/mcp/servers/judge", house.KEY, modern)
        agreeing = lambda method, params: until_agreed(client, person, method, params)
        listed = agreeing("tools/list", {})
        tools = {tool["name"]: tool for tool in listed.get("result", {}).get("tools", [])}
        for name, arguments in calls(scenario, context, tools):
            agreeing("tools/call", {"name": name, "arguments": arguments})


def calls(scenario, context, tools):
    """What to call."""
    if scenario in SCENARIOS:
        return SCENARIOS[scenario]
    if scenario == "json-schema-2020-12-preservation":
        return [("json_schema_echo", {"schema": tools["json_schema_2020_12_tool"]["inputSchema"]})]
    named = context.get("toolCalls") or context.get("tool_calls")
    if named:
        return [(call["name"], call.get("arguments") or {}) for call in named]
    return [(name, example(tool.get("inputSchema", {}))) for name, tool in tools.items()] or [("test-tool", {})]


def example(schema):
    """Arguments that fit a schema of plain members."""
    plain = {"number": 2, "integer": 2, "string": "text", "boolean": True}
    return {name: plain[kind["type"]] for name, kind in schema.get("properties", {}).items() if kind.get("type") in plain}


def until_agreed(client, person, method, params):
    """Makes a request; where consent is wanted, agrees and makes it again."""
    answer = {}
    for _ in range(CONSENTS_MAX):
        answer = client.request(method, params)
        link = re.search(r"https?://[^\s\"\\<>]*/oauth/connect/[^\s\"\\<>)]+", json.dumps(answer))
        if not link:
            return answer
        print("consent:", link[0], "->", person.visit(link[0].rstrip(".")), file=sys.stderr)
    return answer


@contextlib.contextmanager
def authorization_house(port):
    """A gateway as authorization server, and a client that registered itself with it."""
    with house.gateway({}) as gate:
        document = json.load(urllib.request.urlopen(f"{gate.url}/.well-known/oauth-authorization-server", timeout=10))
        wanted = {
            "client_name": "conformance", "redirect_uris": [f"http://127.0.0.1:{port}/callback"],
            "token_endpoint_auth_method": "none", "grant_types": ["authorization_code", "refresh_token"],
        }
        request = urllib.request.Request(
            document["registration_endpoint"], json.dumps(wanted).encode(), {"content-type": "application/json"}
        )
        registered = json.load(urllib.request.urlopen(request, timeout=10))
        yield types.SimpleNamespace(issuer=document["issuer"], client_id=registered["client_id"])


def login(url, asked):
    """The person at the browser: logs in with a key and agrees. A client that names no resource gets what may be had without."""
    print("login:", browser.Browser(house.KEY).visit(url), file=sys.stderr)


if __name__ == "__main__":
    main()
