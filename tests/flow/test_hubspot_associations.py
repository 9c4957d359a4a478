"""HubSpot's associations from the portal into the store: what there is, what came and went."""

import json
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any

import pytest

from crmtrail.model import Loss, Mode, Op
from support.hubspot_trails import SOURCE, Trails, trails

PAIR = "contacts-companies"
DAY = 86_400
VERSIONS = ("", "2026-03")
UNTOLD = "HubSpot keeps no history of associations"


@pytest.fixture
def portal() -> Iterator[Trails]:
    with trails() as found:
        yield found


def truth(portal: Trails, pair: str) -> Mapping[str, Any]:
    return {
        one["id"]: {name: json.loads(text) for name, text in one["properties"].items()}
        for one in portal.portal.truth(pair)
    }


def stored(portal: Trails, pair: str) -> Mapping[str, Any]:
    return {
        id_: {name: fields[name] for name in ("types", "labels")}
        for id_ in portal.live(pair)
        for fields in (portal.fields(pair, id_),)
    }


def relate(portal: Trails, verb: str, id_: str, **more: Any) -> None:
    """Let a user associate the two records of an association, or take them apart."""
    one, other = id_.split("-")
    order = {"id": one, "to": {"object": "companies", "id": other}, **more}
    portal.act(verb, object="contacts", records=[order])


def strangers(portal: Trails) -> str:
    """Return the id of an association that is not there."""
    there = truth(portal, PAIR)
    contact = portal.portal.ids("contacts", 1)[0]
    ids = (f"{contact}-{company}" for company in portal.portal.ids("companies"))
    return next(id_ for id_ in ids if id_ not in there)


def test_every_pair_is_synced_as_it_is(portal: Trails) -> None:
    portal.version = VERSIONS[-1]
    with portal.connected() as connector:
        pairs = connector.objects("associations")

    runs = portal.sync(*pairs)

    assert [(run.object, run.state, run.failure) for run in runs] == [
        (pair, "done", None) for pair in pairs
    ]
    held = {pair: stored(portal, pair) for pair in pairs}
    own = f"p{portal.portal.people['portal']}_"
    assert held == {pair: truth(portal, pair.replace(own, "")) for pair in pairs}
    assert sum(map(len, held.values())) > 200
    assert all(run.complete_to is not None for run in runs)


def test_both_ends_are_fields(portal: Trails) -> None:
    portal.sync(PAIR)
    [id_, *_] = sorted(portal.live(PAIR))

    fields = portal.fields(PAIR, id_)

    assert f"{fields['from']}-{fields['to']}" == id_
    assert fields["types"] == ["HUBSPOT_DEFINED:1", "HUBSPOT_DEFINED:279"]
    assert fields["labels"] == ["Primary"]


@pytest.mark.parametrize("version", VERSIONS)
def test_what_was_associated_is_told_by_the_next_sweep(portal: Trails, version: str) -> None:
    portal.version = version
    first = portal.sync(PAIR)[0]
    id_ = strangers(portal)
    relate(portal, "associate", id_)

    polled = portal.sync(PAIR)
    swept = portal.sync(PAIR, mode=Mode.RECONCILE)

    assert [entry.change_set.op for entry in portal.log(PAIR, Op.CREATE)] == [Op.CREATE]
    [entry] = portal.log(PAIR, Op.CREATE)
    assert entry.change_set.ref.id == id_
    assert entry.change_set.actor.why == UNTOLD
    assert entry.change_set.since == first.complete_to
    assert polled[0].complete_to == first.complete_to
    assert swept[0].complete_to > first.complete_to


def test_what_was_taken_apart_is_gone_and_may_come_back(portal: Trails) -> None:
    portal.sync(PAIR)
    [id_, *_] = sorted(portal.live(PAIR))
    relate(portal, "dissociate", id_)
    portal.sync(PAIR, mode=Mode.RECONCILE)

    assert id_ not in portal.live(PAIR)
    [gone] = portal.log(PAIR, Op.DELETE)
    assert gone.change_set.actor.why == UNTOLD

    relate(portal, "associate", id_)
    portal.sync(PAIR, mode=Mode.RECONCILE)
    assert [entry.change_set.op for entry in portal.log(PAIR)][-1] is Op.UNDELETE
    assert stored(portal, PAIR) == truth(portal, PAIR)


