"""A seeded org: people, accounts, contacts, leads, then what the sales desk made of them."""

from crmtrail.sandbox.salesforce import seed_words as words
from crmtrail.sandbox.salesforce.dice import DAYS, Calendar, Dice, Row
from crmtrail.sandbox.salesforce.objects_sales import SOURCES
from crmtrail.sandbox.salesforce.seed_access import AccessSeed
from crmtrail.sandbox.salesforce.seed_audit import AuditSeed
from crmtrail.sandbox.salesforce.seed_people import People, seed_people
from crmtrail.sandbox.salesforce.seed_sales import Sales
from crmtrail.sandbox.salesforce.sessions import Sessions
from crmtrail.sandbox.salesforce.sideeffects import sum_all
from crmtrail.sandbox.salesforce.tables import Tables

CONTACTS, ACCOUNTS, LEADS = 0.55, 0.10, 0.07
_IMPORTED = 0.10


class Seed:
    """Fills an empty org, the same way for the same seed and day."""

    def __init__(self, tables: Tables, sessions: Sessions) -> None:
        self._tables = tables
        self._sessions = sessions
        self._calendar = Calendar(tables)

    def fill(self, records: int) -> None:
        """Write about so many records; more than half of them are contacts."""
        people = seed_people(self._tables, self._sessions, self._calendar.ago(DAYS))
        accounts = self._accounts(round(records * ACCOUNTS), people)
        contacts = self._contacts(round(records * CONTACTS), accounts, people)
        self._leads(round(records * LEADS), people)
        Sales(self._tables, self._calendar, people).fill(records, accounts, contacts)
        access = AccessSeed(self._tables, self._calendar, people)
        access.fill()
        AuditSeed(self._tables, access, people).fill()
        sum_all(self._tables)

    def _dice(self, purpose: str) -> Dice:
        return Dice(self._tables.world.random(f"salesforce/{purpose}"))

    def _write(self, name: str, rows: list[Row]) -> list[Row]:
        sobject = self._tables.schema.objects[name]
        for row, id_ in zip(rows, self._tables.new_ids(sobject, len(rows)), strict=True):
            row["Id"] = id_
        blank = {item.name: item.default for item in sobject.stored if item.default is not None}
        self._tables.insert(sobject, [{**blank, **row} for row in rows])
        return rows

    def _accounts(self, count: int, people: People) -> list[Row]:
        dice = self._dice("accounts")
        rows = [self._account(dice, number, people) for number in range(max(1, count))]
        return self._write("Account", rows)

    def _account(self, dice: Dice, number: int, people: People) -> Row:
        owner = dice.pick(people.sellers)
        place = dice.pick(words.PLACES)
        head, tail = dice.pick(words.COMPANY_HEADS), dice.pick(words.COMPANY_TAILS)
        # A number keeps large seeds from running out of names.
        name = f"{head} {tail}{f' {number}' if number >= len(words.COMPANY_HEADS) else ''}"
        slug = name.lower().replace(" ", "-")
        return {
            "Name": f"{name} {dice.pick(words.COMPANY_FORMS)}",
            "Type": dice.pick(("Prospect", "Customer - Direct", "Customer - Channel")),
            **_address("Billing", dice, place),
            **(_address("Shipping", dice, place) if dice.chance(0.5) else {}),
            "Phone": dice.phone(place[6]),
            "Fax": dice.maybe(0.3, dice.phone(place[6])),
            "Website": f"https://www.{slug}.example",
            "AccountNumber": f"A-{10_000 + number}",
            "Industry": dice.maybe(0.9, dice.pick(("Banking", "Energy", "Retail", "Technology"))),
            "AnnualRevenue": float(dice.between(1, 900) * 100_000),
            "NumberOfEmployees": dice.between(5, 12_000),
            "Rating": dice.maybe(0.7, dice.pick(("Hot", "Warm", "Cold"))),
            "Description": dice.maybe(0.5, dice.pick(words.NOTES)),
            "OwnerId": owner,
            "AccountSource": dice.pick(SOURCES),
            "CustomerPriority__c": dice.pick(("High", "Medium", "Low")),
            "Regions__c": dice.pick(("EMEA", "EMEA;AMER", "AMER;APAC", "LATAM")),
            "NumberofLocations__c": float(dice.between(1, 40)),
            "Contract_Discount__c": dice.maybe(0.6, float(dice.between(0, 25))),
            "SLAExpirationDate__c": self._calendar.day(-dice.between(30, 700)),
            "Key_Account__c": int(dice.chance(0.2)),
            "Renewal_Notes__c": dice.maybe(0.3, dice.pick(words.NOTES)),
            "External_Id__c": f"ERP-{number + 1:06}",
            **self._calendar.stamps(dice, owner),
            "_place": place,
            "_slug": slug,
        }

    def _contacts(self, count: int, accounts: list[Row], people: People) -> list[Row]:
        dice = self._dice("contacts")
        rows = [self._contact(dice, n, dice.pick(accounts), people) for n in range(max(1, count))]
        # One import wrote a part of them within a second: ties for whoever pages by stamp.
        at, importer = self._calendar.ago(90.25), people["Quinn Rivera"]
        for row in rows[: int(len(rows) * _IMPORTED)]:
            row |= {"CreatedDate": at, "LastModifiedDate": at, "SystemModstamp": at}
            row |= {"CreatedById": importer, "LastModifiedById": importer, "LeadSource": "Other"}
        return self._write("Contact", rows)

    def _contact(self, dice: Dice, number: int, account: Row, people: People) -> Row:
        place = account["_place"]
        first, last = dice.pick(words.FIRST), dice.pick(words.LAST)
        owner = account["OwnerId"] if dice.chance(0.8) else dice.pick(people.sellers)
        return {
            "AccountId": account["Id"],
            "FirstName": first,
            "LastName": last,
            "Salutation": dice.maybe(0.5, dice.pick(("Ms.", "Mr.", "Dr."))),
            **_address("Mailing", dice, place),
            "Phone": dice.phone(place[6]),
            "MobilePhone": dice.maybe(0.6, dice.phone(place[6])),
            "HomePhone": dice.maybe(0.1, dice.phone(place[6])),
            "Email": f"{_ascii(first)}.{_ascii(last)}.{number}@{account['_slug']}.example",
            "Title": dice.pick(words.TITLES),
            "Department": dice.pick(words.DEPARTMENTS),
            "LeadSource": dice.pick(SOURCES),
            "Birthdate": dice.maybe(0.3, self._calendar.day(dice.between(8_000, 24_000))),
            "Description": dice.maybe(0.4, dice.pick(words.NOTES)),
            "OwnerId": owner,
            "HasOptedOutOfEmail": int(dice.chance(0.1)),
            "DoNotCall": int(dice.chance(0.05)),
            "Level__c": dice.pick(("Primary", "Secondary", "Tertiary")),
            "Interests__c": dice.maybe(
                0.7, dice.pick(("Analytics", "Hardware;Services", "Training"))
            ),
            "External_Id__c": f"CON-{number + 1:07}",
            **self._calendar.stamps(dice, owner),
        }

    def _leads(self, count: int, people: People) -> None:
        dice = self._dice("leads")
        self._write("Lead", [self._lead(dice, n, people) for n in range(max(1, count))])

    def _lead(self, dice: Dice, number: int, people: People) -> Row:
        place = dice.pick(words.PLACES)
        first, last = dice.pick(words.FIRST), dice.pick(words.LAST)
        company = f"{dice.pick(words.COMPANY_HEADS)} {dice.pick(words.COMPANY_TAILS)}"
        owner = dice.pick(people.sellers)
        return {
            "FirstName": first,
            "LastName": last,
            "Company": company,
            "Title": dice.pick(words.TITLES),
            **_address("", dice, place),
            "Phone": dice.phone(place[6]),
            "Email": f"{_ascii(first)}.{_ascii(last)}.{number}@leads.example",
            "LeadSource": dice.pick(SOURCES),
            "Status": dice.pick(("Open - Not Contacted", "Working - Contacted")),
            "Industry": dice.pick(("Banking", "Energy", "Retail")),
            "Rating": dice.pick(("Hot", "Warm", "Cold")),
            "AnnualRevenue": float(dice.between(1, 90) * 100_000),
            "NumberOfEmployees": dice.between(5, 2_000),
            "OwnerId": owner,
            "ProductInterest__c": dice.maybe(0.5, dice.pick(("GC1000 series", "GC5000 series"))),
            **self._calendar.stamps(dice, owner),
        }


def _address(prefix: str, dice: Dice, place: tuple[str, str, str, str, float, float, str]) -> Row:
    city, state, code, country, north, east, _ = place
    row: Row = {
        f"{prefix}Street": f"{dice.between(1, 240)} {dice.pick(words.STREETS)}",
        f"{prefix}City": city,
        f"{prefix}State": state,
        f"{prefix}PostalCode": code,
        f"{prefix}Country": country,
    }
    if dice.chance(0.5):
        row |= {
            f"{prefix}Latitude": round(north + dice.roll() / 10, 6),
            f"{prefix}Longitude": round(east + dice.roll() / 10, 6),
            f"{prefix}GeocodeAccuracy": "Street",
        }
    return row


_PLAIN = str.maketrans("öøüäáé", "oouaae", "'")


def _ascii(name: str) -> str:
    return name.lower().translate(_PLAIN)
