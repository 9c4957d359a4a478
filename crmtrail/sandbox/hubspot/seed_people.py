"""Seeded companies and contacts."""

from collections import Counter
from random import Random

from crmtrail.sandbox.hubspot import names
from crmtrail.sandbox.hubspot.options import values as options
from crmtrail.sandbox.hubspot.seeding import Firm, Ground, Records
from crmtrail.sandbox.hubspot.values import DAY, day, iso

_INDUSTRIES = options("industry")
_STATUSES = options("lead_status")
_SOURCES = options("source")
_BASES = options("legal_basis")
_TIERS = options("tier")
_INTERESTS = options("interests")
_TYPES = options("company_type")
_STAGES = ("subscriber", "lead", "marketingqualifiedlead", "opportunity", "customer", "customer")


def _address(rng: Random, place: int) -> dict[str, str]:
    city, state, postal, country, dial = names.PLACES[place]
    return {
        "phone": f"{dial} {rng.randrange(10_000):04d}",
        "address": f"{rng.randrange(1, 240)} {rng.choice(names.STREETS)}",
        "city": city,
        "state": state,
        "zip": postal,
        "country": country,
    }


def found_firms(ground: Ground) -> None:
    """Name the companies, each with its own domain."""
    rng = ground.rng
    for number in range(ground.sizes.companies):
        first, trade = names.FIRM[number % len(names.FIRM)], rng.choice(names.TRADE)
        turn = number // len(names.FIRM)
        name = f"{first} {trade}" + (f" {turn + 1}" if turn else "")
        domain = name.lower().replace(" ", "-") + ".example"
        place, industry = rng.randrange(len(names.PLACES)), rng.choice(_INDUSTRIES)
        ground.firms.append(Firm(name, domain, place, industry))


def companies(ground: Ground) -> Records:
    """Yield the seeded companies."""
    rng = ground.rng
    staff = Counter(ground.employer)
    deals = Counter(ground.employer[contact] for contact in ground.buyer)
    for number, firm in enumerate(ground.firms):
        owner = rng.randrange(len(ground.owners))
        people = rng.choice((12, 35, 80, 150, 420, 900, 2600))
        values = {
            "name": firm.name,
            "domain": firm.domain,
            "website": f"https://www.{firm.domain}",
            "industry": firm.industry,
            "type": rng.choice(_TYPES),
            "numberofemployees": str(people),
            "annualrevenue": str(people * rng.randrange(90_000, 240_000, 1000)),
            "founded_year": str(rng.randrange(1921, 2024)),
            "description": f"{firm.name}, {firm.industry.replace('_', ' ').lower()}.",
            "lifecyclestage": rng.choice(_STAGES),
            "hubspot_owner_id": ground.owners[owner][0],
            **_address(rng, firm.place),
        }
        if staff[number]:
            values["num_associated_contacts"] = str(staff[number])
        if deals[number]:
            values["num_associated_deals"] = str(deals[number])
        yield ground.record("companies", number, values, by=owner)


def contacts(ground: Ground) -> Records:
    """Yield the seeded contacts; every one has an e-mail and a phone."""
    rng = ground.rng
    taken: Counter[str] = Counter()
    deals = Counter(ground.buyer)
    for number in range(ground.sizes.contacts):
        firm = ground.firms[ground.employer[number]]
        first, last = rng.choice(names.FIRST), rng.choice(names.LAST)
        local = f"{first}.{last}".lower()
        taken[local + firm.domain] += 1
        again = taken[local + firm.domain]
        values = {
            "email": f"{local}{again if again > 1 else ''}@{firm.domain}",
            "firstname": first,
            "lastname": last,
            "company": firm.name,
            "jobtitle": rng.choice(names.TITLES),
            "website": f"https://www.{firm.domain}",
            "industry": firm.industry.replace("_", " ").capitalize(),
            **_address(rng, firm.place),
            **_standing(ground, number),
        }
        if deals[number]:
            values["num_associated_deals"] = str(deals[number])
        by = -1 if number % 5 < 3 else rng.randrange(len(ground.owners))  # noqa: PLR2004 -- 60 %
        yield ground.record("contacts", number, values, by=by)


def _standing(ground: Ground, number: int) -> dict[str, str]:
    """Return what sales and marketing know of a contact."""
    rng = ground.rng
    stage = rng.choice(_STAGES)
    values = {
        "lifecyclestage": stage,
        "hubspot_owner_id": rng.choice(ground.owners)[0],
        "hs_lead_status": rng.choice(_STATUSES),
        "annualrevenue": str(rng.randrange(200_000, 90_000_000, 1000)),
        "numemployees": str(rng.choice((12, 35, 80, 150, 420, 900))),
        "hs_language": rng.choice(("en", "en", "en", "de", "fr", "es")),
        "hs_analytics_source": rng.choice(_SOURCES),
        "hs_email_optout": rng.choice(("false",) * 9 + ("true",)),
        "hs_legal_basis": rng.choice(_BASES),
        "hs_marketable_status": rng.choice(("true", "true", "false")),
        "num_notes": str(rng.randrange(40)),
        "notes_last_contacted": iso(ground.now - rng.randrange(DAY, 300 * DAY)),
        "customer_number": f"C-{100_000 + number}",
        "credit_score": str(rng.randrange(300, 850)),
        "interests": ";".join(sorted(rng.sample(_INTERESTS, rng.randrange(1, 4)))),
    }
    if number % 2:
        values["mobilephone"] = f"+1 737 555 {rng.randrange(10_000):04d}"
    if stage == "customer":
        values["customer_tier"] = rng.choice(_TIERS)
        values["contract_signed_on"] = day(ground.now - rng.randrange(3 * DAY, 900 * DAY))
        values["vip"] = rng.choice(("true", "false", "false", "false"))
        values["tax_number"] = f"{rng.randrange(10**8, 10**9)}"
    return values
