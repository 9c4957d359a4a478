"""The HTTP server: both wires and the control API on one port, with faults at socket level."""

import gzip
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from crmtrail.sandbox.control import Control
from crmtrail.sandbox.faults import Fault
from crmtrail.sandbox.http import Reply, Request, Wire
from crmtrail.sandbox.world import World

_HTML = b"<html><head><title>Service Unavailable</title></head><body>Try again later.</body></html>"
_REFUSALS = {"unauthorized", "throttle"}


class Server:
    """A sandbox CRM listening on a loopback port.

    Use as a context manager, or `start` and `stop`. ``port`` 0 takes a free one.
    """

    def __init__(self, world: World, wires: list[Wire], *, port: int = 0) -> None:
        self.world = world
        self.wires = wires
        self.control = Control(world, wires)
        self._http = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._http.daemon_threads = True
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The base URL both clients use."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def start(self) -> "Server":
        """Serve in a background thread."""
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def serve(self) -> None:
        """Serve in this thread until `stop` is called from another one."""
        self._http.serve_forever()

    def stop(self) -> None:
        """Stop serving and close the port."""
        self._http.shutdown()
        self._http.server_close()
        if self._thread is not None:
            self._thread.join()

    def __enter__(self) -> "Server":
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
        reset = fault is not None and fault.kind.startswith("reset")
        self.world.end_request(number, None if reset else reply.status, fault and fault.kind)
        return (None if reset else reply), (fault.seconds if fault else 0.0)

    def _reply(self, wire: Wire, request: Request, fault: Fault | None) -> Reply:
        if fault is not None and fault.kind in _REFUSALS:
            return wire.throttled(fault)
        if fault is not None and fault.kind == "unavailable":
            return Reply(503, _HTML, {"Content-Type": "text/html"})
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
        except BaseException:
            self.world.db.execute("ROLLBACK")
            raise
        self.world.db.execute("COMMIT")
        return reply


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply, hold = server.answer(Request.parse(self.command, self.path, headers, body))
            if hold:
                time.sleep(hold)
            if reply is None:
                self._reset()
            else:
                self._send(reply, "gzip" in headers.get("accept-encoding", ""))

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve

        def _reset(self) -> None:
            # SO_LINGER 0 makes close() send RST instead of FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()

        def _send(self, reply: Reply, zipped: bool) -> None:
            body = reply.body
            zipped = zipped and len(body) > 1024  # noqa: PLR2004 -- below, gzip costs more than it saves
            if zipped:
                body = gzip.compress(body, 1)
            try:
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                if zipped:
                    self.send_header("Content-Encoding", "gzip")
                if reply.status not in (204, 304):
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if reply.status not in (204, 304):
                    self.wfile.write(body)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def date_time_string(self, timestamp: float | None = None) -> str:
            at = server.world.clock.now().timestamp() if timestamp is None else timestamp
            return super().date_time_string(at)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base class's name
            """Say nothing: the request log is the record."""

    return Handler
