"""HubSpot's trail objects from the portal into the store: what changed, when, and by whom."""

from collections.abc import Iterator

import pytest

from connectors.hubspot.groups import GROUPS
from crmtrail.model import Mode, Op, Ref
from support.hubspot_trails import SOURCE, Trails, trails

ALL = [name for group in GROUPS.values() for name in group]


@pytest.fixture
def portal() -> Iterator[Trails]:
    with trails() as found:
        yield found


@pytest.mark.parametrize("version", ["", "2026-09"])
def test_every_trail_object_is_synced_and_then_quiet(portal: Trails, version: str) -> None:
    portal.version = version
    portal.act("edition", enterprise=True)

    first = portal.sync(*ALL)
    versions = {one.object: one.versions for one in portal.store.standings()}
    second = portal.sync(*ALL)

    assert [(run.object, run.state, run.failure) for run in (*first, *second)] == [
        (name, "done", None) for name in ALL
    ] * 2
    assert [run.gaps for run in (*first, *second) if run.gaps] == []
    assert {one.object: one.versions for one in portal.store.standings()} == versions
    assert len(portal.live("users")) == 7
    assert "contacts.email" in portal.live("property_definitions")
    assert "deals.default.closedwon" in portal.live("pipeline_stages")


def test_a_definition_is_changed_by_a_named_user(portal: Trails) -> None:
    portal.sync("property_definitions")
    portal.act(
        "property",
        by="Elena Moretti",
        object="deals",
        name="discount_reason",
        change={"label": "Why cheaper"},
    )

    [quiet] = portal.sync("roles")
    [run] = portal.sync("property_definitions")

    [entry] = portal.log("property_definitions")
    assert quiet.api_calls == 1
    # One for each object; the custom objects, what deals have archived, and the user's name.
    assert run.api_calls <= len(portal.kinds("property_definitions")) + 3
    assert entry.change_set.ref.id == "deals.discount_reason"
    assert (entry.field, entry.new) == ("label", '"Why cheaper"')
    assert entry.change_set.actor.name == "Elena Moretti"


def test_an_archived_definition_is_gone_and_comes_back(portal: Trails) -> None:
    order = {"object": "companies", "name": "industry"}
    portal.sync("property_definitions")
    portal.act("property", by="Elena Moretti", change={"archived": True}, **order)
    portal.sync("property_definitions")

    [gone] = portal.log("property_definitions")
    assert (gone.change_set.op, gone.change_set.ref.id) == (Op.DELETE, "companies.industry")
    assert gone.change_set.actor.name == "Elena Moretti"

    portal.act("property", by="Priya Raman", change={"archived": False}, **order)
    portal.sync("property_definitions")
    assert portal.log("property_definitions")[-1].change_set.op is Op.UNDELETE
    assert "companies.industry" in portal.live("property_definitions")


def test_a_stage_is_changed_once_and_by_whom_the_audit_names(portal: Trails) -> None:
    pair = ("pipelines", "pipeline_stages", "pipeline_audit")
    portal.sync(*pair)
    for label, by in (("Paper out", "Elena Moretti"), ("Contract out", "Tobias Okafor")):
        portal.act(
            "pipeline",
            by=by,
            object="deals",
            pipeline="default",
            stage="contractsent",
            change={"label": label},
        )
    portal.sync(*pair)

    told = [
        (entry.field, entry.new, entry.change_set.actor.name)
        for entry in portal.log("pipeline_stages")
    ]
    assert told == [
        ("label", '"Paper out"', "Elena Moretti"),
        ("label", '"Contract out"', "Tobias Okafor"),
    ]
    assert portal.log("pipelines") == []
    audited = [
        (entry.change_set.actor.name, portal.fields("pipeline_audit", entry.change_set.ref.id))
        for entry in portal.log("pipeline_audit", Op.CREATE)
        if ".contractsent." in entry.change_set.ref.id
    ]
    assert [name for name, _ in audited] == ["Elena Moretti", "Tobias Okafor"]
    assert audited[-1][1]["stage"] == "deals.default.contractsent"
    assert audited[-1][1]["rawObject"]["label"] == "Contract out"


