"""Everything that HubSpot's connector writes, in each generation of the API."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from connectors.hubspot.connector import HubSpotConnector
from crmtrail.model import (
    NULL,
    Answer,
    Reading,
    Ref,
    Removal,
    Token,
    Verdict,
    Write,
    token_of,
    value_of,
)
from support.hubspot_rig import HubSpotRig, hubspot_rig

VERSIONS = ("v3", "2026-03", "2026-09")


@pytest.fixture(params=VERSIONS)
def rig(request: pytest.FixtureRequest) -> Iterator[HubSpotRig]:
    with hubspot_rig(request.param) as rig:
        yield rig


@pytest.fixture
def restorer(rig: HubSpotRig) -> Iterator[HubSpotConnector]:
    connector = rig.connect_restorer()
    assert isinstance(connector, HubSpotConnector)
    yield connector
    connector.close()


def act(rig: HubSpotRig, do: str, **order: Any) -> Any:
    return rig.sandbox.act("hubspot", do=do, **{"as": {"kind": "user", "id": rig.user.id}}, **order)


def make(rig: HubSpotRig, object_: str, *records: Mapping[str, str]) -> list[str]:
    made = act(rig, "create", object=object_, records=[{"fields": dict(one)} for one in records])
    return [str(id_) for id_ in made["ids"]]


def write(object_: str, id_: str, **fields: Token) -> Write:
    return Write(Ref("hs", object_, id_), fields, f"plan-1.{object_}.{id_}")


def held(rig: HubSpotRig, object_: str, id_: str) -> Mapping[str, str]:
    (record,) = rig.sandbox.truth("hubspot", object_, id_)
    properties: Mapping[str, str] = record["properties"]
    return properties


def verdicts(answers: Sequence[Answer]) -> list[Verdict]:
    return [one.verdict for one in answers]


def reading(connector: HubSpotConnector, object_: str, id_: str) -> Reading:
    found = connector.read(object_, [id_])[id_]
    assert isinstance(found, Reading)
    return found


def test_a_lifecycle_stage_goes_back(rig: HubSpotRig, restorer: HubSpotConnector) -> None:
    fields = {"email": "stage@fernhill.example", "lifecyclestage": "customer"}
    (id_,) = make(rig, "contacts", fields)
    (answer,) = restorer.write("contacts", [write("contacts", id_, lifecyclestage='"lead"')])
    assert answer.verdict is Verdict.ACCEPTED
    assert held(rig, "contacts", id_)["lifecyclestage"] == "lead"


def test_an_amount_of_line_items_is_left_to_them(
    rig: HubSpotRig, restorer: HubSpotConnector
) -> None:
    (deal,) = make(rig, "deals", {"dealname": "D", "amount": "5", "dealstage": "contractsent"})
    (item,) = make(rig, "line_items", {"name": "L", "price": "10", "quantity": "2"})
    to = {"object": "deals", "id": deal}
    act(rig, "associate", object="line_items", records=[{"id": item, "to": to}])
    changes = {"amount": '"5"', "dealname": '"E"'}
    (answer,) = restorer.write("deals", [write("deals", deal, **changes)])
    assert (answer.verdict, answer.code) == (Verdict.REFUSED, "AMOUNT_OF_LINE_ITEMS")
    assert held(rig, "deals", deal)["dealname"] == "E"
    assert float(held(rig, "deals", deal)["amount"]) == 20


def test_the_holder_of_an_address_is_named(rig: HubSpotRig, restorer: HubSpotConnector) -> None:
    one, two = rig.create(2)
    taken = token_of(held(rig, "contacts", one)["email"])
    (answer,) = restorer.write("contacts", [write("contacts", two, email=taken)])
    assert answer.verdict is Verdict.REFUSED
    assert f"record {one} holds the value now" in answer.hint


@pytest.mark.parametrize("setting", [{"trace_echo": False}, {"update_in_part": True}, {}])
def test_a_whole_batch_with_bad_rows_is_told_apart(
    rig: HubSpotRig, restorer: HubSpotConnector, setting: Mapping[str, bool]
) -> None:
    if setting:
        rig.sandbox.act("hubspot", do="unsettled", **setting)
    ids = list(rig.create(20))
    rig.delete([ids[3]])
    bad = {ids[7]: {"hs_lead_status": '"NO_SUCH"'}, ids[9]: {"email": '"no address"'}}
    writes = [write("contacts", id_, **bad.get(id_, {"jobtitle": '"good"'})) for id_ in ids]
    answers = restorer.write("contacts", writes)
    refused = [place for place, one in enumerate(answers) if one.verdict is Verdict.REFUSED]
    assert refused == [3, 7, 9]
    assert all(answers[place].hint for place in refused)
    assert set(verdicts(answers)) == {Verdict.ACCEPTED, Verdict.REFUSED}
    assert held(rig, "contacts", ids[0])["jobtitle"] == "good"


def test_a_record_is_made_anew_under_another_id(
    rig: HubSpotRig, restorer: HubSpotConnector
) -> None:
    (id_,) = make(rig, "contacts", {"email": "anew@fernhill.example", "jobtitle": "Dr"})
    before = reading(restorer, "contacts", id_)
    rig.delete([id_])
    fields = {name: token for name, token in before.fields.items() if token != NULL}
    (answer,) = restorer.recreate("contacts", [write("contacts", id_, **fields)])
    assert answer.verdict is Verdict.ACCEPTED
    assert answer.id not in (None, id_)
    after = reading(restorer, "contacts", str(answer.id))
    assert after.fields["jobtitle"] == '"Dr"'
    assert after.fields["email"] == '"anew@fernhill.example"'
    (again,) = restorer.recreate("contacts", [write("contacts", id_, **fields)])
    assert again.verdict is Verdict.REFUSED
    assert str(answer.id) in again.hint


def test_line_items_that_are_alike_stay_two(rig: HubSpotRig, restorer: HubSpotConnector) -> None:
    same = {"name": '"Seat"', "price": '"10"', "quantity": '"1"'}
    answers = restorer.recreate(
        "line_items", [write("line_items", id_, **same) for id_ in ("1", "2", "3")]
    )
    assert set(verdicts(answers)) == {Verdict.ACCEPTED}
    assert len({one.id for one in answers}) == 3


def test_a_lost_create_is_found_and_not_repeated(
    rig: HubSpotRig, restorer: HubSpotConnector
) -> None:
    restorer.schema("contacts")
    count = len(rig.truth())
    rig.sandbox.fault("reset_after", crm="hubspot", path="batch/create")
    fields = {"email": '"lost@fernhill.example"', "jobtitle": '"Dr"'}
    (answer,) = restorer.recreate("contacts", [write("contacts", "1", **fields)])
    assert answer.verdict is Verdict.ACCEPTED
    assert held(rig, "contacts", str(answer.id))["email"] == "lost@fernhill.example"
    assert len(rig.truth()) == count + 1


def test_a_person_deleted_for_privacy_is_not_made_anew(
    rig: HubSpotRig, restorer: HubSpotConnector
) -> None:
    (id_,) = make(rig, "contacts", {"email": "forgotten@fernhill.example"})
    act(rig, "gdpr_delete", object="contacts", records=[{"id": id_}])
    due = [write("contacts", id_, email='"forgotten@fernhill.example"')]
    (answer,) = restorer.recreate("contacts", due)
    assert (answer.verdict, answer.code) == (Verdict.REFUSED, "BLOCKLISTED")


def test_archiving_is_proved_by_the_bin(rig: HubSpotRig, restorer: HubSpotConnector) -> None:
    live, gone = rig.create(2)
    rig.delete([gone])
    answers = restorer.remove(
        "contacts", [write("contacts", id_) for id_ in (live, gone, rig.unknown_id)]
    )
    assert verdicts(answers) == [Verdict.ACCEPTED, Verdict.ACCEPTED, Verdict.REFUSED]
    found = restorer.read("contacts", [live])[live]
    assert isinstance(found, Removal)
    (until,) = restorer.undelete("contacts", [write("contacts", live)])
    assert until.verdict is Verdict.REFUSED
    assert found.restorable_until is not None
    assert f"until {found.restorable_until:%Y-%m-%d}" in until.message
    assert "make it anew" in until.hint


def test_rules_of_an_admin_are_kept_where_the_api_enforces_them(
    rig: HubSpotRig, restorer: HubSpotConnector
) -> None:
    (id_,) = rig.create(1)
    order = {"name": "jobtitle", "rule": "MAX_LENGTH", "arguments": [3]}
    rig.sandbox.act("hubspot", do="validation", object="contacts", **order)
    both = write("contacts", id_, jobtitle='"too long"', message='"hello"')
    (answer,) = restorer.write("contacts", [both])
    if rig.api_version != "2026-09":
        assert answer.verdict is Verdict.ACCEPTED
        return
    assert (answer.verdict, answer.code) == (Verdict.REFUSED, "VALUE_OUT_OF_RULE")
    assert "jobtitle" in answer.message
    assert held(rig, "contacts", id_)["message"] == "hello"


def test_a_required_property_is_named(rig: HubSpotRig, restorer: HubSpotConnector) -> None:
    (id_,) = rig.create(1)
    order = {"properties": ["message"], "when": {"hs_lead_status": "OPEN"}}
    rig.sandbox.act("hubspot", do="require", object="contacts", **order)
    due = [write("contacts", id_, hs_lead_status='"OPEN"')]
    (answer,) = restorer.write("contacts", due)
    if rig.api_version != "2026-09":
        assert answer.verdict is Verdict.ACCEPTED
        return
    assert answer.code == "MISSING_CONDITIONAL_REQUIRED_PROPERTY"
    assert "requires message with these values" in answer.hint


PAIR = "contacts-companies"


def types(connector: HubSpotConnector, id_: str) -> list[str] | None:
    found = connector.read(PAIR, [id_]).get(id_)
    if not isinstance(found, Reading):
        return None
    told: list[str] = value_of(found.fields["types"])
    return told


def test_associations_are_made_labelled_and_taken_away(
    rig: HubSpotRig, restorer: HubSpotConnector
) -> None:
    (contact,) = rig.create(1)
    here, there, dead = make(rig, "companies", {"name": "A"}, {"name": "B"}, {"name": "C"})
    act(rig, "delete", object="companies", records=[{"id": dead}])
    plain, primary = "HUBSPOT_DEFINED:279", "HUBSPOT_DEFINED:1"
    ids = [f"{contact}-{to}" for to in (here, there, dead)]
    made = restorer.recreate(PAIR, [write(PAIR, id_, types=token_of([plain])) for id_ in ids])
    assert verdicts(made) == [Verdict.ACCEPTED, Verdict.ACCEPTED, Verdict.REFUSED]
    assert dead in made[2].message
    assert types(restorer, ids[0]) is not None
    labelled = [write(PAIR, ids[1], types=token_of([primary, plain]))]
    (answer,) = restorer.write(PAIR, labelled)
    assert answer.verdict is Verdict.ACCEPTED
    assert primary in (types(restorer, ids[1]) or ())
    (answer,) = restorer.write(PAIR, [write(PAIR, ids[1], types=token_of([plain]))])
    assert answer.verdict is Verdict.ACCEPTED
    assert types(restorer, ids[1]) == [plain]
    gone = restorer.remove(PAIR, [write(PAIR, id_) for id_ in ids[:2]])
    assert set(verdicts(gone)) == {Verdict.ACCEPTED}
    assert [types(restorer, id_) for id_ in ids[:2]] == [None, None]


def test_a_subscription_status_is_set(rig: HubSpotRig, restorer: HubSpotConnector) -> None:
    name = "subscription_statuses"
    (contact,) = rig.create(1)
    id_ = f"{contact}.4471001"
    fields = {
        "status": '"UNSUBSCRIBED"',
        "legalBasis": '"NON_GDPR"',
        "legalBasisExplanation": '"as it was"',
    }
    (answer,) = restorer.write(name, [write(name, id_, **fields)])
    assert answer.verdict is Verdict.ACCEPTED, json.dumps(answer.message)
    assert reading(restorer, name, id_).fields["status"] == '"UNSUBSCRIBED"'


def test_logs_are_not_written(rig: HubSpotRig, restorer: HubSpotConnector) -> None:
    name = "login_activity"
    for do in (restorer.write, restorer.recreate, restorer.remove, restorer.undelete):
        (answer,) = do(name, [write(name, "1", email='"x"')])
        assert answer.verdict is Verdict.REFUSED
    assert rig.source == "hs"
