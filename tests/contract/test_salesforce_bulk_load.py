"""First loads and reconciles through Bulk, on the sandbox's org."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from connectors.salesforce import connect
from connectors.salesforce.cursor import Cursor, Phase
from connectors.salesforce.cursor import read as cursor_of
from crmtrail.model import Mode, Page, Token
from crmtrail.ports import Connector
from snapshot.canonical import same
from support.connector_rig import Rig, drive
from support.salesforce_rig import SalesforceRig, salesforce_rig
from support.sandbox_rig import WallClock

MANY = 4_500
"""More than a page of REST and a part of results."""


@pytest.fixture(scope="module")
def org() -> Iterator[SalesforceRig]:
    with salesforce_rig() as rig:
        rig.object = "Contact"
        made = [{"fields": {"LastName": f'N "{n}", é\nNA', "Fax": "null"}} for n in range(MANY)]
        rig.act(do="create", object="Contact", records=made)
        rig.act(do="delete", object="Contact", ids=[sorted(rig.truth())[5]])
        yield rig


@pytest.fixture
def rig(org: SalesforceRig) -> Iterator[SalesforceRig]:
    org.act(do="bulk", polls=1)
    yield org
    org.calm()


def opened(rig: SalesforceRig, above: int) -> Connector:
    settings = rig.settings("observer", bulk_above=above, history_months=0)
    return connect(rig.source, settings, settings.auth, WallClock())


def told(pages: list[Page]) -> Mapping[str, Mapping[str, Token]]:
    return {one.ref.id: dict(one.fields) for page in pages for one in page.readings}


def jobs(rig: SalesforceRig, method: str = "POST") -> list[str]:
    asked = rig.sandbox.requests(crm="salesforce")
    return [one["target"] for one in asked if "/jobs/" in one["target"] and one["method"] == method]


def loaded(rig: SalesforceRig, above: int, **more: Any) -> list[Page]:
    connector = opened(rig, above)
    try:
        return list(drive(rig, connector, **more).pages)
    finally:
        connector.close()


def test_bulk_tells_what_rest_tells(rig: SalesforceRig) -> None:
    before = len(jobs(rig))
    by_rest, by_bulk = told(loaded(rig, 10**9)), told(loaded(rig, 100))
    assert len(jobs(rig)) == before + 1
    assert by_rest.keys() == by_bulk.keys()
    assert len(by_rest) > MANY
    for id_, fields in by_rest.items():
        assert fields.keys() == by_bulk[id_].keys()
        assert all(same(token, by_bulk[id_][name]) for name, token in fields.items()), id_


def test_a_job_is_waited_for_and_thrown_away(rig: SalesforceRig) -> None:
    rig.act(do="bulk", polls=3)
    pages = loaded(rig, 100)
    assert [page.pause for page in pages if page.pause] == [2.0, 3.0, 5.0, 8.0]
    assert jobs(rig, "DELETE")
    assert pages[-1].done
    assert pages[-1].swept is not None


def test_another_process_goes_on_with_the_job(rig: SalesforceRig) -> None:
    connector = opened(rig, 100)
    page = connector.page(rig.object, connector.start(rig.object, None, Mode.INCREMENTAL))
    connector.close()
    at = cursor_of(page.cursor)
    assert (at.phase, bool(at.job)) == (Phase.JOB, True)
    rest = loaded(rig, 100, position=page.cursor)
    assert len(told([page, *rest])) > MANY


def fetched(rig: SalesforceRig) -> int:
    """Return how often results of a job were asked for."""
    return sum("/results" in target for target in jobs(rig, "GET"))


def test_results_are_asked_for_once_and_told_in_parts(rig: SalesforceRig) -> None:
    before = fetched(rig)
    pages = loaded(rig, 100)
    assert [len(page.readings) for page in pages if page.readings][:2] == [2_000, 2_000]
    assert fetched(rig) - before == 1


def test_a_process_that_dies_after_each_part_tells_the_same(rig: SalesforceRig) -> None:
    whole = told(loaded(rig, 100))
    before = fetched(rig)
    pages: list[Page] = []
    cursor: str | None = None
    while not pages or not pages[-1].done:
        connector = opened(rig, 100)
        cursor = connector.start(rig.object, cursor, Mode.INCREMENTAL)
        pages.append(connector.page(rig.object, cursor))
        cursor = pages[-1].cursor
        connector.close()
    ids = [one.ref.id for page in pages for one in page.readings]
    assert told(pages) == whole
    assert len(ids) == len(set(ids))
    assert fetched(rig) - before == 2


def test_a_failed_job_gives_way_to_pages(rig: SalesforceRig) -> None:
    rig.act(do="bulk", fail_query=1)
    pages = loaded(rig, 100)
    assert len(told(pages)) > MANY
    assert any(cursor_of(page.cursor).plain for page in pages)


def test_a_job_that_is_gone_gives_way_to_pages(rig: SalesforceRig) -> None:
    lost = Cursor(Phase.JOB, full=True, job="750000000000001AAA")
    connector = opened(rig, 100)
    page = connector.page(rig.object, '{"phase":"job","full":true,"job":"750000000000001AAA"}')
    connector.close()
    assert cursor_of(page.cursor) == Cursor(Phase.SWEEP, full=True, plain=True)
    assert lost.job


def test_a_reconcile_sights_every_live_record(rig: SalesforceRig) -> None:
    first = loaded(rig, 100)
    pages = loaded(rig, 100, position=first[-1].cursor, mode=Mode.RECONCILE)
    sighted = {one.id for page in pages for one in page.sightings}
    assert sighted == set(rig.truth())
    assert all(page.sighted_at for page in pages if page.sightings)
    assert pages[-1].swept is not None


def test_small_objects_cost_no_job(rig: Rig) -> None:
    assert isinstance(rig, SalesforceRig)
    before = len(jobs(rig))
    loaded(rig, 1_000_000)
    assert len(jobs(rig)) == before
