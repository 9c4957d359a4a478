"""Consent and deleted records: what a plan says of what it does not put back."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from crmtrail.errors import PlanUnfit
from crmtrail.model import NULL, Action, Loss, OnConflict, Op, Result
from crmtrail.ports import Departure, Head
from rollback.batches import Limits
from rollback.consent import CONSENT, is_consent
from rollback.gone import ways_back
from rollback.plan import Rules, draft
from rollback.planner import Planner
from rollback.receipt import as_json, as_text
from rollback.select import Selected, Target
from rollback.selections import ByOperation, ByUndo
from support.restore_rig import Rig, memory_rig
from support.restoring import SYNC, at, head, ref, text

UNTIL = datetime(2027, 2, 20, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("vendor", "object_", "field"),
    [
        ("hubspot", "subscription_statuses", "status"),
        ("hubspot", "contacts", "hs_legal_basis"),
        ("hubspot", "contacts", "hs_email_optout"),
        ("hubspot", "contacts", "hs_email_optout_4471001"),
        ("hubspot", "contacts", "hs_marketable_status"),
        ("salesforce", "Contact", "HasOptedOutOfEmail"),
        ("salesforce", "Lead", "DoNotCall"),
        ("salesforce", "Account", "PersonHasOptedOutOfEmail"),
        ("salesforce", "Individual", "ShouldForget"),
        ("salesforce", "ContactPointConsent", "PrivacyConsentStatus"),
    ],
)
def test_these_say_what_a_person_agreed_to(vendor: str, object_: str, field: str) -> None:
    assert is_consent(vendor, object_, field)


@pytest.mark.parametrize(
    ("vendor", "object_", "field"),
    [
        ("hubspot", "contacts", "email"),
        ("hubspot", "contacts", "hs_email_domain"),
        ("hubspot", "contacts", "DoNotCall"),
        ("salesforce", "Contact", "Email"),
        ("salesforce", "Contact", "hs_legal_basis"),
        ("elsewhere", "Individual", "DoNotCall"),
    ],
)
def test_these_do_not(vendor: str, object_: str, field: str) -> None:
    assert not is_consent(vendor, object_, field)


def _titles(_object: str, name: str) -> bool:
    return name == "Title"


def test_consent_is_left_alone_unless_the_plan_is_made_for_it() -> None:
    row = Selected(ref(), (Target("Phone", NULL, text("1")), Target("Title", NULL, text("yes"))))
    now = head({"Phone": NULL, "Title": NULL})
    rules = Rules(consent=_titles)
    made = draft("1", row, now, None, OnConflict.KEEP, {}, rules)
    assert (dict(made.write), dict(made.left)) == ({"Phone": text("1")}, {"Title": CONSENT})
    made = draft("1", row, now, None, OnConflict.KEEP, {}, replace(rules, with_consent=True))
    assert made.write == {"Phone": text("1"), "Title": text("yes")}


def test_overwriting_puts_no_consent_back() -> None:
    row = Selected(ref(), (Target("Title", NULL, text("yes")),))
    rules = Rules(consent=_titles)
    made = draft("1", row, head({"Title": text("no")}), None, OnConflict.OVERWRITE, {}, rules)
    assert (made.action, dict(made.left)) == (Action.BLOCKED, {"Title": CONSENT})


def _planner(rig: Rig) -> Planner:
    return Planner(
        store=rig.store,
        journal=rig.journal,
        clock=rig.clock,
        restore=rig.restore,
        blank=lambda token, _field: token in (None, NULL),
        limits=lambda _source: Limits(rig.crm.write_batch, rig.crm.bulk_batch, rig.crm.price),
    )


def _phones(_object: str, name: str) -> bool:
    return name == "Phone"


def test_a_plan_for_consent_needs_a_second_person_whom_the_receipt_names() -> None:
    rig = memory_rig()
    operation = rig.blanked(3)
    rules = Rules(consent=_phones, with_consent=True)
    plan = _planner(rig).make(ByOperation(operation.id), author="ana", rules=rules)
    assert (plan.approvals_required, plan.selection["consent"]) == (1, True)
    with pytest.raises(PlanUnfit):
        rig.apply(plan)
    rig.journal.approve(plan.id, "Ana", rig.clock.now())
    with pytest.raises(PlanUnfit):
        rig.apply(plan)
    assert NULL in rig.phones()
    rig.journal.approve(plan.id, "bob", rig.clock.now())
    applied = rig.apply(plan)
    assert applied.receipt is not None
    assert applied.receipt.outcomes[Result.RESTORED] == 3
    lines = list(as_text(applied.receipt, applied.steps(), approved_by=["Ana", "bob"]))
    assert "Approved by Ana, bob" in lines
    document = "".join(as_json(applied.receipt, applied.steps(), approved_by=["bob"]))
    assert '"approved_by": ["bob"]' in document
    undo = _planner(rig).make(ByUndo(plan.id), author="ana", rules=Rules(consent=_phones))
    assert (undo.approvals_required, undo.counts[Action.UPDATE]) == (1, 3)


def test_a_plan_without_the_flag_writes_no_consent_and_needs_nobody() -> None:
    rig = memory_rig()
    operation = rig.blanked(3)
    rules = Rules(consent=_phones)
    plan = _planner(rig).make(ByOperation(operation.id), author="ana", rules=rules)
    assert (plan.approvals_required, plan.counts[Action.BLOCKED]) == (0, 3)
    assert "consent" not in plan.selection
    applied = rig.apply(plan)
    assert applied.receipt is not None
    assert applied.receipt.outcomes[Result.REFUSED] == 3


def gone(loss: Loss | None, until: datetime | None = UNTIL) -> Head:
    into = "77" if loss is Loss.MERGED else None
    now = head({"Phone": NULL}, deleted=True)
    left = None if loss is None else Departure(loss, at(5), SYNC, into, until)
    return replace(now, departure=left)


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (
            gone(Loss.DELETED),
            ("HubSpot's own recycle bin, until 2027-02-20 09:00:00Z", "or make it anew"),
        ),
        (gone(None, None), ("HubSpot's own recycle bin, if it lies there", "or make it anew")),
        (gone(Loss.MERGED), ("merged into 77", "brings it back as a record of its own")),
        (gone(Loss.FORGOTTEN), ("deleted the person for privacy", "never restored")),
        (gone(Loss.PURGED), ("gone for good", "made anew")),
        (gone(Loss.VANISHED), ("vanished", "make it anew")),
    ],
)
def test_a_deleted_record_says_both_ways_back(end: Head, words: tuple[str, ...]) -> None:
    told = ways_back(end, "HubSpot", at(9))
    assert all(each in told for each in words), told


def test_a_bin_that_let_the_record_go_is_no_way_back() -> None:
    told = ways_back(gone(Loss.DELETED), "HubSpot", UNTIL)
    assert "kept it until 2027-02-20" in told
    assert "restore it in" not in told


@pytest.mark.parametrize("op", [Op.DELETE, Op.UPDATE])
def test_what_is_said_of_the_record_now_comes_before_what_was_done_to_it(op: Op) -> None:
    row = Selected(ref(), unable=f"done by {op} of {SYNC}")
    made = draft("1", row, gone(Loss.DELETED), None, OnConflict.KEEP, {}, Rules(crm="HubSpot"))
    assert made.action is Action.BLOCKED
    assert "until 2027-02-20" in made.reason
