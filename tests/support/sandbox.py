"""A running sandbox CRM, and the vendors' public addresses led to it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce

from crmtrail.sandbox.build import build
from crmtrail.sandbox.client import Sandbox
from crmtrail.sandbox.server import Server

SALESFORCE_HOST = "acme.my.salesforce.com"


@contextmanager
def running_sandbox(
    size: str = "tiny", seed: int = 1, features: Sequence[str] = ()
) -> Iterator[tuple[Server, Sandbox]]:
    """Run a freshly seeded sandbox, with both CRMs, on a free port."""
    server = build(size=size, seed=seed, features=features)
    try:
        with server:
            yield server, Sandbox(server.url)
    finally:
        server.world.close()


class ToSandbox(HTTPAdapter):
    """Sends what is meant for the vendor's public host to the loopback server instead.

    The client under test stays unmodified and sees its own URLs in requests and responses.
    """

    def __init__(self, url: str) -> None:
        self.base = url
        super().__init__()

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> Any:
        public = request.url or ""
        parts = urlsplit(public)
        request.headers["Host"] = parts.netloc
        request.url = self.base + public.removeprefix(f"{parts.scheme}://{parts.netloc}")
        try:
            response = super().send(request, *args, **options)
        finally:
            request.url = public
        response.url = public
        return response


@contextmanager
def salesforce_client(server: Server, token: str, version: str = "60.0") -> Iterator[Salesforce]:
    """Give the unmodified simple-salesforce client, its public host led to the sandbox."""
    with requests.Session() as session:
        session.mount(f"https://{SALESFORCE_HOST}/", ToSandbox(server.url))
        yield Salesforce(
            session_id=token,
            instance_url=f"https://{SALESFORCE_HOST}",
            session=session,
            version=version,
        )
