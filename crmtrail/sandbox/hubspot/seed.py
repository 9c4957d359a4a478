"""A portal full of plausible records, the same for the same seed."""

from collections.abc import Iterator

from crmtrail.sandbox.hubspot import seed_activities
from crmtrail.sandbox.hubspot.imports import Imports
from crmtrail.sandbox.hubspot.object_types import OBJECT_TYPES, object_type
from crmtrail.sandbox.hubspot.portal import Portal
from crmtrail.sandbox.hubspot.records import row_of
from crmtrail.sandbox.hubspot.seed_people import companies, contacts, found_firms
from crmtrail.sandbox.hubspot.seed_sales import deals, line_items, products, quotes
from crmtrail.sandbox.hubspot.seeding import OLDEST, Ground, Records, Sizes
from crmtrail.sandbox.hubspot.values import DAY
from crmtrail.sandbox.world import Actor

Link = tuple[str, int, str, int, int]

_FIRST_ID = 15_875_400_000
_LEAST = 30


def seed(portal: Portal, records: int) -> None:
    """Fill the portal with so many records in all.

    Raises:
        ValueError: too few to make a portal of.
    """
    if records < _LEAST:
        raise ValueError(f"a HubSpot portal is seeded with at least {_LEAST} records")
    ground = _ground(portal, Sizes.of(records))
    found_firms(ground)
    ground.relate()
    # Line items come first: deals and quotes sum them up.
    for sow in (products, line_items, companies, contacts, deals, quotes):
        _sow(portal, sow(ground))
    portal.writer.links.add(_links(ground))
    apart = seed_activities.apart(portal, ground)
    for object_ in seed_activities.OBJECTS:
        _sow(portal, seed_activities.records(apart, object_))
    portal.writer.links.add(seed_activities.links(apart))


def _ground(portal: Portal, sizes: Sizes) -> Ground:
    now = portal.store.now()
    made, at = sizes.contacts * 3 // 5, now - OLDEST * DAY
    trade_fair = Imports(portal.world).note(
        "trade-fair-leads.csv", object_type("contacts"), made=made, changed=0, at=at
    )
    owners = [
        (str(user["owner"]), Actor("user", str(user["id"]), f"{user['first']} {user['last']}"))
        for user in portal.people.users()
        if not user["archived"]
    ]
    ids = {
        kind.name: range(_FIRST_ID + place * 10**9, _FIRST_ID + (place + 1) * 10**9, 11 + place)
        for place, kind in enumerate(OBJECT_TYPES)
    }
    stages = {kind.name: portal.schema.stages(kind.name) for kind in OBJECT_TYPES}
    rng = portal.world.random("hubspot/seed")
    return Ground(rng, now, sizes, dict(stages), owners, trade_fair, ids)


def _sow(portal: Portal, records: Records) -> None:
    portal.world.db.executemany(
        "INSERT INTO hs_record VALUES (?,?,?,?,?,?,?,?)", (row_of(record) for record in records)
    )


def _links(ground: Ground) -> Iterator[Link]:
    """Yield associations by type id: primary and plain company, buyer, line items, quotes."""
    for number, firm in enumerate(ground.employer):
        contact, company = ground.id("contacts", number), ground.id("companies", firm)
        yield "contacts", contact, "companies", company, 279
        yield "contacts", contact, "companies", company, 1
    for number, buyer in enumerate(ground.buyer):
        deal = ground.id("deals", number)
        company = ground.id("companies", ground.employer[buyer])
        yield "deals", deal, "contacts", ground.id("contacts", buyer), 3
        yield "deals", deal, "companies", company, 341
        yield "deals", deal, "companies", company, 5
    for number, sold in enumerate(ground.item_deal):
        item = ground.id("line_items", number)
        yield "deals", ground.id("deals", sold), "line_items", item, 19
        if sold < ground.sizes.quotes:
            yield "quotes", ground.id("quotes", sold), "line_items", item, 67
    for number in range(ground.sizes.quotes):
        yield "deals", ground.id("deals", number), "quotes", ground.id("quotes", number), 63
