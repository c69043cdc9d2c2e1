"""Prints the gateway's configuration: one provider per dialect, all of them the scripted one.

house.py UPSTREAM_URL PORT KEY DATA_DIR
"""

import json
import sys

upstream, port, key, data_dir = sys.argv[1:5]
secret = {"api_key": "conformance-provider-key"}
aws = {"region": "us-east-1", "access_key_id": "AKIDCONFORMANCE", "secret_access_key": "conformance"}
PROVIDERS = {
    "openai-chat": ({"kind": "openai-compatible", "base_url": f"{upstream}/v1", **secret}, "gpt-5"),
    # Kept to one of the two dialects it speaks: otherwise callers of a third one would be answered through Chat.
    "openai-responses": (
        {"kind": "openai", "base_url": f"{upstream}/v1", "dialect": "openai_responses", **secret},
        "gpt-5",
    ),
    "anthropic": ({"kind": "anthropic", "base_url": upstream, **secret}, "claude-sonnet-4-5"),
    "gemini": ({"kind": "gemini", "base_url": upstream, **secret}, "gemini-2.5-pro"),
    "bedrock": ({"kind": "bedrock", "base_url": upstream, **aws}, "anthropic.claude-sonnet-4-5-20250929-v1:0"),
    "cohere": ({"kind": "cohere", "base_url": upstream, **secret}, "command-a-reasoning-08-2025"),
}

models = {}
for name, (_, model) in PROVIDERS.items():
    target = {"targets": [{"provider": name, "model": model}]}
    models[f"via-{name}"] = target
    models[f"anthropic.via-{name}"] = target

print(
    json.dumps(
        {
            "listen": f"127.0.0.1:{port}",
            "data_dir": data_dir,
            "providers": {name: provider for name, (provider, _) in PROVIDERS.items()},
            "models": models,
            "keys": [{"name": "conformance", "secret": key}],
        },
        indent=1,
    )
)
