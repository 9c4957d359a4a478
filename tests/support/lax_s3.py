"""An S3 store that takes everything and promises much: the kind that an anchor must see through."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

_LOCK: Final = (
    b"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>"
    b"</ObjectLockConfiguration>"
)
_REFUSAL: Final = b"<Error><Code>NotImplemented</Code><Message>no conditions</Message></Error>"
_LOCKING: Final = ("x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date")


@contextmanager
def lax_s3(*, locks: bool) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Run one that knows no conditional writes; give its address, and the headers of each PUT.

    It says that the bucket has Object Lock. With ``locks`` it says so of an object too.
    """
    puts: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.answer(200, _LOCK)

        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            puts.append({name.lower(): value for name, value in self.headers.items()})
            conditional = "If-None-Match" in self.headers
            self.answer(*((501, _REFUSAL) if conditional else (200, b"")), x_amz_version_id="v1")

        def do_HEAD(self) -> None:
            told = {name.replace("-", "_"): puts[-1][name] for name in _LOCKING} if locks else {}
            self.answer(200, **told)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", puts
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