def test_an_archived_pipeline_takes_its_stages_along_and_both_come_back(portal: Trails) -> None:
    pair = ("pipelines", "pipeline_stages")
    order = {"object": "deals", "pipeline": "1043000"}
    portal.sync(*pair)
    before = portal.live("pipelines"), portal.live("pipeline_stages")
    portal.act("pipeline", by="Elena Moretti", change={"archived": True}, **order)
    portal.sync(*pair)

    [gone] = portal.log("pipelines")
    assert (gone.change_set.op, gone.change_set.ref.id) == (Op.DELETE, "deals.1043000")
    assert gone.change_set.actor.name == "Elena Moretti"
    assert not [id_ for id_ in portal.live("pipeline_stages") if id_.startswith("deals.1043000.")]

    portal.act("pipeline", by="Elena Moretti", change={"archived": False}, **order)
    portal.sync(*pair)
    assert (portal.live("pipelines"), portal.live("pipeline_stages")) == before


def test_rights_of_users_change_by_the_hand_that_the_security_log_names(portal: Trails) -> None:
    pair = ("users", "teams", "owners", "security_activity")
    portal.sync(*pair)
    portal.act("user", user="Tobias Okafor", change={"admin": True})
    [added] = portal.act("user", new={"first": "Nora", "last": "Quist"})
    [removed] = portal.act("user", user="Priya Raman", change={"archived": True})

    portal.sync(*pair)

    by_op = {entry.change_set.op: entry for entry in portal.log("users") if entry.field is None}
    raised = [one for one in portal.log("users") if one.field == "superAdmin"]
    assert [(one.new, one.change_set.actor.name) for one in raised] == [("true", "Maya Lindqvist")]
    assert by_op[Op.CREATE].change_set.ref.id == added
    assert by_op[Op.CREATE].change_set.actor.name == "Maya Lindqvist"
    assert by_op[Op.DELETE].change_set.ref.id == removed
    assert by_op[Op.DELETE].change_set.actor.name == "Maya Lindqvist"
    assert removed not in portal.live("users")
    kinds = {
        portal.fields("security_activity", id_)["type"] for id_ in portal.live("security_activity")
    }
    assert kinds == {"ADD_ADMIN_PERMISSIONS", "ADD_USER", "REMOVE_USER"}


@pytest.mark.parametrize(
    "name",
    ["property_definitions", "pipeline_audit", "owners", "login_activity", "subscription_statuses"],
)
def test_a_walk_that_breaks_off_after_every_page_goes_on(portal: Trails, name: str) -> None:
    steps = [portal.sync(name, stopping=True)[0].state]
    while steps[-1] == "stopped":
        steps += [portal.sync(name, stopping=True)[0].state]
        assert len(steps) < 100
    broken = portal.live(name)

    portal.sync(name, mode=Mode.FULL)

    assert steps[-1] == "done"
    assert portal.live(name) == broken
    assert portal.log(name) == []


def test_an_owner_who_left_is_deleted_and_no_other(portal: Trails) -> None:
    portal.sync("owners")
    before = portal.live("owners")
    portal.act("user", user="Priya Raman", change={"archived": True})

    portal.sync("owners")

    assert len(before - portal.live("owners")) == 1
    assert [entry.change_set.op for entry in portal.log("owners")] == [Op.DELETE]


def test_an_import_that_is_reverted_says_so(portal: Trails) -> None:
    portal.sync("imports")
    [id_] = portal.act("import_state", **{"import": "trade-fair-leads.csv", "state": "REVERTED"})

    portal.sync("imports")

    states = [(one.old, one.new) for one in portal.log("imports") if one.field == "state"]
    assert states == [('"DONE"', '"REVERTED"')]
    assert portal.fields("imports", id_)["counters"]["TOTAL_ROWS"] == 66


def test_a_log_that_needs_enterprise_is_a_stated_gap(portal: Trails) -> None:
    [run] = portal.sync("audit_logs")

    [gap] = run.gaps
    assert run.state == "done"
    assert gap.whole
    assert "HubSpot Enterprise" in gap.why
    assert "HubSpot logs no record views" in gap.why

    portal.act("edition", enterprise=True)
    contact = portal.portal.ids()[0]
    portal.portal.change("contacts", contact, {"jobtitle": "Buyer"})
    [run] = portal.sync("audit_logs")
    targets = [portal.fields("audit_logs", id_)["target"] for id_ in portal.live("audit_logs")]
    assert run.gaps == ()
    assert targets == [f"contacts:{contact}"]


