"""Seeded leads, calls, e-mails, meetings, notes and tasks, and the portal's own object: few."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from crmtrail.sandbox.hubspot.definitions_activities import ACTIVITIES, OPTIONS
from crmtrail.sandbox.hubspot.options import values as options
from crmtrail.sandbox.hubspot.portal import Portal
from crmtrail.sandbox.hubspot.seeding import Ground, Records
from crmtrail.sandbox.hubspot.values import DAY, day, iso

OBJECTS: Final = tuple(ACTIVITIES)
_MOST: Final = 40
_SHARE: Final = 40
"""There is one of each for so many records of the portal."""

_LINES: Final = (
    "We went through the open points of the contract.",
    "The delivery dates for the next quarter are agreed.",
    "They ask for a second offer with a longer term.",
    "Follow up with the figures of the pilot.",
    "The technical review is set for next week.",
)
_HOUR: Final = 3_600_000

Link = tuple[str, int, str, int, int]


def apart(portal: Portal, ground: Ground) -> Ground:
    """Return the same plan with chances of its own, so that nothing else depends on these."""
    return replace(ground, rng=portal.world.random("hubspot/seed/activities"))


def count(ground: Ground) -> int:
    """Return how many of each there are."""
    return max(2, min(_MOST, (ground.sizes.contacts + ground.sizes.deals) // _SHARE))


def records(ground: Ground, object_: str) -> Records:
    """Yield the records of one object."""
    for number in range(count(ground)):
        owner = number % len(ground.owners)
        values = _values(ground, object_, number) | {"hubspot_owner_id": ground.owners[owner][0]}
        yield ground.record(object_, number, values, by=owner)


def _values(ground: Ground, object_: str, number: int) -> dict[str, str]:
    firm = ground.firms[ground.employer[number % len(ground.employer)]].name
    at = ground.now - ground.rng.randrange(DAY, 90 * DAY)
    if object_ == "leads":
        return _lead(ground, firm, number)
    if object_ == "service_plans":
        return _plan(ground, firm, number, at)
    return _activity(ground, object_, firm, at) | {"hs_timestamp": iso(at)}


def _lead(ground: Ground, firm: str, number: int) -> dict[str, str]:
    return {
        "hs_lead_name": f"{firm} lead {number}",
        "hs_lead_type": ground.rng.choice(OPTIONS["lead_type"]),
        "hs_lead_label": ground.rng.choice(OPTIONS["lead_label"]),
        "hs_pipeline_stage": ground.rng.choice(OPTIONS["lead_stage"]),
    }


def _plan(ground: Ground, firm: str, number: int, at: int) -> dict[str, str]:
    return {
        "plan_name": f"Care plan {firm}",
        "plan_code": f"CP-{1000 + number}",
        "plan_hours": str(ground.rng.randrange(4, 80)),
        "plan_tier": ground.rng.choice(options("tier")),
        "plan_started": day(at),
    }


def _activity(ground: Ground, object_: str, firm: str, at: int) -> dict[str, str]:
    rng = ground.rng
    text = f"<p>{rng.choice(_LINES)}</p><p>{rng.choice(_LINES)}</p>"
    match object_:
        case "calls":
            titles = {"hs_call_title": f"Call with {firm}", "hs_call_status": "COMPLETED"}
            duration = str(rng.randrange(30, 3_600) * 1000)
            return titles | {"hs_call_body": text, "hs_call_duration": duration}
        case "emails":
            titles = {"hs_email_subject": f"Offer for {firm}", "hs_email_status": "SENT"}
            body = text * rng.randrange(1, 40)
            return titles | {"hs_email_html": body, "hs_email_direction": "EMAIL"}
        case "meetings":
            outcome = rng.choice(OPTIONS["meeting_outcome"])
            times = {"hs_meeting_start_time": iso(at), "hs_meeting_end_time": iso(at + _HOUR)}
            titles = {"hs_meeting_title": f"Review with {firm}", "hs_meeting_outcome": outcome}
            return titles | times | {"hs_meeting_body": text}
        case "tasks":
            state = {"hs_task_status": rng.choice(OPTIONS["task_status"]), "hs_task_type": "CALL"}
            return {"hs_task_subject": f"Call {firm} back", "hs_task_body": text} | state
        case _:
            return {"hs_note_body": text}


_TO_CONTACT: Final = {
    "leads": 608,
    "calls": 194,
    "emails": 198,
    "meetings": 200,
    "notes": 202,
    "tasks": 204,
}
_TO_COMPANY: Final = {
    "leads": 610,
    "calls": 182,
    "emails": 186,
    "meetings": 188,
    "notes": 190,
    "tasks": 192,
}


def links(ground: Ground) -> Iterator[Link]:
    """Yield what these records are associated with: a contact and its company."""
    for number in range(count(ground)):
        contact = ground.id("contacts", number)
        company = ground.id("companies", ground.employer[number])
        for object_, type_ in _TO_CONTACT.items():
            yield object_, ground.id(object_, number), "contacts", contact, type_
            yield object_, ground.id(object_, number), "companies", company, _TO_COMPANY[object_]