def test_a_label_is_a_change_of_the_association(portal: Trails) -> None:
    label = int(portal.act("label", object="contacts", to="companies", label="Buyer")[0])
    portal.sync(PAIR)
    [id_, *_] = sorted(portal.live(PAIR))
    relate(portal, "associate", id_, type=label, category="USER_DEFINED")
    portal.sync(PAIR, mode=Mode.RECONCILE)

    changes = {entry.field: entry.new for entry in portal.log(PAIR)}

    assert json.loads(changes["labels"] or "") == ["Buyer", "Primary"]
    assert f"USER_DEFINED:{label}" in json.loads(changes["types"] or "")
    relate(portal, "dissociate", id_, type=label, category="USER_DEFINED")
    portal.sync(PAIR, mode=Mode.RECONCILE)
    assert portal.fields(PAIR, id_)["labels"] == ["Primary"]


def test_a_poll_reads_the_associations_of_what_changed(portal: Trails) -> None:
    portal.sync(PAIR)
    portal.pass_time(300)
    [old, *_] = sorted(portal.live(PAIR))
    new = strangers(portal)
    contact = new.split("-")[0]
    assert old.startswith(contact)
    relate(portal, "dissociate", old)
    relate(portal, "associate", new)
    portal.portal.change("contacts", contact, {"jobtitle": "Buyer"})
    portal.pass_time(1)

    portal.sync(PAIR)

    assert stored(portal, PAIR) == truth(portal, PAIR)
    ops = [(entry.change_set.op, entry.change_set.ref.id) for entry in portal.log(PAIR)]
    assert (Op.DELETE, old) in ops
    assert new in portal.live(PAIR)


def test_a_poll_follows_what_changed_at_the_other_end(portal: Trails) -> None:
    portal.sync(PAIR)
    portal.pass_time(300)
    id_ = strangers(portal)
    relate(portal, "associate", id_)
    portal.portal.change("companies", id_.split("-")[1], {"description": "New"})
    portal.pass_time(1)

    portal.sync(PAIR)

    assert stored(portal, PAIR) == truth(portal, PAIR)


def test_a_quiet_poll_costs_a_search_for_each_object(portal: Trails) -> None:
    portal.sync(PAIR)
    portal.pass_time(300)

    [run] = portal.sync(PAIR)

    assert (run.state, run.kept.read) == ("done", 0)
    assert run.api_calls == 3  # two searches, and the types that the pair has by now


def test_the_records_of_the_smaller_object_are_listed(portal: Trails) -> None:
    [run] = portal.sync(PAIR)

    with portal.portal.world.lock:
        requests = portal.portal.world.requests(crm="hubspot")
    listed = [
        one["target"] for one in requests if one["method"] == "GET" and "/objects/" in one["target"]
    ]
    assert {target.split("?")[0].rsplit("/", 1)[1] for target in listed} == {"companies"}
    assert run.api_calls <= 6


@pytest.mark.parametrize("version", VERSIONS)
def test_labels_in_pairs_are_told_as_the_first_end_sees_them(portal: Trails, version: str) -> None:
    portal.version = version
    ids = portal.act("label", object="contacts", to="companies", label="Advises", inverse="Hires")
    for id_ in sorted(truth(portal, PAIR))[:5]:
        relate(portal, "associate", id_, type=int(ids[0]), category="USER_DEFINED")

    portal.sync(PAIR)

    assert stored(portal, PAIR) == truth(portal, PAIR)
    assert sum("Advises" in one["labels"] for one in stored(portal, PAIR).values()) == 5


def test_records_of_one_object_with_each_other(portal: Trails) -> None:
    boss, _ = portal.act(
        "label", object="contacts", to="contacts", label="Manager", inverse="Report"
    )
    people = portal.portal.ids("contacts", 6)

    def report(one: str, to: str) -> None:
        order = {"id": one, "to": {"object": "contacts", "id": to}, "type": int(boss)}
        records = [order | {"category": "USER_DEFINED"}]
        portal.act("associate", object="contacts", records=records)

    report(people[0], people[1])
    report(people[3], people[2])
    portal.sync("contacts-contacts")
    assert stored(portal, "contacts-contacts") == truth(portal, "contacts-contacts")
    assert len(portal.live("contacts-contacts")) == 2

    report(people[5], people[4])
    portal.pass_time(300)
    portal.portal.change("contacts", people[5], {"jobtitle": "Chief"})
    portal.pass_time(1)
    portal.sync("contacts-contacts")
    assert stored(portal, "contacts-contacts") == truth(portal, "contacts-contacts")
    assert len(portal.live("contacts-contacts")) == 3


