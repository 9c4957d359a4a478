"""Seeded products, line items, deals and quotes."""

from typing import NamedTuple

from crmtrail.sandbox.hubspot import names
from crmtrail.sandbox.hubspot.options import RENEWALS, STAGES
from crmtrail.sandbox.hubspot.options import values as options
from crmtrail.sandbox.hubspot.seeding import Ground, Records
from crmtrail.sandbox.hubspot.values import DAY, day, iso, plain

_STAGE_IDS = tuple(stage[0] for stage in STAGES)
_WEIGHTS = (18, 16, 15, 11, 9, 19, 12)
_RENEWALS_EVERY = 20
_PRIORITIES = options("priority")
_REASONS = options("reason")
_STATUSES = options("quote_status")
_NEXT_STEPS = ("Send proposal", "Call the buyer", "Security review", "Legal review", "Demo")


def products(ground: Ground) -> Records:
    """Yield the price list."""
    for number in range(ground.sizes.products):
        name, sku, price, billing = names.PRODUCTS[number]
        values = {
            "name": name,
            "hs_sku": sku,
            "price": str(price),
            "description": f"{name} of Fernhill Supply",
            "hs_cost_of_goods_sold": plain(round(price * 0.35, 2)),
        }
        if billing:
            values["recurringbillingfrequency"] = billing
        yield ground.record("products", number, values, by=0)


def line_items(ground: Ground) -> Records:
    """Yield line items and add their amounts up for their deals."""
    rng = ground.rng
    for number, deal in enumerate(ground.item_deal):
        product = rng.randrange(ground.sizes.products)
        name, sku, price, billing = names.PRODUCTS[product]
        values = {
            "name": name,
            "hs_sku": sku,
            "hs_product_id": str(ground.id("products", product)),
            "price": str(price),
            "quantity": str(rng.choice((1, 1, 2, 3, 5, 10))),
            "hs_position_on_quote": str(ground.item_counts[deal]),
        }
        if billing:
            values["recurringbillingfrequency"] = billing
        if rng.random() < 0.4:  # noqa: PLR2004 -- two in five are discounted
            values["hs_discount_percentage"] = rng.choice(("5", "7.5", "10", "15"))
        record = ground.record("line_items", number, values, by=number % len(ground.owners))
        ground.item_counts[deal] += 1
        ground.item_amounts[deal] += round(float(record.values["amount"]) * 100)
        yield record


class _Course(NamedTuple):
    """How far a deal has come."""

    pipeline: str
    stage: str
    closed: bool
    won: bool


def _course(ground: Ground, number: int) -> _Course:
    if number % _RENEWALS_EVERY == _RENEWALS_EVERY - 1:
        stage, _, probability = ground.rng.choice(RENEWALS)
        return _Course("1043000", stage, probability in ("0.0", "1.0"), probability == "1.0")
    stage = ground.rng.choices(_STAGE_IDS, _WEIGHTS)[0]
    return _Course("default", stage, stage.startswith("closed"), stage == "closedwon")


def deals(ground: Ground) -> Records:
    """Yield deals over the stages of the default pipeline, one in twenty a renewal."""
    rng = ground.rng
    for number, contact in enumerate(ground.buyer):
        firm = ground.firms[ground.employer[contact]]
        course = _course(ground, number)
        owner = rng.randrange(len(ground.owners))
        product = names.PRODUCTS[rng.randrange(len(names.PRODUCTS))][0]
        distance = rng.randrange(DAY, 180 * DAY)
        close = ground.now - distance if course.closed else ground.now + distance
        values = {
            "dealname": f"{firm.name} - {product}",
            "amount": str(rng.randrange(1_500, 240_000, 50)),
            "closedate": iso(close),
            "pipeline": course.pipeline,
            "dealstage": course.stage,
            "dealtype": "existingbusiness" if course.pipeline != "default" else "newbusiness",
            "hubspot_owner_id": ground.owners[owner][0],
            "description": f"{product} for {firm.name}",
            "hs_priority": rng.choice(_PRIORITIES),
            "hs_next_step": "" if course.closed else rng.choice(_NEXT_STEPS),
            "deal_currency_code": "USD",
            "contract_months": rng.choice(("12", "24", "36")),
            "num_associated_contacts": "1",
            **_ending(ground, course, close),
        }
        if ground.item_counts[number]:
            values["amount"] = plain(ground.item_amounts[number] / 100)
            values["hs_num_of_associated_line_items"] = str(ground.item_counts[number])
        filled = {name: value for name, value in values.items() if value}
        yield ground.record("deals", number, filled, by=owner)


def _ending(ground: Ground, course: _Course, close: int) -> dict[str, str]:
    values = {}
    if course.closed and not course.won:
        values["closed_lost_reason"] = ground.rng.choice(("Price", "Timing", "Went elsewhere"))
    if course.won:
        values["closed_won_reason"] = ground.rng.choice(("Support", "Fit", "Price", "References"))
        values["signed_on"] = day(close)
    if ground.rng.random() < 0.2:  # noqa: PLR2004 -- one in five has a discount
        values["discount_reason"] = ground.rng.choice(_REASONS)
    return values


def quotes(ground: Ground) -> Records:
    """Yield one quote each for the first deals, with the deal's line items."""
    for number in range(ground.sizes.quotes):
        owner = number % len(ground.owners)
        contact = ground.buyer[number]
        firm = ground.firms[ground.employer[contact]]
        seller = ground.owners[owner][1]
        first, last = seller.name.split()
        values = {
            "hs_title": f"Quote for {firm.name}",
            "hs_status": _STATUSES[number % len(_STATUSES)],
            "hs_expiration_date": iso((ground.now // DAY + 30 + number % 60) * DAY),
            "hs_language": "en",
            "hs_currency": "USD",
            "hs_sender_firstname": first,
            "hs_sender_lastname": last,
            "hs_sender_email": f"{first}.{last}@fernhill-supply.example".lower(),
            "hs_terms": "Net 30",
            "hubspot_owner_id": ground.owners[owner][0],
        }
        if values["hs_status"] in ("APPROVED", "REJECTED"):
            values["hs_approver_id"] = ground.owners[0][1].id
        if ground.item_counts[number]:
            values["hs_quote_amount"] = plain(ground.item_amounts[number] / 100)
        yield ground.record("quotes", number, values, by=owner)
