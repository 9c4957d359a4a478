"""The daily quota: where its end comes from, and that nothing is sent while it is spent."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.hubspot.client import Client
from connectors.hubspot.quota import DETAILS_PATH, USAGE_PATH, Quota
from connectors.hubspot.transport import Transport
from crmtrail.errors import BudgetSpent
from support.scripted_http import Asked, Scripted, ScriptedServer

DAILY = Scripted(429, {"policyName": "DAILY", "message": "You have reached your daily limit."})
BURST = {
    "X-HubSpot-RateLimit-Max": "190",
    "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
}
PAGE = {"results": []}
HOURS_LEFT = 3


class StillClock:
    def now(self) -> datetime:
        return datetime(2030, 1, 1, tzinfo=UTC)


class Hours:
    """A monotonic clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at


def usage(**more: Any) -> dict[str, Any]:
    told = {
        "name": "private-apps-api-calls-daily",
        "usageLimit": 625_000,
        "currentUsage": 600_000,
        "fetchStatus": "SUCCESS",
        "resetsAt": "2026-11-24T13:00:00Z",
    }
    return {"results": [told | more]}


@contextmanager
def portal(
    told: Scripted, *script: Scripted, hours: Hours | None = None, zone: str | None = None
) -> Iterator[tuple[ScriptedServer, Client]]:
    """Yield a portal whose usage endpoint answers ``told``, and whose others follow the script."""
    left = list(script)

    def answer(asked: Asked) -> Scripted:
        if asked.target.startswith(USAGE_PATH):
            return told
        return left.pop(0) if left else Scripted(content=PAGE)

    with ScriptedServer(otherwise=answer) as server:
        quota = Quota(hours or Hours())
        quota.learn_zone(zone)
        transport = Transport(
            base_url=server.url,
            token="pat-x",
            version="",
            timeout=timedelta(seconds=5),
            clock=StillClock(),
            quota=quota,
        )
        yield server, Client(transport)
        transport.close()


def spent(client: Client) -> BudgetSpent:
    with pytest.raises(BudgetSpent) as caught:
        client.listing("contacts")
    return caught.value


def asked_for_usage(server: ScriptedServer) -> int:
    return sum(one.target.startswith(USAGE_PATH) for one in server.asked)


def test_the_usage_endpoint_tells_when_a_spent_quota_comes_back() -> None:
    with portal(Scripted(content=usage()), DAILY) as (server, client):
        error = spent(client)
        assert error.after == HOURS_LEFT * 3600
        assert "resets at 2026-11-24T13:00:00Z" in str(error)
        assert len(server.asked) == 2
        told = client.transport.usage()
    assert (told.used, told.limit) == (600_000, 625_000)
    assert told.resets_at == datetime(2026, 11, 24, 13, tzinfo=UTC)


@pytest.mark.parametrize("told", [Scripted(403, {}), Scripted(404, b"<html>"), Scripted(200, b"<")])
def test_a_portal_without_it_is_asked_for_its_time_zone(told: Scripted) -> None:
    details = Scripted(content={"portalId": 1, "timeZone": "Europe/Berlin"})
    with portal(told, DAILY, details) as (server, client):
        error = spent(client)
        assert error.after == timedelta(hours=13).total_seconds()
        assert "resets at 2026-11-24T23:00:00Z" in str(error)
        assert server.asked[-1].target == DETAILS_PATH


def test_the_end_of_the_day_counts_before_a_retry_after() -> None:
    hasty = Scripted(429, {"policyName": "DAILY"}, headers={"Retry-After": "1"})
    with portal(Scripted(content=usage()), hasty) as (_, client):
        assert spent(client).after == HOURS_LEFT * 3600
    with portal(DAILY, hasty) as (_, client):
        assert spent(client).after == 1


def test_a_portal_that_answers_nothing_any_more_is_not_asked_on() -> None:
    with portal(DAILY, DAILY, DAILY) as (server, client):
        assert spent(client).after is None
        assert len(server.asked) == 2


@pytest.mark.parametrize(
    "told", [DAILY, Scripted(403, {}), Scripted(404, b"<html>"), Scripted(200, b"<html>")]
)
def test_without_it_the_accounts_midnight_counts(told: Scripted) -> None:
    with portal(told, DAILY, zone="Europe/Berlin") as (_, client):
        assert spent(client).after == timedelta(hours=13).total_seconds()
        assert client.transport.usage().resets_at == datetime(2026, 11, 24, 23, tzinfo=UTC)


def test_a_count_that_failed_tells_nothing() -> None:
    failed = usage(fetchStatus="FAILURE", usageLimit=1, currentUsage=1)
    with portal(Scripted(content=failed), DAILY) as (_, client):
        error = spent(client)
        assert error.after is None
        assert "resets" not in str(error)
        assert client.transport.usage().used is None


def test_nothing_is_sent_while_the_quota_is_spent() -> None:
    hours = Hours()
    with portal(Scripted(content=usage()), DAILY, DAILY, hours=hours) as (server, client):
        spent(client)
        sent = len(server.asked)
        for _ in range(50):
            error = spent(client)
        assert "resets at 2026-11-24T13:00:00Z" in str(error)
        assert len(server.asked) == sent
        hours.at += 601  # somebody may have bought more: one look is worth it
        spent(client)
        spent(client)
        assert len(server.asked) == sent + 2
        hours.at += 601
        client.listing("contacts")


def test_a_day_that_ends_sooner_ends_the_wait() -> None:
    hours = Hours()
    soon = usage(resetsAt="2026-11-24T10:00:30Z")
    with portal(Scripted(content=soon), DAILY, hours=hours) as (_, client):
        assert spent(client).after == 30
        hours.at += 31
        client.listing("contacts")


def test_headers_that_tell_no_day_make_us_ask_once() -> None:
    hours = Hours()
    answers = [Scripted(content=PAGE, headers=BURST)] * 8
    with portal(Scripted(content=usage()), *answers, hours=hours) as (server, client):
        for _ in range(4):
            client.listing("contacts")
        assert client.transport.usage().used == 600_000
        assert asked_for_usage(server) == 1
        hours.at += 601
        client.listing("contacts")
        assert asked_for_usage(server) == 2


def test_a_day_half_used_makes_us_ask_when_it_ends() -> None:
    def page(left: int) -> Scripted:
        day = {
            "X-HubSpot-RateLimit-Daily": "1000",
            "X-HubSpot-RateLimit-Daily-Remaining": str(left),
        }
        return Scripted(content=PAGE, headers=BURST | day)

    with portal(Scripted(content=usage()), page(900), page(400), page(399)) as (server, client):
        client.listing("contacts")
        assert asked_for_usage(server) == 0
        client.listing("contacts")
        assert asked_for_usage(server) == 1
        client.listing("contacts")
        assert asked_for_usage(server) == 1
        told = client.transport.usage()
    assert (told.used, told.limit) == (601, 1000)
    assert told.resets_at == datetime(2026, 11, 24, 13, tzinfo=UTC)


def test_answers_without_any_limits_cost_nothing_more() -> None:
    with portal(Scripted(content=usage()), Scripted(content=PAGE)) as (server, client):
        client.listing("contacts")
        assert asked_for_usage(server) == 0
