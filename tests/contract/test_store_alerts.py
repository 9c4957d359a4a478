"""Alerts over both databases: told once, retried, never lost, sealed."""

import pytest

from crmtrail.alerts.delivery import Alerts
from crmtrail.alerts_config import AlertChannel
from crmtrail.model import IncidentState
from support.readings import T0, at, reading
from support.store_rig import Watching, proven_rig

DAY_S = 86_400
MORE = [f"004{n}" for n in range(9)]


class Killed(BaseException):
    """The process dies."""


class Postbox:
    """Takes messages, or refuses them, or the process dies once one is out."""

    def __init__(self):
        self.taken = []
        self.refusing = self.deadly = False

    def fault(self, _channel):
        return ""

    def send(self, channel, text):
        if self.refusing:
            return "the service did not take the message"
        self.taken.append((channel.to, text.subject))
        if self.deadly:
            raise Killed
        return ""


@pytest.fixture(params=["sqlite", "postgres"])
def rig(request, tmp_path):
    with proven_rig(request.param, tmp_path) as made:
        known = [reading(one, {"Phone": "1"}) for one in ("003A", "003B", *MORE)]
        made.keep(*known, complete_to=at(1))
        yield made


@pytest.fixture
def box():
    return Postbox()


def alerts(rig, box, **more):
    ops = AlertChannel(**({"to": "ops", "apprise_url": "json://host/canary"} | more))
    return Alerts((ops,), rig.store, rig.clock, box)


def notice(rig, *ids, watching=None, modified=10):
    found = [reading(one, {"Phone": ""}, modified=modified) for one in ids]
    return rig.keep(*found, notice=watching or Watching("op-1", "blanking")).incidents


def deeds(rig):
    return rig.store.deeds(["alert"], limit=100)[0]


def test_an_incident_is_told_once_and_sealed(rig, box):
    [incident] = notice(rig, "003A")
    told = alerts(rig, box)
    [sent] = told.deliver()
    assert (sent.ok, sent.incidents) == (True, (incident,))
    assert told.deliver() == ()
    assert len(box.taken) == len(deeds(rig)) == 1
    [standing] = told.standings()
    assert (standing.waiting, standing.sent_at, standing.failure) == (0, T0, "")


def test_it_is_updated_when_it_grows_an_order_is_resolved_and_reopened(rig, box):
    watching, told = Watching("op-1", "blanking"), alerts(rig, box)
    [incident] = notice(rig, "003A", watching=watching)
    told.deliver()
    notice(rig, "003B", watching=watching)
    assert told.deliver() == ()
    notice(rig, *MORE, watching=watching)
    told.deliver()
    for state in (IncidentState.RESOLVED, IncidentState.ONGOING):
        rig.store.mark(incident, state, rig.clock.now(), by="ana", why="looked")
        told.deliver()
    subjects = [subject for _, subject in box.taken]
    for subject, words in zip(
        subjects, (": new", "update 2: grew", "update 3: resolved", "4: reopened"), strict=True
    ):
        assert incident in subject
        assert words in subject


def test_a_channel_that_fails_is_tried_again_later_and_tells_why(rig, box):
    notice(rig, "003A")
    told = alerts(rig, box)
    box.refusing = True
    [sent] = told.deliver()
    assert not sent.ok
    [standing] = told.standings()
    assert (standing.waiting, standing.sent_at) == (1, None)
    assert standing.failure == "the service did not take the message"
    box.refusing = False
    assert told.deliver() == ()
    rig.clock.move(60)
    assert [one.ok for one in told.deliver()] == [True]
    assert told.standings()[0].waiting == 0
    assert len(box.taken) == len(deeds(rig)) == 1


def test_a_crash_between_sending_and_noting_repeats_one_and_loses_none(rig, box):
    notice(rig, "003A")
    told = alerts(rig, box)
    box.deadly = True
    with pytest.raises(Killed):
        told.deliver()
    box.deadly = False
    assert deeds(rig) == []
    rig.clock.move(60)
    told.deliver()
    rig.clock.move(DAY_S)
    assert told.deliver() == ()
    assert len(box.taken) == 2
    assert len(deeds(rig)) == 1


def test_two_processes_send_it_once(rig, box):
    notice(rig, "003A")
    other = alerts(rig, box)

    class Racing(Postbox):
        """While it sends, another process looks what is due."""

        def send(self, channel, text):
            assert other.deliver() == ()
            return box.send(channel, text)

    alerts(rig, Racing()).deliver()
    assert len(box.taken) == 1


def test_what_was_resolved_and_reopened_while_it_failed_waits_no_more(rig, box):
    [incident] = notice(rig, "003A")
    told = alerts(rig, box)
    told.deliver()
    rig.store.mark(incident, IncidentState.RESOLVED, rig.clock.now(), by="ana", why="looked")
    box.refusing = True
    told.deliver()
    rig.store.mark(incident, IncidentState.ONGOING, rig.clock.now(), by="ana", why="again")
    assert told.deliver() == ()
    assert told.standings()[0].waiting == 0


def test_lesser_ones_are_gathered(rig, box):
    told = alerts(rig, box, **{"from": "critical", "digest": "1d"})
    told.deliver()
    notice(rig, "003A")
    notice(rig, "003B", watching=Watching("op-2", "blanking"), modified=20)
    assert told.deliver() == ()
    rig.clock.move(DAY_S)
    [sent] = told.deliver()
    assert len(sent.incidents) == 2
    assert [subject for _, subject in box.taken] == ["crmtrail digest: 2 lesser incidents"]
    assert told.deliver() == ()


def test_a_new_channel_is_not_flooded_with_what_is_old(rig, box):
    assert len(notice(rig, "003A")) == 1
    rig.clock.move(DAY_S * 3)
    assert alerts(rig, box).deliver() == ()
