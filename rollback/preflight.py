"""Compare what a step expects with what the CRM holds now, just before the write. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from crmtrail.model import Reading, Removal, Step, Token, Tokens
from rollback.meaning import alike


class Check(StrEnum):
    """How a field to be written stands in the CRM.

    ``go``: it holds what the step expects. ``already``: it holds the wanted value. ``conflict``:
    it holds something else. ``gone``: the record is not live any more, or not returned.
    ``absent``: the record was told without this field.
    """

    GO = "go"
    ALREADY = "already"
    CONFLICT = "conflict"
    GONE = "gone"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with one step now.

    Attributes:
        step: the step.
        fields: how each field to be written stands.
        current: the tokens read, for the fields that were told.
        found: what was read; None where the CRM returned nothing for the record.
    """

    step: Step
    fields: Mapping[str, Check]
    current: Tokens = field(default_factory=dict)
    found: Reading | Removal | None = None

    @property
    def go(self) -> tuple[str, ...]:
        """The fields that may be written."""
        return tuple(name for name, check in self.fields.items() if check is Check.GO)


def decide(step: Step, found: Reading | Removal | None) -> Decision:
    """Compare a step with its record as read just now."""
    if not isinstance(found, Reading) or found.deleted:
        return Decision(step, dict.fromkeys(step.write, Check.GONE), {}, found)
    checks = {
        name: compare(found.fields.get(name), expect=step.expect.get(name), write=write)
        for name, write in step.write.items()
    }
    return Decision(step, checks, told(found, step.write), found)


def compare(now: Token | None, *, expect: Token | None, write: Token) -> Check:
    """Compare one field's token with the value to write and the value expected under it."""
    if now is None:
        return Check.ABSENT
    if alike(now, write):
        return Check.ALREADY
    return Check.GO if alike(now, expect) else Check.CONFLICT


def told(reading: Reading, names: Iterable[str]) -> dict[str, Token]:
    """Return the tokens of some fields, as far as the vendor told them."""
    return {name: reading.fields[name] for name in names if name in reading.fields}
