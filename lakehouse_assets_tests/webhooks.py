"""A server on this machine that takes what alerts are posted, for tests of everything that sends some."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """Answers with the given statuses in turn, 200 when they are used up, and keeps what was posted."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    received: list[dict[str, Any]] = field(default_factory=list)
    types: list[str | None] = field(default_factory=list)
    may_answer: threading.Event = field(default_factory=threading.Event)


@contextmanager
def listening() -> Iterator[Receiver]:
    """Start a receiver on a free port; stop it at the end."""
    kept = Receiver()
    kept.may_answer.set()

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.received.append(json.loads(body))
            kept.types.append(self.headers["Content-Type"])
            kept.may_answer.wait(10)
            self.send_response(kept.statuses.pop(0) if kept.statuses else 200)
            self.send_header("Location", f"{kept.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Keep the test's output to itself."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    kept.url = f"http://127.0.0.1:{server.server_port}/hook/secret-token"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield kept
    finally:
        kept.may_answer.set()
        server.shutdown()
        thread.join()
        server.server_close()
