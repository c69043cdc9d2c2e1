"""Starts what is judged: the fixture, and the gateway with a configuration around it. Everything ends with its `with` block."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time
import types
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
GATEHOUSE = os.environ.get("GATEHOUSE_BIN", str(ROOT / "target/debug/gatehouse"))
FIXTURE = os.environ.get("MCP_FIXTURE_BIN", str(ROOT / "target/mcp-fixture/debug/mcp-fixture"))
RMCP_CALLER = os.environ.get("RMCP_CALLER_BIN", str(ROOT / "target/mcp-fixture/debug/rmcp-caller"))
#: How long a gateway may take to be ready, in seconds.
PATIENCE = 30
#: The one key of every house, and the administrator's.
KEY = "gk_conformance_4f0e19d7c6b23a85"
ADMIN_KEY = "gk_conformance_admin_b7d92c14e05f36"


@contextlib.contextmanager
def fixture(transport, era="both"):
    """Gives the URL of a fixture server that lives as long as the block."""
    command = [FIXTURE, transport, "--era", era]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        try:
            # The suite judges rebinding only where the host is called localhost.
            yield child.stdout.readline().strip().replace("127.0.0.1", "localhost")
        finally:
            child.stdin.close()
            child.kill()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def gateway(config, port=None, keep_log=None):
    """Gives a gateway with this configuration: `url`, `port`, `folder`. Callers without a key are let in."""
    port = port or free_port()
    base = {
        "listen": f"127.0.0.1:{port}",
        "public_url": f"http://localhost:{port}",
        "auth": {"admin_key": ADMIN_KEY, "anonymous": True},
        "keys": [{"name": "conformance", "secret": KEY}],
    }
    with tempfile.TemporaryDirectory() as folder:
        home = pathlib.Path(folder)
        (home / "gatehouse.yaml").write_text(json.dumps(base | {"data_dir": f"{folder}/data"} | config))
        log = open(keep_log or home / "gateway.log", "w+")
        child = subprocess.Popen(
            [GATEHOUSE, "serve", "--config", "gatehouse.yaml"], cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
        gate = types.SimpleNamespace(url=f"http://localhost:{port}", port=port, folder=home, child=child)
        try:
            wait_until_ready(gate, log)
            yield gate
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGTERM)
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            log.close()


def wait_until_ready(gate, log):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if gate.child.poll() is not None:
            break
        with contextlib.suppress(OSError):
            with urllib.request.urlopen(f"http://127.0.0.1:{gate.port}/readyz", timeout=2):
                return
        time.sleep(0.05)
    log.flush()
    log.seek(0)
    raise SystemExit(f"the gateway does not come up:\n{log.read()}")
