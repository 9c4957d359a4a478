"""Whom the vendor deleted for privacy waits for an erasure here, whatever comes between."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from crmtrail.model import Loss
from snapshot import demands
from support.forgetting_rig import OFFICES, OTHER, PERSON, Office, lived
from support.readings import removal

FORGOTTEN = removal(PERSON.id, loss=Loss.FORGOTTEN, read=30_000)


@pytest.fixture(params=OFFICES)
def office(request, tmp_path) -> Iterator[Office]:
    with OFFICES[request.param](tmp_path) as made:
        lived(made)
        yield made
        made.verified()


def waiting(office: Office) -> list[str]:
    return [str(one.ref) for one in demands.waiting(office.store.engine)]


def test_nobody_waits_where_records_were_only_deleted(office):
    office.sync(replace(FORGOTTEN, loss=Loss.DELETED))
    assert waiting(office) == []


def test_a_forgotten_person_waits_until_erased(office):
    office.sync(FORGOTTEN)
    assert waiting(office) == [str(PERSON)]

    office.forgetting.erase(str(PERSON), why="hs deleted this person for privacy", by="ana")
    assert waiting(office) == []


def test_what_is_told_twice_waits_once_and_with_the_first_time(office):
    office.sync(FORGOTTEN)
    first = demands.waiting(office.store.engine)
    office.sync(replace(FORGOTTEN, at=None))
    assert demands.waiting(office.store.engine) == first


def test_one_who_lay_in_the_bin_before_waits_too(office):
    office.sync(replace(FORGOTTEN, loss=Loss.DELETED))
    office.sync(FORGOTTEN)
    assert waiting(office) == [str(PERSON)]


def test_an_erased_person_does_not_wait_again(office):
    office.forgetting.erase(str(PERSON), why="request 7", by="ana")
    office.sync(FORGOTTEN)
    assert waiting(office) == []


def test_the_sources_are_told_apart(office):
    office.sync(FORGOTTEN)
    engine = office.store.engine
    assert demands.waiting(engine, "another") == []
    assert [one.ref for one in demands.waiting(engine, PERSON.source)] == [PERSON]
    assert OTHER not in [one.ref for one in demands.waiting(engine)]
