"""A server on loopback that speaks OpenAI's chat completions and, on demand, fails in every way that servers fail."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FAULTS = ("429", "500", "503", "hang", "drop", "drop_midway", "not_json", "no_choices", "empty", "cut_off", "off_schema")
HANG = 3.0
"""Seconds; longer than the clients' timeout in these tests."""

Speak = Callable[[dict[str, Any]], str]
Fault = Callable[[int, dict[str, Any]], str | None]


class LoopbackServer:
    """`speak(body)` makes the replies; `fault(number, body)` names what goes wrong with the request of that number."""

    def __init__(self, speak: Speak, fault: Fault = lambda _number, _body: None) -> None:
        self.speak, self.fault = speak, fault
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.in_flight = self.most_in_flight = 0
        self.retry_after: str | None = None
        self.delay = 0.0
        self._lock = threading.Lock()

    @contextmanager
    def running(self) -> Iterator[str]:
        """Its address, while it runs."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                outer._serve(self)

            def log_message(self, *args: Any) -> None: ...

        http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        http.daemon_threads = True
        threading.Thread(target=http.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{http.server_port}/v1"
        finally:
            http.shutdown()
            http.server_close()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        with self._lock:
            number = len(self.bodies)
            self.bodies.append(body)
            self.headers.append({name.lower(): value for name, value in handler.headers.items()})
            self.times.append(time.monotonic())
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            what = self.fault(number, body)
        try:
            time.sleep(self.delay)
            self._answer(handler, body, what)
        finally:
            with self._lock:
                self.in_flight -= 1

    def _answer(self, handler: BaseHTTPRequestHandler, body: dict[str, Any], what: str | None) -> None:
        if what == "hang":
            time.sleep(HANG)
        if what in ("hang", "drop"):
            handler.close_connection = True
            return
        if what is not None and what.isdigit():
            return self._send(handler, int(what), json.dumps({"error": {"message": f"injected {what}"}}))
        if what == "not_json":
            return self._send(handler, 200, "{ this is not JSON")
        text = self.speak(body)
        whole = completion("Fine, I suppose." if what == "off_schema" else "" if what == "empty" else text)
        if what == "no_choices":
            whole["choices"] = []
        if what == "cut_off":
            whole["choices"][0] |= {"finish_reason": "length"}
        if what == "refusal":
            whole["choices"][0] |= {"finish_reason": "content_filter"}
        data = json.dumps(whole)
        self._send(handler, 200, data[: len(data) // 2] if what == "drop_midway" else data, len(data.encode()))

    def _send(self, handler: BaseHTTPRequestHandler, status: int, text: str, length: int | None = None) -> None:
        data = text.encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(length or len(data)))
        if status == 429 and self.retry_after is not None:
            handler.send_header("Retry-After", self.retry_after)
        handler.end_headers()
        handler.wfile.write(data)
        if length is not None and length > len(data):
            handler.close_connection = True


def completion(text: str) -> dict[str, Any]:
    """What such a server sends."""
    message = {"role": "assistant", "content": text}
    return {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": "loopback",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30},
    }