def test_events_never_vanish_and_are_stored_once(portal: Trails) -> None:
    [first] = portal.sync("login_activity")
    portal.pass_time(40 * 86_400)
    portal.sync("login_activity")
    [third] = portal.sync("login_activity", mode=Mode.RECONCILE)

    assert first.kept.created > 100  # those of 90 days, by the hour that it is
    assert third.kept.created == 0
    assert portal.log("login_activity", Op.DELETE) == []
    assert len(portal.live("login_activity")) > first.kept.created


def test_consent_is_followed_by_contact_and_told_by_address(portal: Trails) -> None:
    portal.sync("subscription_statuses")
    contact = portal.portal.ids()[1]
    portal.act(
        "consent",
        records=[{"id": contact, "subscription": "Product news", "status": "UNSUBSCRIBED"}],
    )

    [run] = portal.sync("subscription_statuses")

    address = portal.portal.truth("contacts", contact)[0]["properties"]["email"]
    found = portal.fields("subscription_statuses", f"{contact}.4471002")
    [changed] = {entry.change_set.ref for entry in portal.log("subscription_statuses")}
    assert changed == Ref(SOURCE, "subscription_statuses", f"{contact}.4471002")
    assert (found["status"], found["contact"]) == ("UNSUBSCRIBED", contact)
    assert found["subscriberIdString"] == address
    assert run.api_calls == 2


def test_statuses_of_a_contact_that_is_gone_go_too(portal: Trails) -> None:
    portal.sync("subscription_statuses")
    contact = portal.portal.ids()[1]
    portal.act("delete", object="contacts", records=[{"id": contact}])

    portal.sync("subscription_statuses", mode=Mode.RECONCILE)

    gone = {entry.change_set.ref.id for entry in portal.log("subscription_statuses")}
    assert gone == {f"{contact}.{one}" for one in (4471001, 4471002, 4471003)}


def test_without_the_batch_scope_consent_is_read_one_by_one(portal: Trails) -> None:
    scope = "communication_preferences.statuses.batch.read"
    portal.act("scopes", app="observer", take=[scope])

    [run] = portal.sync("subscription_statuses")

    assert (run.state, run.gaps) == ("done", ())
    assert len(portal.live("subscription_statuses")) == 330


def test_a_token_without_scopes_states_gaps_and_fails_nothing(portal: Trails) -> None:
    portal.act(
        "scopes",
        app="observer",
        take=[
            "account-info.security.read",
            "communication_preferences.read",
            "communication_preferences.statuses.batch.read",
            "crm.import",
            "crm.objects.owners.read",
            "settings.users.read",
            "settings.users.teams.read",
        ],
    )
    names = ("users", "roles", "teams", "owners", "imports", "login_activity", "security_activity")

    runs = portal.sync(*names, "subscription_statuses")

    assert {run.state for run in runs} == {"done"}
    assert all(len(run.gaps) == 1 and run.gaps[0].whole for run in runs)


def test_a_list_that_lost_its_scope_loses_no_record(portal: Trails) -> None:
    portal.sync("property_definitions", "users")
    before = portal.live("property_definitions"), portal.live("users")
    portal.act("scopes", app="observer", take=["tickets", "settings.users.read"])
    portal.act("property", object="deals", name="discount_reason", change={"label": "Why"})

    [definitions, users] = portal.sync("property_definitions", "users")
    again = portal.sync("property_definitions", "users", mode=Mode.RECONCILE)

    assert (portal.live("property_definitions"), portal.live("users")) == before
    assert portal.fields("property_definitions", "deals.discount_reason")["label"] == "Why"
    assert [gap.whole for gap in (*definitions.gaps, *users.gaps)] == [False, True]
    assert "tickets" in definitions.gaps[0].why
    assert {run.state for run in again} == {"done"}

    portal.act("scopes", app="observer", give=["tickets", "settings.users.read"])
    again = portal.sync("property_definitions", "users", mode=Mode.RECONCILE)
    assert [run.gaps for run in again] == [(), ()]
