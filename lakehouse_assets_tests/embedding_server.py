"""A real embedding server on this machine: the length of each text is its vector; it can break off its answer."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar, Literal

DIMENSION = 3


class Endpoint(BaseHTTPRequestHandler):
    """Answers with the length of each text, last text first; what it was asked is kept."""

    asked: ClassVar[list[tuple[str | None, dict[str, Any]]]] = []
    answer: ClassVar[bytes | None] = None
    status: ClassVar[int] = 200
    breaks_off: ClassVar[Literal["by the end", "by a reset"] | None] = None

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append((self.headers["Authorization"], body))
        given = [{"index": i, "embedding": [len(text), 0, 0]} for i, text in enumerate(body["input"])]
        answer = json.dumps({"data": given[::-1]}).encode() if self.answer is None else self.answer
        self.send_response(self.status)
        if self.breaks_off:
            self.send_header("Content-Length", str(len(answer) + 1))
        self.end_headers()
        self.wfile.write(answer)
        if self.breaks_off == "by a reset":
            # A socket that is closed without lingering says so by a reset.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving() -> Iterator[str]:
    """The address of a server that has been asked nothing yet."""
    Endpoint.asked.clear()
    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/embed"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
