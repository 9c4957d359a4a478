"""Recorded conversations played back to the unmodified client, with no network."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cassettes.record_salesforce import load, record, restore, run_of, troubles
from connectors.salesforce.cursor import Cursor, Phase
from connectors.salesforce.cursor import write as written
from crmtrail.errors import CredentialsRefused, Throttled, Unavailable
from crmtrail.model import ActorKind, Loss, Reading, Usage
from crmtrail.ports import Connector
from support.salesforce_tapes import OBJECT, TAPES, taped

FIRST, SECOND, THIRD = (f"00k5g000000000{number}AAA" for number in (1, 2, 3))
MARK = datetime(2026, 11, 24, 12, tzinfo=UTC)
TWO_HOURS_ON = datetime(2026, 11, 24, 14, 0, 30, tzinfo=UTC)


@pytest.fixture
def sf(request: pytest.FixtureRequest) -> Iterator[Connector]:
    with taped(TAPES / f"{request.param}.yaml") as connector:
        yield connector


@pytest.mark.parametrize("sf", ["load"], indirect=True)
def test_a_first_load(sf: Connector) -> None:
    run = load(sf)
    assert len(run.readings) == run.pages[-1].expected
    assert run.pages[-1].watermark == MARK
    reading = run.reading(FIRST)
    assert (reading.fields["UnitPrice"], reading.fields["Discount"]) == ("100000.0", "15.0")
    assert reading.read_at == datetime(2026, 11, 24, 12, 0, 30, tzinfo=UTC)
    assert reading.actor.kind is ActorKind.USER
    assert sf.usage().limit == 115000


@pytest.mark.parametrize("sf", ["poll"], indirect=True)
def test_a_poll_after_a_mass_update_and_deletions(sf: Connector) -> None:
    run = run_of(sf, written(Cursor(Phase.REST, mark=MARK)))
    assert sorted(run.ids()) == [FIRST, SECOND, THIRD]
    for reading in run.readings:
        assert reading.fields["Discount"] == "55.5"
        assert (reading.actor.name, reading.actor.kind) == ("Marketing Sync", ActorKind.APP)
        assert reading.modified_at == TWO_HOURS_ON
    deleted, purged = run.removals
    assert (deleted.loss, deleted.actor.name) == (Loss.DELETED, "Priya Raman")
    assert (purged.loss, purged.actor.kind) == (Loss.PURGED, ActorKind.UNKNOWN)
    assert run.gaps == []


@pytest.mark.parametrize("sf", ["restore"], indirect=True)
def test_a_restore_with_one_refusal(sf: Connector) -> None:
    answers, found = restore(sf, [FIRST, SECOND, THIRD])
    assert [answer.code for answer in answers] == ["", "REQUIRED_FIELD_MISSING", ""]
    first, third = found[FIRST], found[THIRD]
    assert isinstance(first, Reading)
    assert isinstance(third, Reading)
    assert first.fields["UnitPrice"] == "1500.5"
    assert third.fields["Discount"] == "null"
    assert third.actor.name == "CRM Restorer"


@pytest.mark.parametrize("sf", ["troubles"], indirect=True)
def test_troubles_in_the_order_they_came(sf: Connector) -> None:
    sf.schema(OBJECT)
    refused, throttled, down = troubles(sf)
    assert isinstance(refused, CredentialsRefused)
    assert isinstance(throttled, Throttled)
    assert throttled.after == 7
    assert isinstance(down, Unavailable)
    assert sf.usage() != Usage()


def test_tapes_are_small_and_hold_no_secret_and_no_local_address(tmp_path: Path) -> None:
    tokens = record(tmp_path)
    assert tokens
    for tape in (*TAPES.glob("*.yaml"), *tmp_path.glob("*.yaml")):
        text = tape.read_text()
        assert len(text) < 150_000
        assert "127.0.0.1" not in text
        assert "uthorization:" not in text
        assert not [token for token in tokens if token in text]
    assert {tape.name for tape in tmp_path.glob("*.yaml")} == {t.name for t in TAPES.glob("*.yaml")}
