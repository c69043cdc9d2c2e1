"""What came of it: on the terminal, in docs/conformance.md, and against expected-failures.json, which may only shrink."""

import json
import os
import pathlib

import suite

HERE = pathlib.Path(__file__).resolve().parent
EXPECTED = HERE / "expected-failures.json"
#: The rows as they were run last.
LAST = HERE / "results.json"
PAGE = HERE.parents[1] / "docs/conformance.md"
#: The MCP part of the page stands between these; `make conformance-sdk` leaves it alone.
#: Why scenarios fail that are expected to, by the beginning of their names.
REASONS = {
    "tasks-": "a server of 2024-11-05 has no tasks, and the gateway makes none of its own: the extension is not announced, and the "
    "scenarios skip no server without.",
    "input-required-result-basic-elicitation": "a question of 2026-07-28 stands under a key its server chose, one of the older era "
    "has an id and no key: the scenario wants `user_name`, which the server never says.",
    "auth/dpop": "the gateway does not prove possession (DPoP) to MCP servers.",
}
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


def judge(results):
    """0 if exactly what was expected fails. What was not run now keeps its place on the page."""
    expected = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}
    new, stale = [], []
    for name, verdicts in results.items():
        wrong, known = set(failing(verdicts)), set(expected.get(name, []))
        new += [f"{name}: {check}" for check in sorted(wrong - known)]
        stale += [f"{name}: {check}" for check in sorted(known - wrong)]
    if os.environ.get("UPDATE_EXPECTED"):
        expected |= {name: sorted(failing(verdicts)) for name, verdicts in results.items()}
        EXPECTED.write_text(pretty({name: checks for name, checks in expected.items() if checks}))
        new, stale = [], []
    last = json.loads(LAST.read_text()) if LAST.exists() else {}
    last |= {name: summary(name, verdicts) for name, verdicts in results.items()}
    LAST.write_text(pretty(last))
    write_page(last)
    for line in new:
        print(f"FAIL (not expected): {line}")
    for line in stale:
        print(f"PASSES NOW (take it out of expected-failures.json): {line}")
    return 1 if new or stale else 0


def pretty(value):
    return json.dumps(value, indent=1, sort_keys=True) + "\n"


def summary(name, verdicts):
    """A row as it is kept: how many checks of how many, which fail and why; of real peers, who could call whom."""
    wrong = {check: " ".join(why.split())[:240] for check, why in failing(verdicts).items()}
    total = sum(len(checks) for checks in verdicts.values())
    kept = {"passed": total - len(wrong), "total": total, "failing": wrong}
    if name.startswith("real/"):
        kept["peers"] = {client: {server: why == "pass" for server, why in cells.items()} for client, cells in verdicts.items()}
    return kept


def write_page(last):
    page = PAGE.read_text() if PAGE.exists() else ""
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before.rstrip()}\n\n{BEGIN}\n{section(last)}{END}\n{after.lstrip()}".lstrip())


def section(last):
    lines = [
        "## MCP: the official conformance suite",
        "",
        f"Written by `make conformance-mcp`: {', '.join(versions())}. A cell is passed checks of all, those included that the",
        "suite runs and does not score. *direct*: the suite against our fixture without the gateway. *server*: the suite calls",
        "the gateway, behind which stands the fixture over that transport and era; the suite of one revision over a server of",
        "the other era is the bridge at work. *client*: the gateway calls the suite's own servers, authorization included.",
        "*as*: the gateway's authorization server.",
        "",
        "| | 2025-11-25 | 2026-07-28 |",
        "|---|---|---|",
    ]
    rows = {}
    for name, kept in sorted(last.items(), key=place):
        row, _, revision = name.rpartition("/")
        rows.setdefault(row, {})[revision] = f"{kept['passed']} / {kept['total']}"
    for row, cells in rows.items():
        if not row.startswith("real"):
            lines.append(f"| {row.replace('/', ', ')} | {cells.get('2025-11-25', '')} | {cells.get('2026-07-28', '')} |")
    lines += ["", "### What of it does not pass", ""]
    lines += list(failures(last)) or ["Nothing."]
    if "real/peers/-" in last:
        lines += ["", "### Real servers behind, real clients before the gateway", ""]
        lines += peer_table(last["real/peers/-"]["peers"])
    return "\n".join(lines) + "\n"


def failures(last):
    """What fails, scenario by scenario: where, and the first reason given."""
    by_scenario = {}
    for name, kept in sorted(last.items(), key=place):
        for check, why in kept["failing"].items():
            by_scenario.setdefault(check.partition(":")[0], []).append((name, check.partition(":")[2], why))
    for scenario, wrong in by_scenario.items():
        where = sorted({name for name, _, _ in wrong})
        known = next((reason for start, reason in REASONS.items() if scenario.startswith(start)), None)
        checks = len({check for _, check, _ in wrong})
        yield f"- `{scenario}` ({checks} {'check' if checks == 1 else 'checks'}; {', '.join(where)}): {known or wrong[0][2]}"


def place(item):
    order = ["direct", "server", "client", "as", "real"]
    return order.index(item[0].partition("/")[0]), item[0]


def peer_table(peers):
    columns = sorted({server for cells in peers.values() for server in cells})
    lines = ["Each client lists the tools of each server through the gateway and calls one.", ""]
    lines += ["| client | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    for client, cells in sorted(peers.items()):
        lines.append(f"| {client} | " + " | ".join("yes" if cells.get(server) else "no" for server in columns) + " |")
    return lines


def versions():
    lock = json.loads((suite.JUDGE / "package.json").read_text())
    return [f"`{name}` {version}" for name, version in lock["dependencies"].items()]
