"""The one route that HubSpot posts to: check, count, hand over, answer. Never logs a body."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from crmtrail.hooks.events import Event, events_of
from crmtrail.hooks.signature import Signed, headers_fault, seen_uris, signature_fault
from crmtrail.hooks.tally import Tally
from crmtrail.hooks_config import WebhooksConfig
from crmtrail.ports import Clock

MOST_BYTES: Final = 2 * 1024 * 1024
"""HubSpot sends at most 100 events at once, some 300 bytes each beside the values."""

PATIENCE: Final = 4.0
"""Seconds for a body to come in: HubSpot gives up after five."""

_SIGNATURE: Final = "x-hubspot-signature-v3"
_TIMESTAMP: Final = "x-hubspot-request-timestamp"

Take = Callable[[Sequence[Event]], bool]
"""Is given the events of a request; returns False where all are of other portals."""


class _Refused(Exception):
    """Why a request is answered otherwise than 204; ``counted`` is its place in the tally."""

    def __init__(self, status: int, why: str, counted: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why
        self.counted = counted


def receiver(
    settings: WebhooksConfig,
    take: Take,
    clock: Clock,
    tally: Tally,
    stopping: Callable[[], bool],
) -> Starlette:
    """Return the ASGI application of one source.

    Args:
        settings: the address as HubSpot knows it, and the secret.
        take: what happens with events; it must return at once.
        clock: by which timestamps are judged.
        tally: what came is counted there.
        stopping: whether no more events are wanted: HubSpot then sends them again later.
    """

    async def taken(request: Request) -> None:
        if stopping():
            raise _Refused(503, "crmtrail is stopping", "late")
        if not take(await _events(request, settings, clock)):
            raise _Refused(400, "the events are of another portal", "refused")

    async def answer(request: Request) -> Response:
        tally.add({"requests": 1})
        try:
            await taken(request)
        except _Refused as refused:
            tally.add({refused.counted: 1})
            return PlainTextResponse(f"{refused.why}\n", refused.status)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:  # noqa: BLE001 -- its words could repeat the body: told by type
            tally.add({"failed": 1})
            structlog.get_logger().error("webhook failed", error=type(error).__name__)
            return PlainTextResponse("the events were not taken\n", 500)
        return Response(status_code=204)

    return Starlette(routes=[Route("/{path:path}", answer, methods=["POST"])])


async def _events(request: Request, settings: WebhooksConfig, clock: Clock) -> Sequence[Event]:
    """Return the events of a request that HubSpot signed. What is not signed is not read.

    Raises:
        _Refused: it is not signed, too large, or holds no events.
    """
    signed = _signed(request, settings)
    if fault := headers_fault(signed, clock.now()):
        raise _Refused(401, fault, "unauthorised")
    body = await _body(request)
    if fault := signature_fault(signed, body, settings.client_secret.get_secret_value()):
        raise _Refused(401, fault, "unauthorised")
    try:
        return events_of(body)
    except ValueError as error:
        raise _Refused(400, str(error), "malformed") from None


def _signed(request: Request, settings: WebhooksConfig) -> Signed:
    raw = request.scope.get("raw_path") or request.scope["path"].encode()
    query = request.scope["query_string"]
    return Signed(
        request.method,
        seen_uris(settings.public_url, raw.decode("latin-1"), query.decode("latin-1")),
        request.headers.get(_TIMESTAMP, ""),
        request.headers.get(_SIGNATURE, ""),
    )


async def _body(request: Request) -> bytes:
    told = request.headers.get("content-length", "")
    large = _Refused(413, f"the body is larger than {MOST_BYTES} bytes", "too_large")
    if told.isascii() and told.isdigit() and int(told[:20]) > MOST_BYTES:
        raise large
    body = bytearray()
    try:
        async with asyncio.timeout(PATIENCE):
            async for part in request.stream():
                body += part
                if len(body) > MOST_BYTES:
                    raise large
    except TimeoutError:
        raise _Refused(400, "the body did not come in time", "malformed") from None
    return bytes(body)
