"""The official suite as functions: each gives verdicts, a dictionary of `scenario` -> {`check`: `pass` or why not}, with what is
not scored under its own name. OUT is the folder its files go to."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading

import house

HERE = pathlib.Path(__file__).resolve().parent
JUDGE = HERE / "judge"
#: What counts as a result; INFO, SKIPPED and WARNING are the suite's remarks.
COUNTED = {"SUCCESS": True, "FAILURE": False}
#: Milliseconds for one scenario.
TIMEOUT = "30000"
OUT = pathlib.Path("conformance-out")


def command(*arguments):
    node, program = JUDGE / "node_modules/node/bin/node", JUDGE / "node_modules/@modelcontextprotocol/conformance/dist/index.js"
    return [str(node), str(program), *arguments]


def server(url, revision):
    """Every server scenario of a revision against this endpoint."""
    out = fresh()
    done = subprocess.run(
        command("server", "--url", url, "--requirements", revision, "--timeout", TIMEOUT, "-o", str(out)),
        capture_output=True, text=True,
    )
    return verdicts(out, "server-", revision, done)


def client(revision):
    """Every client scenario of a revision, one after the other: each starts a gateway of its own."""
    driver = f"{sys.executable} {HERE / 'driver.py'}"
    results = {}
    for scenario in scenarios("--client", revision):
        out = fresh()
        done = subprocess.run(
            command("client", "--command", driver, "--scenario", scenario, "--spec-version", revision, "--force",
                    "--timeout", "60000", "-o", str(out)),
            capture_output=True, text=True,
        )
        results |= verdicts(out, "", revision, done) or {scenario: {"ran": "the suite wrote no result"}}
    return results


def authorization():
    """The scenarios for authorization servers. `driver.login` is the person at the browser."""
    import driver

    out, port = fresh(), house.free_port()
    with driver.authorization_house(port) as asked:
        arguments = command("authorization", "--url", asked.issuer, "--client-id", asked.client_id, "-p", str(port), "-o", str(out))
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
            said = []
            for line in child.stdout:
                said.append(line)
                if line.startswith("http") and "response_type=code" in line:
                    threading.Thread(target=driver.login, args=(line.strip(), asked), daemon=True).start()
            child.wait()
    done = subprocess.CompletedProcess(arguments, child.returncode, "".join(said), "")
    return verdicts(out, "authorization-server-", "2026-07-28", done)


def fresh():
    shutil.rmtree(OUT / "run", ignore_errors=True)
    (OUT / "run").mkdir(parents=True)
    return OUT / "run"


def verdicts(out, prefix, revision, done):
    """What stands in the files the suite wrote."""
    results = {}
    for path in sorted(out.rglob("checks.json")):
        name = re.sub(r"-\d{4}-\d\d-\d\dT[\d-]+Z$", "", str(path.parent.relative_to(out)))
        scenario = name.removeprefix(prefix)
        checks = results.setdefault(scenario, {})
        for check in json.loads(path.read_text()):
            if check["status"] in COUNTED:
                why = "pass" if COUNTED[check["status"]] else check.get("errorMessage") or "failed"
                # A check that runs several times passes when it passes each time.
                if checks.get(check["id"], "pass") == "pass":
                    checks[check["id"]] = why
    if not results:
        print(done.stdout[-4000:], done.stderr[-4000:], file=sys.stderr)
    for scenario, checks in results.items():
        if not checks:
            checks["ran"] = "pass"
    return results


def scenarios(leg, revision):
    """Names of a revision's scenarios of this leg, those that are not scored included."""
    said = subprocess.run(command("list", leg, "--requirements", revision), capture_output=True, text=True, check=True).stdout
    scored, _, rest = said.partition("Run and reported, but never scored:")
    section = scored.partition("Client scenarios")[2] if leg == "--client" else scored.partition("Client scenarios")[0]
    names = re.findall(r"^  - (\S+)$", section, re.M)
    return names + re.findall(rf"^    - (\S+) \[{leg.removeprefix('--')}\]$", rest, re.M)


def unscored(revision):
    """Names of scenarios that run and do not count."""
    said = subprocess.run(command("list", "--requirements", revision), capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"^    - (\S+) \[", said.partition("never scored:")[2], re.M))
