"""What is told to whom, and in which words."""

from dataclasses import replace
from datetime import timedelta

import pytest
import yaml

from crmtrail.alerts.decide import Message, Seen, Told, What, messages_for, wait_after, what_to_tell
from crmtrail.alerts.texts import text_of, who
from crmtrail.alerts_config import AlertChannel
from crmtrail.config import parse
from crmtrail.errors import Mistake
from crmtrail.model import (
    Actor,
    ActorKind,
    Finding,
    Incident,
    IncidentState,
    Op,
    Operation,
    Severity,
)
from support.readings import ADA, ROBOT, T0, at

DAY = timedelta(days=1)
OPERATION = Operation("op-1", "sf", "Contact", Op.UPDATE, ADA, T0, at(60), 12, blanked=12)
FINDING = Finding(
    "blanking", "op-1", Severity.HIGH, "Ada wiped", "was canary@x.example", 12, ("Phone",)
)
OPEN = Incident("inc-1a2b3c4d", IncidentState.NEW, FINDING, OPERATION, T0, T0)
CLOSED = replace(OPEN, state=IncidentState.RESOLVED)


def channel(**more):
    return AlertChannel(**({"to": "ops", "apprise_url": "json://host/canary-token"} | more))


def like(incident, **more):
    return replace(incident, finding=replace(incident.finding, **more))


def told(incident=OPEN, *, waiting=False, due=T0, messages=1):
    seen = Seen.of(incident) if messages else None
    return {incident.id: Told(incident.id, seen, messages, waiting, int(waiting), due)}


@pytest.mark.parametrize(
    ("now", "before", "why"),
    [
        (OPEN, None, What.OPENED),
        (CLOSED, None, What.OPENED),
        (OPEN, OPEN, None),
        (like(OPEN, records=119), OPEN, None),
        (like(OPEN, records=120), OPEN, What.GREW),
        (like(OPEN, severity=Severity.CRITICAL), OPEN, What.WORSE),
        (like(OPEN, severity=Severity.LOW), OPEN, None),
        (CLOSED, OPEN, What.RESOLVED),
        (CLOSED, CLOSED, None),
        (OPEN, CLOSED, What.REOPENED),
    ],
)
def test_why_an_incident_is_told(now, before, why):
    assert what_to_tell(now, before and Seen.of(before)) is why


def test_filters_are_kept():
    for passing in ({}, {"sources": ["sf"]}, {"objects": ["Contact"]}, {"objects": ["sf:Contact"]}):
        assert len(messages_for(channel(**passing), [OPEN], {}, T0, T0)) == 1
    for barring in ({"sources": ["hs"]}, {"objects": ["Lead"]}, {"from": "critical"}):
        assert messages_for(channel(**barring), [OPEN], {}, T0, T0) == []


def test_lesser_ones_go_into_one_digest_in_its_period():
    small = like(OPEN, severity=Severity.LOW)
    other = replace(small, id="inc-2")
    daily = channel(digest="1d")
    assert messages_for(daily, [small, other], {}, T0, at(86_399)) == []
    [message] = messages_for(daily, [small, other], {}, T0, T0 + DAY)
    assert (message.digest, [one.id for one, _, _ in message.told]) == (True, [small.id, "inc-2"])
    assert messages_for(channel(), [small], {}, T0, T0 + DAY) == []


def test_a_digest_that_failed_is_not_sent_in_parts():
    small = like(OPEN, severity=Severity.LOW)
    other = replace(small, id="inc-2")
    waits = told(small, waiting=True, due=T0 + DAY + timedelta(minutes=1), messages=0)
    assert messages_for(channel(digest="1d"), [small, other], waits, T0, T0 + DAY) == []


def test_one_that_failed_waits_and_goes_on():
    waits = told(waiting=True, due=at(60), messages=0)
    assert messages_for(channel(), [OPEN], waits, T0, at(59)) == []
    assert len(messages_for(channel(), [OPEN], waits, T0, at(60))) == 1
    assert [wait_after(n).total_seconds() for n in (1, 2, 3, 7, 500)] == [60, 120, 240, 3600, 3600]


def test_words_hold_no_personal_data_unless_allowed():
    plain = text_of(Message(((OPEN, What.OPENED, 0),)), channel())
    words = f"{plain.subject}{plain.plain}{plain.html}"
    for private in ("Ada", "canary", "wiped", "Lovelace"):
        assert private not in words
    for shown in ("12 records of sf:Contact", "user 005A", "Phone", "crmtrail incident inc-1a2b"):
        assert shown in plain.plain
    allowed = text_of(Message(((OPEN, What.OPENED, 0),)), channel(values=True))
    assert "was canary@x.example" in allowed.plain
    assert "Ada Lovelace" in allowed.plain


def test_an_update_says_its_number_and_leads_to_the_incident():
    link = "https://crm.example.com/incident/{incident}"
    text = text_of(Message(((CLOSED, What.RESOLVED, 1),)), channel(link=link))
    assert text.subject.startswith("crmtrail inc-1a2b3c4d update 2: resolved, high")
    assert "https://crm.example.com/incident/inc-1a2b3c4d" in text.plain


def test_html_is_escaped():
    odd = like(OPEN, fields=("<b>&",))
    assert "&lt;b&gt;&amp;" in text_of(Message(((odd, What.OPENED, 0),)), channel()).html


def test_actors_without_names_of_people():
    assert who(ROBOT) == "app Enricher"
    assert who(Actor(ActorKind.IMPORT, "77", "Ada's list.csv")) == "import 77"
    assert who(Actor(ActorKind.UNKNOWN, why="Ada said so")) == "unknown"


def read(*channels, environ=None):
    return parse(yaml.safe_dump({"alerts": list(channels)}), environ or {}).alerts


def test_a_channel_is_read_and_its_secret_is_not_shown():
    [one] = read({"to": "ops", "apprise_url": "${OPS}", "from": "high", "digest": "1d"})
    assert (one.unset, one.from_, one.digest) == (("OPS",), "high", DAY)
    [one] = read({"to": "ops", "apprise_url": "${OPS}"}, environ={"OPS": "json://canary"})
    assert (one.unset, one.from_) == ((), "medium")
    assert "canary" not in repr(one)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"from": "loud"}, "from"),
        ({"sources": ["sf"]}, "no source 'sf'"),
        ({"objects": ["hs:deals"]}, "no source 'hs'"),
        ({"link": "https://x.example/{id}"}, "{incident}"),
        ({"values": "perhaps"}, "values"),
    ],
)
def test_wrong_channels_are_told_without_the_secret(more, said):
    with pytest.raises(Mistake, match=said) as caught:
        read({"to": "ops", "apprise_url": "json://canary"} | more)
    assert "canary" not in str(caught.value)
    with pytest.raises(Mistake, match="same name"):
        read(*[{"to": "ops", "apprise_url": "json://x"}] * 2)
