"""Runs the matrix and judges it: run.py [PART[/ROW]...], with the binaries named by GATEHOUSE_BIN, MCP_FIXTURE_BIN and
RMCP_CALLER_BIN (conformance/run-mcp.sh builds them and calls this).

Parts: direct (suite against fixture), server (suite -> gateway -> fixture), client (gateway -> the suite's servers), as (the
gateway's authorization server), real (real servers behind, real clients before the gateway).
"""

import json
import pathlib
import sys
import tempfile

import house
import report
import suite

#: How the gateway reaches the fixture. The suite of one revision over a server of the other era is the crossing.
UPSTREAMS = ["http-modern", "http-legacy", "stdio-modern", "stdio-legacy", "sse"]
REVISIONS = ["2025-11-25", "2026-07-28"]
PARTS = ["direct", "server", "client", "as", "real"]


def direct(wanted):
    """The fixture alone: what it cannot do, no gateway can pass on."""
    with house.fixture("http", "both") as url:
        for revision in REVISIONS:
            if wanted("both"):
                yield f"direct/both/{revision}", suite.server(url, revision)


def server(wanted):
    """The suite before the gateway, the fixture behind it."""
    with house.fixture("http", "modern") as modern, house.fixture("http", "legacy") as legacy, house.fixture("sse") as sse:
        servers = {
            "http-modern": {"url": modern},
            "http-legacy": {"url": legacy},
            "sse": {"url": sse},
            "stdio-modern": {"command": [house.FIXTURE, "stdio", "--era", "modern"]},
            "stdio-legacy": {"command": [house.FIXTURE, "stdio", "--era", "legacy"]},
        }
        # A tool that changes is what some scenarios are about; a server of the older era that asks in the middle of a call may.
        common = {"pins": "allow_new", "park": True}
        with house.gateway({"mcp_servers": {name: spec | common for name, spec in servers.items()}}) as gate:
            for upstream in filter(wanted, UPSTREAMS):
                for revision in REVISIONS:
                    yield f"server/{upstream}/{revision}", suite.server(f"{gate.url}/mcp/servers/{upstream}", revision)


def client(wanted):
    """The gateway before the suite's own servers; `driver.py` is the user."""
    for revision in filter(wanted, REVISIONS):
        yield f"client/gateway/{revision}", suite.client(revision)


def authorization(wanted):
    """The gateway's authorization server."""
    if wanted("gateway"):
        yield "as/gateway/2026-07-28", suite.authorization()


def real(wanted):
    """Real servers behind and real clients before the gateway."""
    import real as peers

    if wanted("peers"):
        yield "real/peers/-", peers.table()


RUNS = {"direct": direct, "server": server, "client": client, "as": authorization, "real": real}


def main():
    chosen = sys.argv[1:] or PARTS
    unknown = [word for word in chosen if word.partition("/")[0] not in RUNS]
    if unknown:
        sys.exit(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        suite.OUT = pathlib.Path(folder)
        for word in chosen:
            part, _, row = word.partition("/")
            for name, verdicts in RUNS[part](lambda candidate, row=row: row in ("", candidate)):
                results[name] = verdicts
                report.say(name, verdicts)
    sys.exit(report.judge(results))


if __name__ == "__main__":
    main()
