"""What an opportunity looks like: 62 fields, and how each gets and changes its value.

Values are exact JSON texts, as Salesforce spells them. A value is made from random numbers only, so
that the same seed gives the same record in every process.
"""

from collections.abc import Callable, Mapping
from random import Random
from typing import Final, TypeAlias

Make: TypeAlias = Callable[[Random], str]

OBJECT: Final = "Opportunity"
USERS: Final = 40

BOOKKEEPING: Final = ("LastModifiedDate", "LastModifiedById", "SystemModstamp")
"""Fields that move with every edit and are no change by themselves."""

_WORDS: Final = (
    "renewal", "budget", "quarter", "pricing", "legal", "review", "pilot", "rollout", "region",
    "forecast", "margin", "approval", "contract", "security", "partner", "migration", "upgrade",
    "licence", "seats", "invoice", "procurement", "champion", "sponsor", "workshop", "proposal",
    "discount", "deadline", "integration", "training", "warehouse", "analytics",
)  # fmt: skip
_COMPANIES: Final = (
    "Northwind", "Acme", "Globex", "Initech", "Umbrella", "Stark", "Hooli", "Vandelay",
)  # fmt: skip
_BLANKED_ONE_IN: Final = 25


def seeded(number: int) -> Random:
    """Return random numbers that are the same in every process."""
    return Random(number)  # noqa: S311 -- seeded randomness is wanted, nothing here is secret


def user_id(number: int) -> str:
    """Return the id of one of the org's users."""
    return f"0055g00000U{number:04d}AAC"


def _pick(*options: str) -> Make:
    tokens = [f'"{option}"' for option in options]
    return lambda rng: tokens[int(rng.random() * len(tokens))]


def _text(words: int) -> Make:
    def make(rng: Random) -> str:
        chosen = " ".join(_WORDS[int(rng.random() * len(_WORDS))] for _ in range(words))
        return f'"{chosen} {int(rng.random() * 10_000)}"'

    return make


def _money(most: float) -> Make:
    return lambda rng: f"{rng.random() * most:.2f}"


def _whole(most: int) -> Make:
    return lambda rng: str(int(rng.random() * most))


def _percent(rng: Random) -> str:
    return f"{int(rng.random() * 20) * 5}.0"


def _flag(rng: Random) -> str:
    return "true" if rng.random() < 0.3 else "false"  # noqa: PLR2004 -- as good as any


def _day(rng: Random) -> str:
    year, month, day = (int(rng.random() * many) for many in (3, 12, 28))
    return f'"{2025 + year}-{1 + month:02d}-{1 + day:02d}"'


def _moment(rng: Random) -> str:
    day = f"202{3 + int(rng.random() * 3)}{_day(rng)[5:-1]}"
    return f'"{day}T{int(rng.random() * 24):02d}:{int(rng.random() * 60):02d}:00.000+0000"'


def _id(prefix: str, many: int) -> Make:
    return lambda rng: f'"{prefix}5g00000{int(rng.random() * many):06d}AAG"'


def _user(rng: Random) -> str:
    return f'"{user_id(int(rng.random() * USERS))}"'


def _name(rng: Random) -> str:
    company = _COMPANIES[int(rng.random() * len(_COMPANIES))]
    return f'"{company} {_WORDS[int(rng.random() * len(_WORDS))]} {int(rng.random() * 100_000)}"'


def _email(rng: Random) -> str:
    number, company = int(rng.random() * 100_000), _COMPANIES[int(rng.random() * 8)].lower()
    return f'"billing{number}@{company}.example"'


def _code(prefix: str) -> Make:
    return lambda rng: f'"{prefix}-{int(rng.random() * 10_000_000):07d}"'


def _or_null(make: Make, share: float) -> Make:
    return lambda rng: "null" if rng.random() < share else make(rng)


_STAGES: Final = _pick(
    "Prospecting", "Qualification", "Needs Analysis", "Value Proposition", "Id. Decision Makers",
    "Perception Analysis", "Proposal/Price Quote", "Negotiation/Review", "Closed Won",
    "Closed Lost",
)  # fmt: skip

