"""What all seeded records share: who made them, when, and how they are counted together."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from crmtrail.sandbox.hubspot.calculation import Stages, calculate
from crmtrail.sandbox.hubspot.object_types import ObjectType, object_type
from crmtrail.sandbox.hubspot.records import Origin, Record
from crmtrail.sandbox.hubspot.values import DAY
from crmtrail.sandbox.hubspot.writing import Writing, origin_of, stamp
from crmtrail.sandbox.world import Actor

OLDEST = 400
"""How many days ago the first seeded record was made."""


_IMPORT_STEP = 7  # milliseconds between two rows of the import


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many records of each object there are."""

    contacts: int
    companies: int
    deals: int
    products: int
    quotes: int
    line_items: int

    @classmethod
    def of(cls, records: int) -> "Sizes":
        """Share so many records out: 55 % contacts, 15 % companies, 20 % deals, then the rest."""
        contacts, companies, deals = (records * share // 100 for share in (55, 15, 20))
        rest = records - contacts - companies - deals
        products = min(12, rest // 3)
        quotes = (rest - products) * 3 // 10
        return cls(contacts, companies, deals, products, quotes, rest - products - quotes)


@dataclass(frozen=True, slots=True)
class Firm:
    """What others need to know of a seeded company."""

    name: str
    domain: str
    place: int
    industry: str


@dataclass(slots=True)
class Ground:
    """The plan of a portal: ids by object, who belongs to whom, and who may make records."""

    rng: Random
    now: int
    sizes: Sizes
    stages: dict[str, Stages]
    owners: list[tuple[str, Actor]]
    trade_fair: Actor
    ids: dict[str, range]
    firms: list[Firm] = field(default_factory=list)
    employer: list[int] = field(default_factory=list)
    buyer: list[int] = field(default_factory=list)
    item_deal: list[int] = field(default_factory=list)
    item_amounts: Counter[int] = field(default_factory=Counter)
    item_counts: Counter[int] = field(default_factory=Counter)

    def relate(self) -> None:
        """Decide who works where, who buys what, and which deals have line items."""
        rng, sizes = self.rng, self.sizes
        self.employer = [rng.randrange(sizes.companies) for _ in range(sizes.contacts)]
        self.buyer = [rng.randrange(sizes.contacts) for _ in range(sizes.deals)]
        sold = max(1, min(sizes.deals, sizes.line_items // 2))
        self.item_deal = [number % sold for number in range(sizes.line_items)]

    def id(self, object_: str, number: int) -> int:
        """Return the id of the n-th record of an object."""
        return self.ids[object_][number]

    def record(self, object_: str, number: int, values: dict[str, str], *, by: int) -> Record:
        """Return the n-th record of an object, made by an owner or, for -1, by the import."""
        kind: ObjectType = object_type(object_)
        created = self.now - self.rng.randrange(2 * DAY, OLDEST * DAY)
        if by < 0:
            created = self.now - OLDEST * DAY + number * _IMPORT_STEP
        modified = self.rng.randrange(created, self.now - DAY // 24)
        actor = self.trade_fair if by < 0 else self.owners[by][1]
        origin: Origin = origin_of(actor)
        record = Record(kind, self.id(object_, number), created, modified, origin, values)
        stamp(record, Writing(actor, origin, created))
        record.values |= calculate(record, self.stages[object_])
        return record


Records = Iterator[Record]