def test_many_associations_of_one_record_come_in_pages(portal: Trails) -> None:
    company = portal.portal.ids("companies", 1)[0]
    made = [{"fields": {"email": f"many-{n}@fernhill.example"}} for n in range(1_100)]
    people = portal.act("create", object="contacts", records=made)
    orders = [{"id": id_, "to": {"object": "companies", "id": company}} for id_ in people]
    portal.act("associate", object="contacts", records=orders)

    portal.sync(PAIR)

    assert stored(portal, PAIR) == truth(portal, PAIR)
    assert len(portal.live(PAIR)) > len(people)


def test_an_archived_record_takes_its_associations_along(portal: Trails) -> None:
    portal.sync(PAIR)
    [id_, *_] = sorted(portal.live(PAIR))
    contact = id_.split("-")[0]
    portal.act("delete", object="contacts", records=[{"id": contact}])
    portal.sync(PAIR, mode=Mode.RECONCILE)

    [gone] = portal.log(PAIR, Op.DELETE)
    assert gone.change_set.ref.id == id_
    assert f"contacts {contact} is no longer there" in (gone.change_set.actor.why or "")

    portal.act("restore", object="contacts", records=[{"id": contact}])
    portal.sync(PAIR, mode=Mode.RECONCILE)
    assert stored(portal, PAIR) == truth(portal, PAIR)


def test_a_merge_moves_associations_to_the_survivor(portal: Trails) -> None:
    portal.sync(PAIR)
    one, other = portal.portal.ids("contacts", 2)
    portal.act("merge", object="contacts", records=[{"id": one}, {"id": other}])

    portal.sync(PAIR, mode=Mode.RECONCILE)

    assert stored(portal, PAIR) == truth(portal, PAIR)
    assert not {id_ for id_ in portal.live(PAIR) if id_.startswith((f"{one}-", f"{other}-"))}


def test_a_run_goes_on_where_it_broke_off(portal: Trails) -> None:
    with portal.connected() as connector:
        connector.schema(PAIR)
        cursor = connector.start(PAIR, None, Mode.INCREMENTAL)
        pages = []
        for _ in range(2):
            pages.append(connector.page(PAIR, cursor))
            cursor = pages[-1].cursor
    with portal.connected() as connector:
        connector.schema(PAIR)
        again = connector.start(PAIR, cursor, Mode.INCREMENTAL)
        while not pages[-1].done:
            pages.append(connector.page(PAIR, again))
            again = pages[-1].cursor

    assert again != cursor
    told = [reading.ref.id for page in pages for reading in page.readings]
    assert sorted(told) == sorted(truth(portal, PAIR))
    assert pages[-1].swept is not None


def test_what_is_read_by_id_is_there_or_gone(portal: Trails) -> None:
    id_, other = min(truth(portal, PAIR)), strangers(portal)
    with portal.connected() as connector:
        found = connector.read(PAIR, [id_, other, "no association"])

    assert found[id_].fields["labels"] == '["Primary"]'
    assert (found[other].loss, found[other].at) == (Loss.DELETED, None)
    assert set(found) == {id_, other}


def test_a_flood_of_one_millisecond_is_followed_to_its_end(portal: Trails) -> None:
    portal.sync(PAIR)
    portal.pass_time(300)
    id_ = strangers(portal)
    relate(portal, "associate", id_)
    portal.act("flood", object="contacts", count=450, fields={"jobtitle": "Buyer"})
    portal.pass_time(1)

    [run] = portal.sync(PAIR)

    assert run.state == "done"
    assert stored(portal, PAIR) == truth(portal, PAIR)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_people_do_a_sweep_tells_it(portal: Trails, seed: int) -> None:
    rng = Random(seed)  # noqa: S311 -- chances for a test
    people, firms = portal.portal.ids("contacts", 12), portal.portal.ids("companies", 6)
    label = int(portal.act("label", object="contacts", to="companies", label="Buyer")[0])
    portal.sync(PAIR)
    for _ in range(6):
        for _ in range(5):
            id_ = f"{rng.choice(people)}-{rng.choice(firms)}"
            types: Sequence[Mapping[str, Any]] = (
                {},
                {"type": label, "category": "USER_DEFINED"},
                {"type": 1, "category": "HUBSPOT_DEFINED"},
            )
            verb = rng.choice(("associate", "associate", "dissociate"))
            there = truth(portal, PAIR).get(id_)
            kind = rng.choice(types)
            if verb == "dissociate" and not there:
                continue
            relate(portal, verb, id_, **kind)
        portal.sync(PAIR, mode=rng.choice((Mode.INCREMENTAL, Mode.RECONCILE)))
    portal.sync(PAIR, mode=Mode.RECONCILE)

    assert stored(portal, PAIR) == truth(portal, PAIR)
    assert portal.store.standing(SOURCE, PAIR).gaps == ()
