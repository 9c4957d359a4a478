"""What the org logs about its users, through the connector, against the sandbox org."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from crmtrail.model import ActorKind
from crmtrail.ports import Connector
from support.connector_rig import Run, drive
from support.salesforce_rig import SalesforceRig, salesforce_rig


@pytest.fixture
def rig() -> Iterator[SalesforceRig]:
    with salesforce_rig() as made:
        yield made


@pytest.fixture
def sf(rig: SalesforceRig) -> Iterator[Connector]:
    with closing(rig.connect()) as connector:
        yield connector


def loaded(rig: SalesforceRig, sf: Connector, name: str, position: str | None = None) -> Run:
    rig.object = name
    sf.schema(name)
    return drive(rig, sf, position)


def test_a_login_is_created_by_who_logged_in(rig: SalesforceRig, sf: Connector) -> None:
    position = loaded(rig, sf, "LoginHistory").position
    rig.turn(3600)
    rig.act(do="login", user="Maya Lindholm", country="US")
    run = loaded(rig, sf, "LoginHistory", position)
    (reading,) = [one for one in run.readings if one.actor.name == "Maya Lindholm"]
    assert reading.creator == reading.actor
    assert reading.created_at == reading.edited_at == reading.modified_at


@pytest.mark.parametrize("name", ["LoginIp", "AuthSession", "VerificationHistory"])
def test_the_rows_of_access_logs_name_somebody(
    rig: SalesforceRig, sf: Connector, name: str
) -> None:
    rig.act(do="login", user="Maya Lindholm", country="US")
    run = loaded(rig, sf, name)
    assert all(one.actor.kind is not ActorKind.UNKNOWN for one in run.readings)
    assert len(run.readings) == len(rig.truth())


def test_events_are_told_once(rig: SalesforceRig, sf: Connector) -> None:
    rig.act(do="event", object="ReportEvent", user="Ines Castro", fields={"RowsProcessed": 500})
    rig.turn(7200)
    first = loaded(rig, sf, "ReportEvent")
    mine = [one for one in first.readings if one.actor.name == "Ines Castro"]
    assert len({one.ref.id for one in mine}) == len(mine)
    assert any(one.fields["RowsProcessed"].startswith("500") for one in mine)
    assert loaded(rig, sf, "ReportEvent", first.position).readings == []
    rig.act(do="event", object="ReportEvent", user="Ines Castro", fields={"RowsProcessed": 7})
    rig.turn(60)
    (late,) = loaded(rig, sf, "ReportEvent", first.position).readings
    assert late.actor.name == "Ines Castro"


def test_who_was_logged_in_as_an_admin_did_it(rig: SalesforceRig, sf: Connector) -> None:
    position = loaded(rig, sf, "SetupAuditTrail").position
    rig.turn(3600)
    order = {"do": "grant", "user": "Jonas Weber", "permission_set": "Data_Steward"}
    rig.act(**order, delegate="support@vendor.test")
    told = loaded(rig, sf, "SetupAuditTrail", position).readings
    (actor,) = {one.actor for one in told if one.fields["DelegateUser"] != "null"}
    assert (actor.kind, actor.id, actor.name) == (ActorKind.USER, None, "support@vendor.test")
    assert actor.via
