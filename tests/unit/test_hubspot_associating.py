"""Writing associations: what is sent for what is there, and what counts in the end."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.hubspot.associating import Associating
from connectors.hubspot.client import Client
from connectors.hubspot.transport import Transport
from crmtrail.errors import Throttled
from crmtrail.model import Reading, Ref, Removal, Token, Verdict, Write, token_of, unknown
from support.scripted_http import Asked, Scripted, ScriptedServer

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
PLAIN, PRIMARY, BOSS = "HUBSPOT_DEFINED:279", "HUBSPOT_DEFINED:1", "USER_DEFINED:28"
LABELS = {
    "results": [
        {"category": "HUBSPOT_DEFINED", "typeId": 279, "label": None},
        {"category": "HUBSPOT_DEFINED", "typeId": 1, "label": "Primary"},
        {"category": "USER_DEFINED", "typeId": 28, "label": "Boss"},
    ]
}


class StillClock:
    def now(self) -> datetime:
        return NOON


class Portal:
    """The associations of contacts with companies, served and read."""

    def __init__(self, dead: Sequence[str] = ()) -> None:
        self.links: dict[str, set[str]] = {}
        self.dead = set(dead)
        self.asked: list[tuple[str, list[dict[str, Any]]]] = []
        self.lose = False

    def read(self, ids: Sequence[str]) -> Mapping[str, Reading | Removal]:
        ref = Ref("hs", "contacts-companies", "")
        return {
            id_: Reading(
                Ref(ref.source, ref.object, id_),
                {"types": token_of(sorted(self.links[id_]))},
                NOON,
                NOON,
                NOON,
                unknown("no history"),
            )
            for id_ in ids
            if id_ in self.links
        }

    def answer(self, asked: Asked) -> Scripted:
        path = asked.target
        if path.endswith("/labels"):
            return Scripted(200, LABELS)
        inputs = json.loads(asked.body)["inputs"]
        self.asked.append((path.rpartition("/batch/")[2], inputs))
        bad = [id_ for one in inputs for id_ in self._ends(one) if id_ in self.dead]
        if bad:
            context = {"INVALID_OBJECT_IDS": [f"COMPANY={bad[0]} is not valid"]}
            return Scripted(
                400, {"category": "VALIDATION_ERROR", "message": "no", "context": context}
            )
        for one in inputs:
            self._do(path, one)
        if self.lose:
            return Scripted(reset=True)
        return Scripted(200, {"results": []}) if path.endswith("create") else Scripted(204, b"")

    def _do(self, path: str, one: dict[str, Any]) -> None:
        types = {
            f"{each['associationCategory']}:{each['associationTypeId']}"
            for each in one.get("types", ())
        }
        for to in self._ends(one)[1:]:
            id_ = f"{one['from']['id']}-{to}"
            if path.endswith("create"):
                self.links.setdefault(id_, set()).update(types | {PLAIN})
            elif path.endswith("labels/archive") and PLAIN not in types:
                self.links[id_] -= types
            else:
                self.links.pop(id_, None)

    @staticmethod
    def _ends(one: dict[str, Any]) -> list[str]:
        to = one["to"] if isinstance(one["to"], list) else [one["to"]]
        return [one["from"]["id"], *(each["id"] for each in to)]


@contextmanager
def associating(portal: Portal, *script: Scripted) -> Iterator[Associating]:
    with ScriptedServer(*script, otherwise=portal.answer) as server:
        transport = Transport(
            base_url=server.url,
            token="a-token",
            version="",
            timeout=timedelta(seconds=5),
            clock=StillClock(),
        )
        yield Associating(Client(transport), ("contacts", "companies"), portal.read)
        transport.close()


def write(id_: str, *types: str, **more: Token) -> Write:
    fields = {"types": token_of(list(types))} | more
    return Write(Ref("hs", "contacts-companies", id_), fields, f"key-{id_}")


def test_an_association_is_made_again_with_its_labels() -> None:
    portal = Portal()
    with associating(portal) as links:
        answers = links.make([write("1-2", PLAIN, BOSS, **{"from": '"1"'}), write("1-3")])
    assert portal.links == {"1-2": {PLAIN, BOSS}, "1-3": {PLAIN}}
    assert [(one.verdict, one.id) for one in answers] == [
        (Verdict.ACCEPTED, "1-2"),
        (Verdict.ACCEPTED, "1-3"),
    ]
    ((verb, inputs),) = portal.asked
    assert verb == "create"
    assert inputs[0]["types"] == [
        {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 279},
        {"associationCategory": "USER_DEFINED", "associationTypeId": 28},
    ]


def test_exactly_the_labels_asked_for_are_set() -> None:
    portal = Portal()
    portal.links = {"1-2": {PLAIN, PRIMARY}, "1-3": {PLAIN, BOSS}, "1-4": {PLAIN, BOSS}}
    with associating(portal) as links:
        answers = links.write([write("1-2", PLAIN, BOSS), write("1-3", BOSS), write("1-4", PLAIN)])
    assert portal.links == {"1-2": {PLAIN, BOSS}, "1-3": {PLAIN, BOSS}, "1-4": {PLAIN}}
    assert {one.verdict for one in answers} == {Verdict.ACCEPTED}
    assert [verb for verb, _ in portal.asked] == ["create", "labels/archive"]
    assert answers[1].message == "it was so already"


def test_no_types_at_all_dissociate() -> None:
    portal = Portal()
    portal.links = {"1-2": {PLAIN, BOSS}}
    with associating(portal) as links:
        (answer,) = links.write([write("1-2")])
    assert (portal.links, answer.verdict) == ({}, Verdict.ACCEPTED)


def test_removing_takes_the_labels_along_and_says_what_was_not_there() -> None:
    portal = Portal()
    portal.links = {"1-2": {PLAIN, BOSS}}
    with associating(portal) as links:
        gone, never = links.remove([write("1-2", PLAIN), write("1-9")])
    assert portal.links == {}
    assert (gone.verdict, never.verdict) == (Verdict.ACCEPTED, Verdict.ACCEPTED)
    assert never.message == "it was so already"
    assert portal.asked == [("archive", [{"from": {"id": "1"}, "to": [{"id": "2"}]}])]


def test_a_dead_end_is_told_apart_from_the_others() -> None:
    portal = Portal(dead=["66"])
    with associating(portal) as links:
        answers = links.make([write(f"1-{to}", PLAIN) for to in (5, 66, 7)])
    assert [one.verdict for one in answers] == [
        Verdict.ACCEPTED,
        Verdict.REFUSED,
        Verdict.ACCEPTED,
    ]
    assert answers[1].code == "INVALID_OBJECT_IDS"
    assert "66" in answers[1].message
    assert "bring that one back first" in answers[1].hint


def test_a_lost_answer_is_settled_by_what_is_there() -> None:
    portal = Portal()
    portal.lose = True
    with associating(portal) as links:
        (answer,) = links.make([write("1-2", PLAIN)])
    assert answer.verdict is Verdict.ACCEPTED


def test_an_answer_lost_before_anything_was_done_is_in_doubt() -> None:
    portal = Portal()
    with associating(portal, Scripted(reset=True)) as links:
        (answer,) = links.make([write("1-2", PLAIN)])
    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, "AMBIGUOUS")


def test_a_pause_is_raised() -> None:
    with associating(Portal(), Scripted(429, {})) as links, pytest.raises(Throttled):
        links.make([write("1-2", PLAIN)])


@pytest.mark.parametrize(
    "made",
    [
        lambda: Write(Ref("hs", "p", "1-2"), {"labels": '["Boss"]'}, "k"),
        lambda: Write(Ref("hs", "p", "1-2"), {"types": '"Boss"'}, "k"),
        lambda: Write(Ref("hs", "p", "1-2"), {"types": '["Boss"]'}, "k"),
        lambda: Write(Ref("hs", "p", "12"), {"types": "[]"}, "k"),
    ],
)
def test_what_is_no_set_of_types_is_refused(made: Callable[[], Write]) -> None:
    portal = Portal()
    with associating(portal) as links:
        (answer,) = links.write([made()])
    assert answer.verdict is Verdict.REFUSED
    assert answer.hint
    assert portal.asked == []


def test_ends_that_were_made_anew_are_associated_under_their_new_ids() -> None:
    portal = Portal()
    new = {"from": '"901"', "to": '"2"'}
    with associating(portal) as links:
        assert links.found([write("1-2", PLAIN, **new)]) == {}
        (answer,) = links.make([write("1-2", PLAIN, **new)])
        assert links.found([write("1-2", PLAIN, **new)]) == {"key-1-2": "901-2"}
    assert (answer.id, portal.links) == ("901-2", {"901-2": {PLAIN}})
