"""A real HTTP server that speaks the chat completion protocol and misbehaves to order."""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

GOOD = {
    "Caption": "A red sign that says “SALE” on a white wall.",
    "Short Caption": "A red sign on a wall.",
    "Visible Text": ["SALE", "50 %"],
    "Image Type": "photograph",
    "Image Style": "realistic",
    "Watermark List": [],
    "Abnormal Element": "no",
}


def said(text: str, finish: str = "stop") -> bytes:
    """A chat completion with one answer."""
    return json.dumps(
        {
            "id": "1",
            "object": "chat.completion",
            "created": 0,
            "model": "eye",
            "choices": [{"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text}}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
        }
    ).encode()


class Server(ThreadingHTTPServer):
    """Does the next thing of its `script` for each request, then answers well. Keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: list[Callable[[Handler], None]] = []
        self.always: Callable[[Handler], None] = lambda handler: handler.reply(said(json.dumps(GOOD)))
        self.asked: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.lock = threading.Lock()
        self.busy = self.most = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections are cut on purpose."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.reply(json.dumps({"object": "list", "data": [{"id": "eye", "object": "model"}]}).encode())

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.body = body
        with self.server.lock:
            self.server.asked.append(body)
            self.server.times.append(time.monotonic())
            self.server.busy += 1
            self.server.most = max(self.server.most, self.server.busy)
            act = self.server.script.pop(0) if self.server.script else self.server.always
        try:
            act(self)
        finally:
            with self.server.lock:
                self.server.busy -= 1

    def reply(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Quiet."""
