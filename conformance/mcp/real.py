"""Real servers behind the gateway, real clients before it: each client lists the tools of each server and calls one, in each era
it speaks."""

import contextlib
import json
import pathlib
import subprocess
import tempfile

import house

PEERS = pathlib.Path(__file__).resolve().parent / "peers"
NODE = str(PEERS / "node_modules/node/bin/node")
SERVERS_BIN = PEERS / "servers/.venv/bin"
PYTHON = str(PEERS / "clients/.venv/bin/python")
#: Seconds for one client to connect, list and call.
PATIENCE = 60


def npm(package, *arguments):
    return [NODE, str(PEERS / "node_modules/@modelcontextprotocol" / package / "dist/index.js"), *arguments]


def servers(folder):
    """The servers as the gateway starts them, and the call each must answer: tool, arguments, what must stand in the answer."""
    repository = folder / "repository"
    subprocess.run(["git", "init", "--quiet", str(repository)], check=True)
    (folder / "note.txt").write_text("hello")
    return {
        "everything": (npm("server-everything", "stdio"), "echo", {"message": "through the gate"}, "through the gate"),
        "filesystem": (npm("server-filesystem", str(folder)), "list_directory", {"path": str(folder)}, "note.txt"),
        "time": ([str(SERVERS_BIN / "mcp-server-time")], "get_current_time", {"timezone": "UTC"}, "UTC"),
        "git": ([str(SERVERS_BIN / "mcp-server-git")], "git_status", {"repo_path": str(repository)}, "branch"),
    }


def clients():
    """The clients: name -> command for (url, era, tool, arguments as JSON)."""
    python = lambda program: lambda url, era, tool, args: [PYTHON, str(PEERS / "clients" / program), url, era, tool, args]
    node = lambda program: lambda url, era, tool, args: [NODE, str(PEERS / "clients" / program), url, era, tool, args]
    return {
        ("Python mcp", "legacy"): python("python_mcp.py"),
        ("Python mcp", "modern"): python("python_mcp.py"),
        ("fastmcp", "legacy"): python("python_fastmcp.py"),
        ("fastmcp", "modern"): python("python_fastmcp.py"),
        ("TypeScript SDK 1.x", "legacy"): node("typescript_v1.mjs"),
        ("TypeScript SDK 2.x", "legacy"): node("typescript_v2.mjs"),
        ("TypeScript SDK 2.x", "modern"): node("typescript_v2.mjs"),
        ("Inspector", "legacy"): inspector,
        ("Inspector", "modern"): inspector,
        ("rmcp", "legacy"): lambda url, era, tool, args: [house.RMCP_CALLER, url, era, tool, args],
        ("rmcp", "modern"): lambda url, era, tool, args: [house.RMCP_CALLER, url, era, tool, args],
    }


def inspector(url, era, tool, args):
    launcher = PEERS / "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"
    return [NODE, str(launcher), "--cli", "--server-url", url, "--transport", "http", "--protocol-era", era,
            "--method", "tools/call", "--tool-name", tool, "--tool-args-json", args, "--format", "json", "--quiet"]


def table():
    """Verdicts: client -> {server: `pass` or why not}."""
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        known = servers(pathlib.Path(folder))
        config = {"mcp_servers": {name: {"command": command, "pins": "allow_new"} for name, (command, *_) in known.items()}}
        with house.gateway(config) as gate:
            for (client, era), command in clients().items():
                cells = results.setdefault(f"{client}, {era}", {})
                for name, (_, tool, arguments, expected) in known.items():
                    url = f"{gate.url}/mcp/servers/{name}"
                    cells[name] = verdict(command(url, era, tool, json.dumps(arguments)), expected, pathlib.Path(folder))
    return results


def verdict(command, expected, home):
    with contextlib.suppress(subprocess.TimeoutExpired):
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, cwd=home)
        if done.returncode == 0 and expected in done.stdout:
            return "pass"
        said = (done.stderr or done.stdout).strip().splitlines()
        return said[-1] if said else f"exit {done.returncode}, nothing said"
    return f"no answer within {PATIENCE} s"
