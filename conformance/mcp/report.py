"""What came of it: on the terminal, in docs/conformance.md, and against expected-failures.json, which may only shrink."""

import json
import os
import pathlib

import suite

HERE = pathlib.Path(__file__).resolve().parent
EXPECTED = HERE / "expected-failures.json"
PAGE = HERE.parents[1] / "docs/conformance.md"
#: The MCP part of the page stands between these; `make conformance-sdk` leaves it alone.
BEGIN, END = "<!-- mcp: written by make conformance-mcp -->", "<!-- mcp: end -->"


def failing(verdicts):
    return {f"{scenario}:{check}": why for scenario, checks in verdicts.items() for check, why in checks.items() if why != "pass"}


def say(name, verdicts):
    """One row on the terminal, and what failed in it."""
    wrong = failing(verdicts)
    total = sum(len(checks) for checks in verdicts.values())
    print(f"{name}: {total - len(wrong)} of {total} checks pass", flush=True)
    for check, why in wrong.items():
        print(f"  {check}: {' '.join(why.split())[:300]}", flush=True)


def judge(results, whole):
    """0 if exactly what was expected fails; the page is written when everything ran."""
    expected = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}
    new, stale = [], []
    for name, verdicts in results.items():
        wrong, known = set(failing(verdicts)), set(expected.get(name, []))
        new += [f"{name}: {check}" for check in sorted(wrong - known)]
        stale += [f"{name}: {check}" for check in sorted(known - wrong)]
    if os.environ.get("UPDATE_EXPECTED"):
        expected |= {name: sorted(failing(verdicts)) for name, verdicts in results.items()}
        EXPECTED.write_text(json.dumps({name: checks for name, checks in sorted(expected.items()) if checks}, indent=1) + "\n")
        new, stale = [], []
    if whole:
        write_page(results)
    for line in new:
        print(f"FAIL (not expected): {line}")
    for line in stale:
        print(f"PASSES NOW (take it out of expected-failures.json): {line}")
    return 1 if new or stale else 0


def write_page(results):
    page = PAGE.read_text() if PAGE.exists() else ""
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before.rstrip()}\n\n{BEGIN}\n{section(results)}{END}\n{after.lstrip()}".lstrip())


def section(results):
    lines = [
        "## MCP: the official conformance suite",
        "",
        f"Written by `make conformance-mcp`: {', '.join(versions())}. A cell is passed checks of all, those included that the",
        "suite runs and does not score. *server*: the suite calls the gateway, behind which stands our fixture over that",
        "transport and era; the suite of one revision over a server of the other era is the bridge at work. *client*: the",
        "gateway calls the suite's own servers, authorization included. *as*: the gateway's authorization server. *direct*: the",
        "fixture without the gateway.",
        "",
        "| | 2025-11-25 | 2026-07-28 |",
        "|---|---|---|",
    ]
    rows = {}
    for name, verdicts in results.items():
        row, _, revision = name.rpartition("/")
        total = sum(len(checks) for checks in verdicts.values())
        rows.setdefault(row, {})[revision] = f"{total - len(failing(verdicts))} / {total}"
    peers = results.get("real/peers/-")
    for row, cells in rows.items():
        if row != "real/peers":
            lines.append(f"| {row.replace('/', ', ')} | {cells.get('2025-11-25', '')} | {cells.get('2026-07-28', '')} |")
    lines += ["", "### What of it does not pass", ""]
    wrong = [(name, check, why) for name, verdicts in results.items() for check, why in failing(verdicts).items()]
    lines += [f"- {name}, `{check}`: {' '.join(why.split())[:240]}" for name, check, why in wrong] or ["Nothing."]
    if peers:
        lines += ["", "### Real servers behind, real clients before the gateway", ""]
        lines += peer_table(peers)
    return "\n".join(lines) + "\n"


def peer_table(peers):
    columns = sorted({server for cells in peers.values() for server in cells})
    lines = ["Each client lists the tools of each server through the gateway and calls one.", ""]
    lines += ["| client | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    for client, cells in peers.items():
        marks = ["yes" if cells.get(server) == "pass" else "no" for server in columns]
        lines.append(f"| {client} | " + " | ".join(marks) + " |")
    return lines


def versions():
    lock = json.loads((suite.JUDGE / "package.json").read_text())
    return [f"`{name}` {version}" for name, version in lock["dependencies"].items()]
