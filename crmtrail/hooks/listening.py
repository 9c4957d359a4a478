"""The web server of a receiver: bound at once, run in a thread, stopped with the service."""

import socket
import threading
from contextlib import AbstractContextManager
from typing import Final, Self

import structlog
import uvicorn
from starlette.applications import Starlette

from crmtrail.errors import Mistake

_MOST_AT_ONCE: Final = 32
"""Connections; more are answered 503. HubSpot opens ten at a time."""

_GRACE: Final = 5
"""Seconds for requests under way when the service stops."""


class Listening(AbstractContextManager["Listening"]):
    """An application that is served while inside.

    Args:
        app: the application.
        address: host and port.
        named: where the address stands in the configuration.

    Raises:
        Mistake: the address cannot be listened on.
    """

    def __init__(self, app: Starlette, address: tuple[str, int], named: str) -> None:
        self._socket = _bound(address, named)
        settings = uvicorn.Config(
            app,
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            limit_concurrency=_MOST_AT_ONCE,
            timeout_graceful_shutdown=_GRACE,
        )
        self._server = uvicorn.Server(settings)
        self._thread = threading.Thread(target=self._serve, name="webhooks")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        try:
            self._server.run(sockets=[self._socket])
        except Exception as error:  # noqa: BLE001 -- the polls go on without it; the error is told
            structlog.get_logger().error("webhooks are off", error=type(error).__name__)


def _bound(address: tuple[str, int], named: str) -> socket.socket:
    host, port = address
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server(address, family=family)
    except OSError as error:
        raise Mistake(
            f"{named}: cannot listen on {host}:{port}: {error.strerror or error}",
            hint="another program may have the port: name another, here and in the reverse proxy",
        ) from None
