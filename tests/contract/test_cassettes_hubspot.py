"""Replays of recorded conversations under HubSpot's public host name; no server runs."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest
import yaml

from crmtrail.errors import CredentialsRefused, Throttled, Unavailable
from crmtrail.model import ActorKind, FieldType, Loss, Reading, Removal, Verdict
from support.hubspot_story import CASSETTES, HOST, OBJECT, Told, connector, recorder, tell

VERSIONS = ("v3", "2026-03")


class Noon:
    def now(self) -> datetime:
        return datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(params=VERSIONS, scope="module")
def told(request: pytest.FixtureRequest) -> Iterator[Told]:
    hubspot = connector(HOST, "a-token-of-no-account", Noon(), request.param)
    tape = recorder().use_cassette(f"{request.param}.yaml", record_mode="none")
    with closing(hubspot), tape as cassette:
        story = tell(hubspot, lambda _: None, lambda _: None)
        assert cassette.all_played
        yield story


def test_identity_and_schema(told: Told) -> None:
    assert told.identity.account.isdigit()
    assert told.identity.server_time is not None
    assert told.schema.fields["price"].type is FieldType.MONEY
    assert told.schema.fields["description"].updateable
    assert told.schema.fields["hs_object_id"].type is FieldType.ID


def test_the_first_load(told: Told) -> None:
    readings = [one for page in told.first for one in page.readings]
    assert len(readings) == len({one.ref.id for one in readings})
    assert {page.expected for page in told.first} - {None} == {len(readings)}
    assert told.first[-1].done


def test_the_poll(told: Told) -> None:
    (reading,) = [one for page in told.poll for one in page.readings]
    assert reading.fields["description"] == '"Changed by a person"'
    assert (reading.actor.kind, reading.actor.name) == (ActorKind.USER, "Tobias Okafor")
    (removal,) = [one for page in told.poll for one in page.removals]
    assert removal.loss is Loss.DELETED
    assert removal.at is not None


def test_the_write(told: Told) -> None:
    assert [(one.key, one.verdict) for one in told.answers] == [
        ("step-1", Verdict.ACCEPTED),
        ("step-2", Verdict.ACCEPTED),
        ("step-3", Verdict.REFUSED),
    ]
    assert "price" in told.answers[2].hint


def test_the_read_back(told: Told) -> None:
    kinds = [type(one) for one in told.after.values()]
    assert sorted(kinds, key=str) == [Reading, Reading, Removal]
    (written,) = [
        one
        for one in told.after.values()
        if isinstance(one, Reading) and one.fields["description"] == '"Zo\\u00eb"'
    ]
    assert written.actor.kind is ActorKind.APP


def test_the_trouble(told: Told) -> None:
    assert [type(error) for error in told.trouble] == [
        CredentialsRefused,
        Throttled,
        Unavailable,
    ]
    (throttled,) = [error for error in told.trouble if isinstance(error, Throttled)]
    assert throttled.after == 7


@pytest.mark.parametrize("version", VERSIONS)
def test_cassettes_hold_no_secret_and_only_the_public_host(version: str) -> None:
    text = (CASSETTES / f"{version}.yaml").read_text(encoding="utf-8")
    assert "pat-" not in text
    assert "127.0.0.1" not in text
    assert "uthorization" not in text.replace("unauthorized", "")
    requests = [one["request"] for one in yaml.safe_load(text)["interactions"]]
    assert all(one["uri"].startswith(f"{HOST}/") for one in requests)
    paths = [one["uri"].removeprefix(HOST).partition("?")[0] for one in requests]
    own = f"/crm/v3/objects/{OBJECT}" if version == "v3" else f"/crm/objects/{version}/{OBJECT}"
    assert own in paths
    assert f"{own}/batch/update" in paths
    assert len(text) < 150_000
