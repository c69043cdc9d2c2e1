"""An MCP client of either era, small enough to read: answers questions with their defaults, says yes to links."""

import base64
import json
import threading
import urllib.error
import urllib.request

META = "io.modelcontextprotocol/"
CAPABILITIES = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}}
INFO = {"name": "conformance-driver", "version": "1.0.0"}
ROUNDS_MAX = 10


class Client:
    def __init__(self, url, key, modern):
        self.url, self.key, self.modern, self.session, self.next = url, key, modern, None, 0
        #: Schemas of tools as they were listed: arguments they mark stand in headers, too.
        self.schemas = {}
        if not modern:
            params = {"protocolVersion": "2025-11-25", "capabilities": CAPABILITIES, "clientInfo": INFO}
            self.send(self.message("initialize", params))
            self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
            # What a server asks beside its calls comes here.
            threading.Thread(target=self.overhear, daemon=True).start()

    def message(self, method, params):
        self.next += 1
        if self.modern:
            meta = {"protocolVersion": "2026-07-28", "clientCapabilities": CAPABILITIES, "clientInfo": INFO}
            params = params | {"_meta": {META + name: value for name, value in meta.items()}}
        return {"jsonrpc": "2.0", "id": self.next, "method": method, "params": params}

    def request(self, method, params):
        """The response; questions on the way are answered, and a call that must be made again is."""
        answer = {}
        for _ in range(ROUNDS_MAX):
            answer = self.send(self.message(method, params))
            result = answer.get("result") or {}
            asked = result.get("inputRequests") or {}
            links = [question for question in asked.values() if (question.get("params") or {}).get("mode") == "url"]
            self.schemas |= {tool["name"]: tool.get("inputSchema") or {} for tool in result.get("tools", [])}
            if result.get("resultType") != "input_required" or links:
                return answer
            params = params | {"inputResponses": {key: self.reply(question) for key, question in asked.items()}}
            params.pop("requestState", None)
            if "requestState" in result:
                params["requestState"] = result["requestState"]
        return answer

    def reply(self, question):
        """What the user says to a question: the defaults, and yes."""
        params = question.get("params") or {}
        if question["method"] == "roots/list":
            return {"roots": [{"uri": "file:///tmp", "name": "tmp"}]}
        if question["method"] == "sampling/createMessage":
            return {"role": "assistant", "content": {"type": "text", "text": "Paris"}, "model": "none"}
        properties = (params.get("requestedSchema") or {}).get("properties", {})
        content = {name: kind["default"] for name, kind in properties.items() if "default" in kind}
        content |= {name: True for name, kind in properties.items() if kind.get("type") == "boolean" and name not in content}
        return {"action": "accept", "content": content}

    def overhear(self):
        request = urllib.request.Request(self.url, headers=self.headers() | {"accept": "text/event-stream"})
        try:
            with urllib.request.urlopen(request) as answer:
                self.read(answer, None)
        except OSError:
            pass  # The server has nothing to say, or has gone.

    def headers(self):
        headers = {"content-type": "application/json", "accept": "application/json, text/event-stream",
                   "authorization": f"Bearer {self.key}"}
        if self.session:
            headers |= {"mcp-session-id": self.session, "mcp-protocol-version": "2025-11-25"}
        return headers

    def mirrored(self, params):
        """Arguments in headers, as the tool's schema wants it (SEP-2243)."""
        headers = {}
        for name, kind in self.schemas.get(params["name"], {}).get("properties", {}).items():
            value = (params.get("arguments") or {}).get(name)
            if "x-mcp-header" in kind and value is not None:
                text = value if isinstance(value, str) else json.dumps(value)
                plain = all(" " <= letter <= "~" for letter in text) and text == text.strip() and not text.startswith("=?")
                coded = f"=?base64?{base64.b64encode(text.encode()).decode()}?="
                headers[f"mcp-param-{kind['x-mcp-header']}"] = text if plain else coded
        return headers

    def send(self, message):
        params = message.get("params") or {}
        headers = self.headers()
        if self.modern:
            headers |= {"mcp-protocol-version": "2026-07-28", "mcp-method": message.get("method", "")}
            if "name" in params:
                headers["mcp-name"] = params["name"]
                headers |= self.mirrored(params)
        request = urllib.request.Request(self.url, json.dumps(message).encode(), headers)
        try:
            answer = urllib.request.urlopen(request, timeout=60)
        except urllib.error.HTTPError as refused:
            answer = refused
        self.session = answer.headers.get("mcp-session-id") or self.session
        return self.read(answer, message.get("id"))

    def read(self, answer, wanted):
        """The response to a request; questions of a session that come before it are answered."""
        if not (answer.headers.get("content-type") or "").startswith("text/event-stream"):
            text = answer.read().decode("utf-8", "replace")
            try:
                return json.loads(text) if text else {}
            except ValueError:
                return {"error": {"code": answer.status, "message": text}}
        for line in answer:
            said = line.decode("utf-8", "replace").removeprefix("data:").strip()
            if not line.startswith(b"data:") or not said:
                continue
            message = json.loads(said)
            if wanted is not None and message.get("id") == wanted and "method" not in message:
                return message
            if "method" in message and "id" in message:
                if (message.get("params") or {}).get("mode") == "url":
                    self.send({"jsonrpc": "2.0", "id": message["id"], "result": {"action": "cancel"}})
                    return message
                self.send({"jsonrpc": "2.0", "id": message["id"], "result": self.reply(message)})
        return {}
