"""Who made a change, by the words of HubSpot's history."""

from dataclasses import replace

import pytest

from connectors.hubspot import actors
from connectors.hubspot.actors import Origin, creator_of
from crmtrail.model import Actor, ActorKind


class Directory:
    def user(self, id_: str) -> str | None:
        return {"9586504": "Maya Lindqvist"}.get(id_)

    def import_(self, id_: str) -> str | None:
        return {"35795473": "leads.csv"}.get(id_)


NAMES = Directory()
MAYA = "9586504"


def actor_of(origin: Origin, names: Directory) -> Actor:
    """Return the actor of an origin, without HubSpot's words where somebody is named."""
    actor = actors.actor_of(origin, names)
    return actor if actor.kind is ActorKind.UNKNOWN else replace(actor, why=None)


@pytest.mark.parametrize(
    ("kind", "via"),
    [
        ("CRM_UI", None),
        ("CRM_UI_BULK_ACTION", "bulk edit"),
        ("MOBILE_IOS", "iOS app"),
        ("WORK_UI", None),
        ("SALES", None),
    ],
)
def test_people_at_work(kind: str, via: str | None) -> None:
    expected = Actor(ActorKind.USER, MAYA, "Maya Lindqvist", via)
    assert actor_of(Origin(kind, f"userId:{MAYA}"), NAMES) == expected
    assert actor_of(Origin(kind, "userId:1", user=MAYA), NAMES) == expected


def test_a_user_whom_no_list_names_keeps_the_id() -> None:
    assert actor_of(Origin("CRM_UI", "userId:1"), NAMES) == Actor(ActorKind.USER, "1")


def test_a_user_interface_without_a_user_is_unknown_with_the_raw_words() -> None:
    actor = actor_of(Origin("CRM_UI", "somewhere"), NAMES)
    assert actor.kind is ActorKind.UNKNOWN
    assert "sourceType CRM_UI, sourceId somewhere" in str(actor.why)


@pytest.mark.parametrize("kind", ["INTEGRATION", "API", "INTEGRATIONS_PLATFORM", "SALESFORCE"])
def test_apps(kind: str) -> None:
    named = actor_of(Origin(kind, "3217786", "CRM Restorer"), NAMES)
    assert named == Actor(ActorKind.APP, "3217786", "CRM Restorer", "CRM Restorer")
    assert actor_of(Origin(kind, "3217786"), NAMES).name == "3217786"
    assert actor_of(Origin(kind, "3217786", user=MAYA), NAMES).kind is ActorKind.APP


def test_imports() -> None:
    actor = actor_of(Origin("IMPORT", "35795473", user=MAYA), NAMES)
    assert actor == Actor(ActorKind.IMPORT, "35795473", "leads.csv", "import leads.csv")
    assert actor_of(Origin("IMPORT", "1"), NAMES) == Actor(ActorKind.IMPORT, "1", via="import 1")


def test_a_workflow_is_one_actor_over_all_its_runs() -> None:
    runs = [
        Origin("AUTOMATION_PLATFORM", f"enrollmentId:{run};actionExecutionIndex:0", "Nurture")
        for run in (1, 2)
    ]
    assert {actor_of(run, NAMES) for run in runs} == {
        Actor(ActorKind.AUTOMATION, "Nurture", "Nurture", "Nurture")
    }
    assert actor_of(Origin("WORKFLOWS", "12345"), NAMES).id == "12345"


@pytest.mark.parametrize("kind", ["CALCULATED", "BATCH_UPDATE", "DATA_ENRICHMENT", "DEFAULT"])
def test_hubspot_itself(kind: str) -> None:
    actor = actor_of(Origin(kind, "7", user=MAYA), NAMES)
    assert actor == Actor(ActorKind.SYSTEM, kind, f"HubSpot ({kind})")


@pytest.mark.parametrize("kind", ["MERGE_CONTACTS", "RECYCLING_BIN", "APPROVALS", "QUOTES"])
def test_undo_merge_and_commerce_name_the_user_where_told(kind: str) -> None:
    assert actor_of(Origin(kind, user=MAYA), NAMES) == Actor(
        ActorKind.USER, MAYA, "Maya Lindqvist", kind
    )
    assert actor_of(Origin(kind), NAMES).kind is ActorKind.SYSTEM


def test_a_visitor_is_no_user() -> None:
    actor = actor_of(Origin("FORM", "form-1", "Contact us"), NAMES)
    assert (actor.kind, actor.id, actor.via) == (ActorKind.UNKNOWN, None, "Contact us")
    assert "sourceId form-1" in str(actor.why)


@pytest.mark.parametrize("kind", ["SOMETHING_NEW", "UNKNOWN", ""])
def test_anything_else_is_unknown_unless_a_user_is_named(kind: str) -> None:
    actor = actor_of(Origin(kind, "x:1", "Label"), NAMES)
    assert actor.kind is ActorKind.UNKNOWN
    assert "sourceId x:1, sourceLabel Label" in str(actor.why)
    assert actor_of(Origin(kind, user=MAYA), NAMES).kind is ActorKind.USER


def test_nothing_told_says_so() -> None:
    assert "nothing told" in str(actor_of(Origin(""), NAMES).why)


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        (
            {"hs_object_source": "IMPORT", "hs_object_source_id": "35795473"},
            Actor(ActorKind.IMPORT, "35795473", "leads.csv", "import leads.csv"),
        ),
        (
            {
                "hs_object_source": "INTEGRATION",
                "hs_object_source_label": "INTEGRATION",
                "hs_object_source_id": "3217786",
                "hs_object_source_detail_1": "CRM Restorer",
            },
            Actor(ActorKind.APP, "3217786", "CRM Restorer", "CRM Restorer"),
        ),
        (
            {"hs_object_source": "CRM_UI", "hs_created_by_user_id": MAYA},
            Actor(ActorKind.USER, MAYA, "Maya Lindqvist"),
        ),
        (
            {"hs_created_by_user_id": MAYA},
            Actor(ActorKind.USER, MAYA, "Maya Lindqvist"),
        ),
        (
            {"hs_object_source": None},
            Actor(ActorKind.UNKNOWN, why="HubSpot does not say who created it"),
        ),
    ],
)
def test_creators(properties: dict[str, str | None], expected: Actor) -> None:
    made = creator_of(properties, NAMES)
    assert (made if expected.why else replace(made, why=None)) == expected


@pytest.mark.parametrize("kind", ["CRM_UI", "INTEGRATION", "IMPORT", "CALCULATED", "QUOTES", "new"])
def test_hubspots_own_words_are_kept(kind: str) -> None:
    actor = actors.actor_of(Origin(kind, "x:7", "Label", MAYA), NAMES)
    words = f"sourceType {kind}, sourceId x:7, sourceLabel Label, updatedByUserId {MAYA}"
    assert words in str(actor.why)


def test_the_runs_of_one_workflow_stay_one_actor_in_all_its_words() -> None:
    runs = [Origin("WORKFLOWS", f"enrollmentId:{run}", "Nurture") for run in (1, 2)]
    (actor,) = {actors.actor_of(run, NAMES) for run in runs}
    assert actor.why == "sourceType WORKFLOWS, sourceLabel Nurture"


def test_an_import_may_be_named_within_its_source() -> None:
    assert actor_of(Origin("IMPORT", "import:35795473"), NAMES).name == "leads.csv"
