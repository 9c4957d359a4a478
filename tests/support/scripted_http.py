"""A loopback server that answers from a script and remembers what it was asked.

It judges nothing. The sandbox CRM is the strict one; this is for answers no healthy CRM gives.
"""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

DATE = "Tue, 24 Nov 2026 10:00:00 GMT"


@dataclass(frozen=True)
class Scripted:
    """One answer. ``cut`` sends that many bytes less than announced; ``reset`` sends none.

    ``date`` is the Date header; an empty one leaves it out. ``drip`` waits so long before each byte
    of the body.
    """

    status: int = 200
    content: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int = 0
    reset: bool = False
    hold: float = 0.0
    date: str = DATE
    drip: float = 0.0

    @property
    def body(self) -> bytes:
        if isinstance(self.content, bytes):
            return self.content
        return json.dumps(self.content).encode()


@dataclass(frozen=True)
class Asked:
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class ScriptedServer:
    """Gives the scripted answers in order; ``otherwise`` answers whatever comes after them."""

    def __init__(self, *script: Scripted, otherwise: Callable[[Asked], Scripted] | None = None):
        self.script = list(script)
        self.otherwise = otherwise
        self.asked: list[Asked] = []
        self.connections = 0
        self._http = _Http(self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer(self, asked: Asked) -> Scripted:
        self.asked.append(asked)
        if self.script:
            return self.script.pop(0)
        if self.otherwise is None:
            return Scripted(599, "the script is over")
        return self.otherwise(asked)


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, scripted: ScriptedServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.scripted = scripted

    def get_request(self) -> tuple[socket.socket, Any]:
        self.scripted.connections += 1
        return super().get_request()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Http

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.scripted.answer(Asked(self.command, self.path, headers, body))
        if reply.hold:
            time.sleep(reply.hold)
        if reply.reset:
            self._reset()
        else:
            self._send(reply)
        if reply.cut:
            self.close_connection = True

    def _reset(self) -> None:
        linger = struct.pack("ii", 1, 0)  # close() then sends RST instead of FIN
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        self.connection.close()

    def _send(self, reply: Scripted) -> None:
        try:
            self.send_response_only(reply.status)
            self.send_header("Content-Type", "application/json;charset=UTF-8")
            if reply.date:
                self.send_header("Date", reply.date)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self._write(reply.body[: len(reply.body) - reply.cut], reply.drip)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _write(self, body: bytes, pause: float) -> None:
        if not pause:
            self.wfile.write(body)
            return
        for byte in body:
            self.wfile.write(bytes([byte]))
            time.sleep(pause)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base's name
        """Say nothing."""
