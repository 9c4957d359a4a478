"""The sales desk's part of the seed: products, opportunities, quotes, approvals."""

from crmtrail.sandbox.salesforce import seed_words as words
from crmtrail.sandbox.salesforce.dice import Calendar, Dice, Row
from crmtrail.sandbox.salesforce.objects_sales import STAGES
from crmtrail.sandbox.salesforce.seed_people import People
from crmtrail.sandbox.salesforce.tables import Tables

OPPORTUNITIES, LINES, QUOTES, QUOTE_LINES = 0.16, 0.045, 0.015, 0.03
_PER_PARENT = 3
_NEEDS_APPROVAL = 15
_YEAR = 365


class Sales:
    """Fills products, opportunities, quotes and the approvals of their discounts."""

    def __init__(self, tables: Tables, calendar: Calendar, people: People) -> None:
        self._tables = tables
        self._calendar = calendar
        self._people = people
        self._dice = Dice(tables.world.random("salesforce/sales"))

    def fill(self, records: int, accounts: list[Row], contacts: list[Row]) -> None:
        """Write about so many records' share of opportunities and what hangs on them."""
        entries = self._products()
        count = max(2, round(records * OPPORTUNITIES))
        deals = self._write(
            "Opportunity",
            [self._opportunity(self._dice.pick(accounts)) for _ in range(count)],
        )
        self._lines(max(2, round(records * LINES)), deals, entries)
        quotes = self._quotes(max(1, round(records * QUOTES)), deals, contacts)
        self._quote_lines(max(2, round(records * QUOTE_LINES)), quotes, entries)
        self._approvals([quote for quote in quotes if quote["Approved_Discount__c"]])

    def _write(self, name: str, rows: list[Row]) -> list[Row]:
        sobject = self._tables.schema.objects[name]
        fresh = self._tables.new_ids(sobject, len(rows))
        for field in sobject.stored:
            if field.numbering:
                numbers = self._tables.take(f"{name}.{field.name}", len(rows))
                for row, number in zip(rows, numbers, strict=True):
                    row[field.name] = field.numbering.format(number)
        blank = {item.name: item.default for item in sobject.stored if item.default is not None}
        made = [{**blank, **row, "Id": id_} for row, id_ in zip(rows, fresh, strict=True)]
        self._tables.insert(sobject, made)
        return made

    def _products(self) -> list[Row]:
        stamps = self._calendar.stamps(self._dice, self._people["Priya Raman"])
        common = {"IsActive": 1, **stamps}
        products = self._write(
            "Product2",
            [
                {"ProductCode": code, "Name": name, "Family": family, **common}
                for code, name, family, _ in words.PRODUCTS
            ],
        )
        (book,) = self._write(
            "Pricebook2", [{"Name": "Standard Price Book", "IsStandard": 1, **common}]
        )
        return self._write(
            "PricebookEntry",
            [
                {
                    "Name": product["Name"],
                    "ProductCode": product["ProductCode"],
                    "Product2Id": product["Id"],
                    "Pricebook2Id": book["Id"],
                    "UnitPrice": price,
                    **common,
                }
                for product, (_, _, _, price) in zip(products, words.PRODUCTS, strict=True)
            ],
        )

    def _opportunity(self, account: Row) -> Row:
        dice = self._dice
        stage = dice.pick(tuple(STAGES))
        probability, forecast = STAGES[stage]
        owner = account["OwnerId"]
        discount = dice.maybe(0.5, float(dice.between(1, 6) * 5))
        stamps = self._calendar.stamps(dice, owner, oldest=_YEAR)
        closed = stage.startswith("Closed")
        return {
            "AccountId": account["Id"],
            "Name": f"{account['Name'].rsplit(' ', 1)[0]} - {dice.pick(words.DEALS)}",
            "Description": dice.maybe(0.5, dice.pick(words.NOTES)),
            "StageName": stage,
            "Amount": float(dice.between(20, 4_000) * 250),
            "Probability": float(probability),
            "ForecastCategory": forecast,
            "CloseDate": self._calendar.day(dice.between(5, 300) * (1 if closed else -1)),
            "Type": dice.pick(("New Customer", "Existing Customer - Upgrade")),
            "NextStep": dice.maybe(0.6, dice.pick(words.NEXT_STEPS)),
            "LeadSource": dice.pick(("Web", "Partner Referral", "Trade Show")),
            "OwnerId": owner,
            "Discount__c": discount,
            "Discount_Reason__c": discount and dice.pick(words.REASONS),
            "OrderNumber__c": dice.maybe(0.4, f"{dice.between(1, 999_999):06}"),
            "DeliveryInstallationStatus__c": dice.maybe(0.4, "Yet to begin"),
            "HasOpportunityLineItem": 0,
            **stamps,
        }

    def _lines(self, count: int, deals: list[Row], entries: list[Row]) -> None:
        rows = [
            self._line("OpportunityId", deals[number // _PER_PARENT % len(deals)], entries, number)
            for number in range(count)
        ]
        for row in rows:
            entry = row.pop("_entry")
            row["Name"] = f"{row.pop('_parent')['Name']} {entry['Name']}"
            row["ProductCode"] = entry["ProductCode"]
        self._write("OpportunityLineItem", rows)

    def _line(self, key: str, parent: Row, entries: list[Row], number: int) -> Row:
        dice = self._dice
        entry = dice.pick(entries)
        discount = dice.maybe(0.5, float(dice.between(1, 6) * 5))
        stamps = {name: parent[name] for name in _STAMPS}
        return {
            key: parent["Id"],
            "PricebookEntryId": entry["Id"],
            "Product2Id": entry["Product2Id"],
            "Quantity": float(dice.between(1, 20)),
            "UnitPrice": entry["UnitPrice"],
            "ListPrice": entry["UnitPrice"],
            "Discount": discount,
            "SortOrder": number % _PER_PARENT + 1,
            "_entry": entry,
            "_parent": parent,
            **stamps,
        }

    def _quotes(self, count: int, deals: list[Row], contacts: list[Row]) -> list[Row]:
        dice = self._dice
        rows = []
        for number in range(count):
            deal, contact = deals[number % len(deals)], dice.pick(contacts)
            # The first quote always went through an approval, even in a tiny org.
            discount = float(dice.between(0 if number else 4, 6) * 5)
            rows.append(
                {
                    "Name": f"{deal['Name']} v1",
                    "OpportunityId": deal["Id"],
                    "Status": "Approved" if discount > _NEEDS_APPROVAL else "Presented",
                    "ExpirationDate": self._calendar.day(-dice.between(10, 90)),
                    "ContactId": contact["Id"],
                    "Email": contact["Email"],
                    "Phone": contact["Phone"],
                    "OwnerId": deal["OwnerId"],
                    "Tax": float(dice.between(0, 40) * 100),
                    "Approved_Discount__c": discount if discount > _NEEDS_APPROVAL else None,
                    **{name: deal[name] for name in _STAMPS},
                }
            )
        return self._write("Quote", rows)

    def _quote_lines(self, count: int, quotes: list[Row], entries: list[Row]) -> None:
        rows = [
            self._line("QuoteId", quotes[number % len(quotes)], entries, number)
            for number in range(count)
        ]
        for row in rows:
            parent = row.pop("_parent")
            row.pop("_entry")
            row["Discount"] = parent["Approved_Discount__c"] or row["Discount"]
        self._write("QuoteLineItem", rows)

    def _approvals(self, quotes: list[Row]) -> None:
        admin = self._people["Priya Raman"]
        stamps = self._calendar.stamps(self._dice, admin)
        (process,) = self._write(
            "ProcessDefinition",
            [
                {
                    "Name": "Discount above 15 percent",
                    "DeveloperName": "Discount_Approval",
                    "Type": "Approval",
                    "TableEnumOrId": "Quote",
                    "LockType": "Total",
                    "State": "Active",
                    **stamps,
                }
            ],
        )
        approver = self._people["Ines Castro"]
        instances = self._write(
            "ProcessInstance",
            [
                {
                    "ProcessDefinitionId": process["Id"],
                    "TargetObjectId": quote["Id"],
                    "Status": "Approved",
                    "CompletedDate": quote["LastModifiedDate"],
                    "SubmittedById": quote["OwnerId"],
                    "LastActorId": approver,
                    **{name: quote[name] for name in _STAMPS},
                }
                for quote in quotes
            ],
        )
        self._write("ProcessInstanceStep", [step for one in instances for step in _steps(one)])


_STAMPS = (
    "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp",
)  # fmt: skip


def _steps(instance: Row) -> list[Row]:
    """Return submission and decision of one approval."""
    sent, decided = instance["SubmittedById"], instance["LastActorId"]
    told = (
        ("Started", sent, instance["CreatedDate"], "Please approve the discount."),
        ("Approved", decided, instance["LastModifiedDate"], "Approved for this term only."),
    )
    return [
        {
            "ProcessInstanceId": instance["Id"],
            "StepStatus": status,
            "OriginalActorId": actor,
            "ActorId": actor,
            "Comments": comment,
            "CreatedById": actor,
            "LastModifiedById": actor,
            "CreatedDate": at,
            "LastModifiedDate": at,
            "SystemModstamp": at,
        }
        for status, actor, at, comment in told
    ]
