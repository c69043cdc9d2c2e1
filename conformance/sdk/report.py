"""Merges results into docs/conformance.md and holds them against expected.json.

report.py RESULT.json... [--partial]
"""

import json
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXPECTED = ROOT / "conformance/sdk/expected.json"
PAGE = ROOT / "docs/conformance.md"
UPSTREAMS = ["openai-chat", "openai-responses", "anthropic", "gemini", "bedrock", "cohere"]


def main():
    results = {}
    for path in (argument for argument in sys.argv[1:] if not argument.startswith("--")):
        results.update(json.loads(pathlib.Path(path).read_text()))
    verdicts = {client: {model: {case: verdict == "pass" for case, verdict in cases.items()}
                         for model, cases in models.items()} for client, models in results.items()}
    failures = list(failing(results))
    for client, model, case, reason in failures:
        print(f"FAIL {client} / {model} / {case}: {reason}")
    expected = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}
    lost = [(client, model, case) for client, model, case, _ in failures if expected.get(client, {}).get(model, {}).get(case)]
    if "--partial" not in sys.argv:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page(results, failures) + part_of_mcp())
        if not expected or os.environ.get("UPDATE_EXPECTED"):
            EXPECTED.write_text(json.dumps(verdicts, indent=1, sort_keys=True) + "\n")
    total = sum(len(cases) for models in results.values() for cases in models.values())
    print(f"{total - len(failures)} of {total} cases pass")
    if lost:
        sys.exit("passed before, fails now: " + "; ".join(" / ".join(names) for names in lost))


def part_of_mcp():
    """What `make conformance-mcp` wrote at the end of the page."""
    _, mark, rest = (PAGE.read_text() if PAGE.exists() else "").partition("<!-- mcp: ")
    return f"\n{mark}{rest}" if mark else ""


def failing(results):
    for client, models in results.items():
        for model, cases in models.items():
            for case, verdict in cases.items():
                if verdict != "pass":
                    yield client, model, case, verdict


def page(results, failures):
    lines = [
        "# Conformance: official SDKs",
        "",
        "Written by `make conformance-sdk`. Rows are unmodified SDKs pointed at the gateway, columns are the dialect of the",
        "provider behind it; a cell is passed cases of all. The cases: text, stream, tools (a whole turn with results),",
        "streamed tools, parallel tools, images, reasoning, structured output, errors (400, 401, 404), cancel (the provider",
        "is stopped). The scripted provider checks what arrives and refuses what is missing.",
        "",
        "| client | " + " | ".join(UPSTREAMS) + " |",
        "|---|" + "---|" * len(UPSTREAMS),
    ]
    for client, models in results.items():
        cells = []
        for upstream in UPSTREAMS:
            cases = models[f"via-{upstream}"]
            cells.append(f"{sum(verdict == 'pass' for verdict in cases.values())} / {len(cases)}")
        lines.append(f"| {client} | " + " | ".join(cells) + " |")
    lines += ["", "Versions: " + ", ".join(versions()) + ".", "", "## What does not pass", ""]
    if not failures:
        lines.append("Nothing: every case passes.")
    for client, model, case, reason in failures:
        lines.append(f"- {client}, {model}, {case}: {' '.join(reason.split())}")
    return "\n".join(lines) + "\n"


def versions():
    python = (ROOT / "conformance/sdk/requirements.txt").read_text().split()
    package = json.loads((ROOT / "conformance/sdk/package.json").read_text())
    node = [f"{name} {version}" for name, version in package["dependencies"].items() if name != "zod"]
    return [line.replace("==", " ") for line in python] + node


main()
