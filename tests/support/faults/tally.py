"""What a family of faults came to: how many, what followed, and every violation in words."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self


@dataclass
class Row:
    """One kind of fault.

    ``outcomes`` counts how the cases ended, in words; ``violations`` tells every broken promise.
    ``note`` says what could not be tried, and why. ``kind`` is the name of the family that the
    command line knows it by.
    """

    family: str
    fault: str
    cases: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    note: str = ""
    kind: str = ""

    def add(self, outcome: str, problems: Iterable[str] = (), case: str = "") -> None:
        self.cases += 1
        self.outcomes[outcome] += 1
        self.violations += [f"{case}: {problem}" for problem in problems]

    def plain(self) -> dict[str, Any]:
        return asdict(self) | {"outcomes": dict(self.outcomes)}

    @classmethod
    def of(cls, plain: dict[str, Any]) -> Self:
        return cls(**{**plain, "outcomes": Counter(plain["outcomes"])})


def merged(rows: Iterable[Row]) -> list[Row]:
    """Add rows of the same kind up, in the order in which they first appear."""
    found: dict[tuple[str, str], Row] = {}
    for row in rows:
        same = found.setdefault((row.family, row.fault), Row(row.family, row.fault))
        same.cases += row.cases
        same.outcomes += row.outcomes
        same.violations += row.violations
        same.note = same.note or row.note
        same.kind = same.kind or row.kind
    return list(found.values())


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a table in Markdown, with their sum."""
    lines = [
        "| what is broken | fault | cases | what followed | violations |",
        "|---|---|--:|---|--:|",
    ]
    for row in rows:
        followed = ", ".join(f"{count:,} {word}" for word, count in sorted(row.outcomes.items()))
        followed = "; ".join(part for part in (followed, row.note) if part)
        lines.append(
            f"| {row.family} | {row.fault} | {row.cases:,} | {followed} | {len(row.violations):,} |"
        )
    cases, bad = sum(row.cases for row in rows), sum(len(row.violations) for row in rows)
    return "\n".join([*lines, f"| **all** | | **{cases:,}** | | **{bad:,}** |"])
