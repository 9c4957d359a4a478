"""The HTTP server: both wires and the control API on one port, with faults at socket level."""

import gzip
import socket
import struct
import sys
import threading
import time
import traceback
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from crmtrail.sandbox.control import Control
from crmtrail.sandbox.faults import Fault
from crmtrail.sandbox.http import Reply, Request, Wire
from crmtrail.sandbox.world import World

_HTML = b"<html><head><title>Service Unavailable</title></head><body>Try again later.</body></html>"
_REFUSALS = {"unauthorized", "throttle"}
_BODILESS = {204, 304}
_WORTH_ZIPPING = 1024
"""Bytes below which gzip costs more than it saves."""


class Server:
    """A sandbox CRM listening on a loopback port.

    Use as a context manager, or `start` and `stop`. ``port`` 0 takes a free one.
    """

    def __init__(self, world: World, wires: list[Wire], *, port: int = 0) -> None:
        self.world = world
        self.wires = wires
        self.control = Control(world, wires)
        self._http = _Http(("127.0.0.1", port), self)
        self._thread: threading.Thread | None = None
        self._serving = False

    @property
    def url(self) -> str:
        """The base URL both clients use."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def start(self) -> Self:
        """Serve in a background thread."""
        self._serving = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def serve(self) -> None:
        """Serve in this thread until `stop` is called from another one."""
        self._serving = True
        self._http.serve_forever()

    def stop(self) -> None:
        """Stop serving, if it was started, and close the port."""
        if self._serving:
            self._http.shutdown()
        self._http.server_close()
        if self._thread is not None:
            self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def answer(self, request: Request) -> tuple[Reply | None, float]:
        """Return the reply (None: reset the connection) and how long to hold it back."""
        if request.path.startswith("/_sandbox/"):
            with self.world.lock:
                return self.control.handle(request), 0.0
        wire = next((wire for wire in self.wires if wire.owns(request.path)), None)
        if wire is None:
            return Reply(404, b"no CRM lives here"), 0.0
        with self.world.lock:
            return self._carry_out(wire, request)

    def _carry_out(self, wire: Wire, request: Request) -> tuple[Reply | None, float]:
        fault = self.world.faults.strike(wire.crm, request.method, request.target)
        kept = request.body.decode("utf-8", "replace") if request.method != "GET" else None
        number = self.world.begin_request(wire.crm, request.method, request.target, kept)
        reply = self._reply(wire, request, fault)
        kind = None if fault is None else fault.kind
        reset = kind is not None and kind.startswith("reset")
        self.world.end_request(number, None if reset else reply.status, kind)
        return (None if reset else reply), (fault.seconds if fault else 0.0)

    def _reply(self, wire: Wire, request: Request, fault: Fault | None) -> Reply:
        if fault is not None and fault.kind in _REFUSALS:
            return wire.throttled(fault, request)
        if fault is not None and fault.kind == "unavailable":
            return Reply(fault.status, _HTML, {"Content-Type": "text/html"})
        if fault is not None and fault.kind == "edge":
            return Reply(420, _HTML, {"Content-Type": "text/html"})
        if fault is not None and fault.kind == "reset_before":
            return Reply(0)
        seen = Request(
            request.method,
            request.path,
            request.query,
            request.headers,
            request.body,
            request.target,
            fault,
        )
        self.world.db.execute("BEGIN")
        try:
            reply = wire.handle(seen)
        except Exception:  # noqa: BLE001 -- a defect of the sandbox: told on stderr, answered as 500
            self.world.db.execute("ROLLBACK")
            traceback.print_exc(file=sys.stderr)
            return Reply.of(500, {"error": "the sandbox itself failed, see its stderr"})
        self.world.db.execute("COMMIT")
        cut = fault is not None and fault.kind == "cut_short"
        return replace(reply, cut=True) if cut else reply


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], owner: Server) -> None:
        self.owner = owner
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that died; tell anything else on stderr."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Http

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Request.parse(self.command, self.path, headers, body)
        reply, hold = self.server.owner.answer(asked)
        if hold:
            time.sleep(hold)
        if reply is None:
            self._reset()
        else:
            self._send(reply, zips="gzip" in headers.get("accept-encoding", ""))

    def _reset(self) -> None:
        # SO_LINGER 0 makes close() send RST instead of FIN. The file objects over the socket
        # must go first: the last of them closes it.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.rfile.close()
        self.connection.close()

    def _send(self, reply: Reply, *, zips: bool) -> None:
        body = reply.body
        zipped = zips and len(body) > _WORTH_ZIPPING
        if zipped:
            body = gzip.compress(body, 1)
        try:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if zipped:
                self.send_header("Content-Encoding", "gzip")
            if reply.status not in _BODILESS:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if reply.status not in _BODILESS:
                self.wfile.write(body[: len(body) // 2] if reply.cut else body)
            # Fewer bytes than promised, then the end of the connection.
            self.close_connection = self.close_connection or reply.cut
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the world's time as an HTTP date: clients read the vendor's clock from it."""
        now = self.server.owner.world.clock.now().timestamp()
        return super().date_time_string(int(now if timestamp is None else timestamp))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base class's name
        """Say nothing: the request log is the record."""
