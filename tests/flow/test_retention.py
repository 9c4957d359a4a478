"""Retention forgets what is too old, keeps every state that it promises, and can be proven."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from crmtrail.model import ERASED
from snapshot.auditor import verify as auditor
from snapshot.evidence import Evidence
from snapshot.keys.policy import SealMode, Subjects
from snapshot.signing import KeyRing, SigningKey
from support.forgetting_rig import CANARY, KEEP, OFFICES, PERSON, Office, on_disk, sqlite_office
from support.readings import at, reading, ref

DAY = 86_400
FORGET = {"keep": "30d"}
VERSIONS = 40


@pytest.fixture(params=OFFICES)
def office(request, tmp_path) -> Iterator[Office]:
    with OFFICES[request.param](tmp_path) as made:
        yield made
        made.verified()


def aged(office: Office, *, versions: int = VERSIONS, per_day: int = 1, object_: str = "Contact"):
    """Let a record change every day, and the clock stand at the end."""
    for no in range(versions):
        now = no * DAY // per_day
        fields = {"Email": "a@b.example", "LastName": "Ada", "Phone": f"{CANARY}-{no:03}"}
        fields |= {"Discount": str(no), "City": f"{CANARY}-city-{no // 10}"}
        office.sync(reading(PERSON.id, fields, modified=now, object_=object_), object_=object_)
    office.clock.move((versions - 1) * DAY // per_day)
    return ref(PERSON.id, object_=object_)


def phone(office: Office, who, day: float) -> str | None:
    version = office.store.version(who, at(day * DAY + 1))
    return None if version is None else version.fields["Phone"].strip('"')


@pytest.mark.parametrize("object_", ["Contact", "Case"])
def test_what_is_too_old_is_forgotten_and_all_else_stays(office, object_):
    who = aged(office, object_=object_)
    before = {day: phone(office, who, day) for day in range(VERSIONS)}
    lines = [(one.op, one.at, one.actor) for one in office.store.timeline(who)]

    (done,) = office.retention({**FORGET, "object": object_}).apply(by="ana", anew=True)

    limit = VERSIONS - 1 - 30
    for day in range(VERSIONS):
        assert phone(office, who, day) == (before[day] if day >= limit else ERASED)
    assert [(one.op, one.at, one.actor) for one in office.store.timeline(who)] == lines
    assert (done.records, done.versions, done.states, done.made) == (1, limit, 1, 1)
    assert len(done.leaves) == 2  # the values, and what quoted them
    gone = [f"{CANARY}-{day:03}".encode() for day in range(limit)]
    assert not any(word in on_disk(office) for word in gone)


def test_a_second_time_finds_nothing(office):
    aged(office)
    assert office.retention(FORGET).apply(by="ana")[0].leaves
    size = office.one("SELECT count(*) FROM leaf")
    (again,) = office.retention(FORGET).apply(by="ana")
    assert (again.versions, again.leaves) == (0, [])
    assert office.one("SELECT count(*) FROM leaf") == size


def test_time_going_by_makes_more_of_it_old(office):
    who = aged(office)
    office.retention(FORGET).apply(by="ana")
    for days in (1, 16, 500):
        office.clock.move(days * DAY)
        (done,) = office.retention(FORGET).apply(by="ana")
        assert done.leaves
        office.verified()
    assert phone(office, who, VERSIONS) == f"{CANARY}-{VERSIONS - 1:03}"
    assert phone(office, who, VERSIONS - 2) == ERASED


def test_a_preview_tells_what_an_application_does(office):
    aged(office)
    aged(office, object_="Case")
    rules = office.retention(FORGET)
    seen = list(rules.preview())
    assert office.one("SELECT count(*) FROM forgotten") == 0
    done = rules.apply(by="ana")
    assert [one.object for one in seen] == ["sf:Case", "sf:Contact"]
    for before, after in zip(seen, done, strict=True):
        before.leaves = after.leaves
        assert before == after


def test_what_is_held_is_kept_until_it_is_released(office):
    who = aged(office)
    hold = office.holds.add(str(who), why="case 9", by="ben")
    (done,) = office.retention(FORGET).apply(by="ana")
    assert (done.versions, done.held) == (0, {hold.id: 1})
    assert phone(office, who, 0) == f"{CANARY}-000"
    office.holds.release(hold.id, why="settled", by="ben")
    (done,) = office.retention(FORGET).apply(by="ana")
    assert (done.records, done.held) == (1, {})
    assert phone(office, who, 0) == ERASED


def test_a_hold_that_ends_by_itself_ends_for_retention_too(office):
    who = aged(office)
    office.holds.add(str(who), why="case", by="ben", until=office.clock.now() + timedelta(days=1))
    office.retention(FORGET).apply(by="ana")
    office.clock.move(DAY)
    office.retention(FORGET).apply(by="ana")
    assert phone(office, who, 0) == ERASED


def test_old_values_that_come_late_are_forgotten_too(office):
    who = aged(office)
    office.clock.move(100 * DAY)
    office.retention(FORGET).apply(by="ana")
    late = reading("003LATE", {"Phone": "1"}, modified=0, read=139 * DAY)
    later = reading("003LATE", {"Phone": "2"}, modified=5, read=139 * DAY + 1)
    office.sync(late)
    office.sync(later)
    (done,) = office.retention(FORGET).apply(by="ana")
    assert done.records == 1
    assert office.store.version(ref("003LATE"), at(1)).fields["Phone"] == ERASED
    assert office.store.version(ref("003LATE")).fields["Phone"] == '"2"'
    assert phone(office, who, VERSIONS) == f"{CANARY}-{VERSIONS - 1:03}"


def test_thinned_out_each_day_keeps_its_last_state(office):
    who = aged(office, versions=VERSIONS, per_day=4)
    rule = {"keep": "2d", "then": "thin", "thin_to": "1/day"}
    (done,) = office.retention(rule).apply(by="ana")
    last_of_day = {at(no * DAY / 4).date(): no for no in range(VERSIONS)}
    limit = VERSIONS - 1 - 8
    for no in range(VERSIONS):
        kept = no >= limit or no in last_of_day.values()
        expected = f"{CANARY}-{no:03}" if kept else ERASED
        assert phone(office, who, no / 4) == expected, no
    assert done.made
    office.clock.move(DAY)
    assert office.retention(rule).apply(by="ana")[0].leaves


def test_personal_values_go_and_finance_stays(office):
    who = aged(office)
    office.retention({**FORGET, "fields": "personal"}).apply(by="ana")
    first = office.store.version(who, at(1))
    assert (first.fields["Phone"], first.fields["Discount"]) == (ERASED, '"0"')
    office.retention({**FORGET, "fields": "finance"}).apply(by="ana")
    first = office.store.version(who, at(1))
    assert (first.fields["Phone"], first.fields["Discount"]) == (ERASED, ERASED)
    assert office.store.version(who).fields["Discount"] == f'"{VERSIONS - 1}"'


def test_classes_are_of_sealed_values_only(office):
    who = aged(office, object_="Case")
    for fields in ("personal", "finance"):
        (done,) = office.retention({**FORGET, "object": "Case", "fields": fields}).apply(by="ana")
        assert done.versions == 0
    assert phone(office, who, 0) == f"{CANARY}-000"


def test_an_erased_record_has_nothing_left_to_forget(office):
    who = aged(office)
    office.forgetting.erase(str(who), why="request", by="ana")
    (done,) = office.retention({**FORGET, "fields": "*"}).apply(by="ana")
    assert done.versions == 0


def test_a_record_that_retention_thinned_can_be_erased(office):
    who = aged(office)
    office.retention(FORGET).apply(by="ana")
    office.forgetting.erase(str(who), why="request", by="ana", anew=True)
    assert CANARY.encode() not in on_disk(office)


def test_it_is_synced_on_after_retention(office):
    who = aged(office)
    office.clock.move(400 * DAY)
    office.retention(FORGET).apply(by="ana")
    fields = {"Email": "a@b.example", "LastName": "Ada", "Phone": "new", "Discount": "9"}
    office.sync(reading(who.id, fields, modified=450 * DAY))
    newest = office.store.timeline(who)[-1]
    changed = {one.field: (one.old, one.new) for one in newest.changes}
    assert changed["Phone"] == (f'"{CANARY}-{VERSIONS - 1:03}"', '"new"')


def test_an_auditor_finds_it_in_order(tmp_path):
    with sqlite_office(tmp_path) as office:
        aged(office)
        ring = KeyRing(SigningKey("acme.example/crmtrail", bytes(32)))
        evidence = Evidence(office.store.engine, ring, office.clock)
        before = evidence.checkpoint()[1]
        rule = {"keep": "20d", "then": "thin", "thin_to": "1/week"}
        office.retention(rule, FORGET).apply(by="ana")
        office.forgetting.erase(str(PERSON), why="request", by="ana")
        keys = auditor.keys_of(str(ring.current.public))
        for note in (before, evidence.checkpoint()[1]):
            told = auditor.check_store(office.path, note, keys)
            assert "were forgotten lawfully" in told
            assert "0 values were" not in told


@settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(
    moments=st.lists(st.integers(0, 60), min_size=1, max_size=45),
    sealed=st.booleans(),
    rules=st.lists(
        st.sampled_from(
            [
                {"keep": "10d"},
                {"keep": "30d"},
                {"keep": "5d", "then": "thin", "thin_to": "1/week"},
                {"keep": "20d", "fields": "personal"},
            ]
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_every_state_that_is_young_enough_stays(moments, sealed, rules, tmp_path_factory):
    policy = Subjects(mode=SealMode.PERSONAL if sealed else SealMode.NONE, keeps=KEEP)
    with sqlite_office(tmp_path_factory.mktemp("office"), policy) as office:
        for no, day in enumerate(sorted(moments)):
            values = {"Phone": str(no), "Email": "a@b.example", "Discount": str(no // 2)}
            office.sync(reading("003A", values, modified=day * DAY + no))
        office.clock.move(61 * DAY)
        before = {day: office.store.version(ref(), at(day * DAY + 100)) for day in range(62)}
        office.retention(*rules).apply(by="ana")
        longest = max(int(rule["keep"].removesuffix("d")) for rule in rules)
        shortest = min(int(rule["keep"].removesuffix("d")) for rule in rules)
        assert longest >= shortest
        for day in range(61 - shortest + 1, 62):
            assert office.store.version(ref(), at(day * DAY + 100)) == before[day]
        for day in range(62):
            now = office.store.version(ref(), at(day * DAY + 100))
            if now is None or before[day] is None:
                assert now == before[day]
                continue
            for name, token in now.fields.items():
                assert token in {ERASED, before[day].fields[name]}
        office.verified()