MAKES: Final[Mapping[str, Make]] = {
    "IsDeleted": lambda _: "false",
    "AccountId": _id("001", 30_000),
    "IsPrivate": lambda _: "false",
    "Name": _name,
    "Description": _or_null(_text(18), 0.2),
    "StageName": _STAGES,
    "Amount": _money(500_000),
    "Probability": _percent,
    "ExpectedRevenue": _money(400_000),
    "TotalOpportunityQuantity": _or_null(_percent, 0.5),
    "CloseDate": _day,
    "Type": _pick("New Customer", "Existing Customer - Upgrade", "Existing Customer - Renewal"),
    "NextStep": _or_null(_text(4), 0.2),
    "LeadSource": _pick("Web", "Phone Inquiry", "Partner Referral", "Purchased List", "Other"),
    "IsClosed": _flag,
    "IsWon": _flag,
    "ForecastCategory": _pick("Pipeline", "BestCase", "Forecast", "Omitted", "Closed"),
    "ForecastCategoryName": _pick("Pipeline", "Best Case", "Commit", "Omitted", "Closed"),
    "CurrencyIsoCode": _pick("EUR", "USD", "GBP"),
    "CampaignId": _or_null(_id("701", 200), 0.4),
    "HasOpportunityLineItem": _flag,
    "Pricebook2Id": _id("01s", 12),
    "OwnerId": _user,
    "CreatedDate": _moment,
    "CreatedById": _user,
    "LastActivityDate": _or_null(_day, 0.3),
    "LastStageChangeDate": _moment,
    "FiscalQuarter": _whole(4),
    "FiscalYear": lambda rng: str(2025 + int(rng.random() * 3)),
    "Fiscal": lambda rng: f'"202{5 + int(rng.random() * 3)} {1 + int(rng.random() * 4)}"',
    "ContactId": _or_null(_id("003", 90_000), 0.2),
    "SyncedQuoteId": _or_null(_id("0Q0", 90_000), 0.5),
    "HasOpenActivity": _flag,
    "HasOverdueTask": _flag,
    "Discount_Percent__c": _percent,
    "Discount_Approved_By__c": _or_null(_user, 0.4),
    "Discount_Approved_At__c": _or_null(_moment, 0.4),
    "Renewal_Date__c": _day,
    "Contract_Length__c": lambda rng: f"{12 * (1 + int(rng.random() * 5))}.0",
    "Contract_Number__c": _code("CN"),
    "ARR__c": _money(300_000),
    "MRR__c": _money(25_000),
    "Region__c": _pick("EMEA", "North America", "Latin America", "Asia Pacific"),
    "Segment__c": _pick("Enterprise", "Mid-Market", "Small Business", "Public Sector"),
    "Competitor__c": _or_null(_pick(*_COMPANIES), 0.4),
    "Loss_Reason__c": _or_null(_text(5), 0.7),
    "Partner__c": _or_null(_id("001", 30_000), 0.5),
    "Partner_Tier__c": _pick("Gold", "Silver", "Bronze", "None"),
    "Procurement_Contact__c": _or_null(_id("003", 90_000), 0.4),
    "Billing_Email__c": _email,
    "Legal_Status__c": _pick("Not Started", "In Review", "Redlines Sent", "Approved"),
    "Security_Review__c": _pick("Not Started", "Questionnaire Sent", "Passed", "Failed"),
    "PO_Number__c": _or_null(_code("PO"), 0.5),
    "Payment_Terms__c": _pick("Net 30", "Net 45", "Net 60", "Due on receipt"),
    "Implementation_Owner__c": _user,
    "Implementation_Start__c": _day,
    "Product_Family__c": _pick("Platform", "Analytics", "Security", "Services"),
    "External_Reference__c": _code("EXT"),
}
"""Field name to the maker of its value; with the id and the bookkeeping they are 62."""

FIELDS: Final = ("Id", *MAKES, *BOOKKEEPING)

EDITED: Final[Mapping[str, int]] = {
    "StageName": 14, "Amount": 12, "CloseDate": 12, "NextStep": 14, "Probability": 7,
    "Description": 10, "OwnerId": 5, "ForecastCategoryName": 5, "Discount_Percent__c": 4,
    "LeadSource": 2, "Competitor__c": 3, "Loss_Reason__c": 3, "Legal_Status__c": 4,
    "Security_Review__c": 3, "PO_Number__c": 3, "Payment_Terms__c": 3, "Renewal_Date__c": 4,
    "ARR__c": 4, "Billing_Email__c": 3,
}  # fmt: skip
"""The fields that people edit, and how often."""

_MANY: Final = ((0.62, 1), (0.87, 2), (0.96, 3), (1.0, 4))
"""How many fields an edit changes: 1.55 in the mean."""


def fresh(rng: Random) -> dict[str, str]:
    """Return the content of a new record: every field but the id and the bookkeeping."""
    return {name: make(rng) for name, make in MAKES.items()}


def edited(rng: Random, before: Mapping[str, str]) -> dict[str, str]:
    """Return what one edit makes of some fields; each really differs from before."""
    drawn = rng.random()
    many = next(count for limit, count in _MANY if drawn < limit)
    names: set[str] = set()
    while len(names) < many:
        names.update(rng.choices(tuple(EDITED), tuple(EDITED.values())))
    return {name: _other(rng, name, before[name]) for name in sorted(names)}


def _other(rng: Random, name: str, before: str) -> str:
    if before != "null" and rng.random() * _BLANKED_ONE_IN < 1:
        return "null"
    while True:
        token = MAKES[name](rng)
        if token not in (before, "null"):
            return token


NUMBERS: Final = frozenset(
    {
        "Amount", "Probability", "ExpectedRevenue", "TotalOpportunityQuantity", "FiscalQuarter",
        "FiscalYear", "Discount_Percent__c", "Contract_Length__c", "ARR__c", "MRR__c",
    }
)  # fmt: skip
FLAGS: Final = frozenset(
    {
        "IsDeleted", "IsPrivate", "IsClosed", "IsWon", "HasOpportunityLineItem",
        "HasOpenActivity", "HasOverdueTask",
    }
)  # fmt: skip
"""Fields that are no text, for contenders with typed columns."""


def column(name: str) -> str:
    """Return a field's name where two underscores in a row are not allowed."""
    return name.replace("__", "_")
