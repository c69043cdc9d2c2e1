"""Puts every Python SDK through every case against every upstream dialect.

run.py GATEWAY_URL KEY UPSTREAM_URL OUT.json [only-this-client]
"""

import json
import sys

import anthropic_messages
import bedrock
import cohere_chat
import gemini
import openai_chat
import openai_responses
from cases import CASES, run_case

CLIENTS = [openai_chat, openai_responses, anthropic_messages, gemini, bedrock, cohere_chat]
MODELS = ["via-openai-chat", "via-openai-responses", "via-anthropic", "via-gemini", "via-bedrock", "via-cohere"]


def main():
    gateway, key, upstream, out = sys.argv[1:5]
    wanted = sys.argv[5] if len(sys.argv) > 5 else ""
    results = {}
    for module in CLIENTS:
        client = module.Client(gateway, key)
        if wanted not in client.name:
            continue
        results[client.name] = {
            model: {case: run_case(client, case, model, upstream) for case in CASES} for model in MODELS
        }
        passed = sum(verdict == "pass" for pair in results[client.name].values() for verdict in pair.values())
        print(f"{client.name}: {passed} of {len(MODELS) * len(CASES)}", flush=True)
    with open(out, "w") as file:
        json.dump(results, file, indent=1)


main()
