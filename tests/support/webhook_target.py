"""A server that webhooks are sent to. It keeps what came and answers as told."""

import json
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

_PATIENCE = 20


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request that came: its path, headers and body as it was on the wire."""

    uri: str
    headers: dict[str, str]
    body: bytes

    @property
    def events(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.body)
        return found


class Target:
    """What came, in order. ``refusals`` is how many deliveries still get a 500."""

    def __init__(self) -> None:
        self.refusals = 0
        self.url = ""
        self._came: queue.Queue[Delivery] = queue.Queue()

    def take(self, delivery: Delivery) -> int:
        self._came.put(delivery)
        if self.refusals:
            self.refusals -= 1
            return 500
        return 204

    def next(self) -> Delivery:
        """Wait for the next delivery."""
        return self._came.get(timeout=_PATIENCE)

    def quiet(self) -> bool:
        """Whether nothing came that was not looked at."""
        return self._came.empty()


@contextmanager
def webhook_target() -> Iterator[Target]:
    """Run a target on a free port."""
    target = Target()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status = target.take(Delivery(target.url, headers, body))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        target.url = f"http://127.0.0.1:{server.server_address[1]}/hook?app=crmtrail"
        thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield target
        finally:
            server.shutdown()
            thread.join()
