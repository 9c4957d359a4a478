"""What HubSpot would not take, found before it is sent: by the metadata, and by the record now.

One bad value fails a whole batch, so each is looked for first. Pure; who asks HubSpot is elsewhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from connectors.hubspot.object_names import standard_name
from connectors.hubspot.words import advice
from crmtrail.model import Answer, Field, FieldType, Verdict, Write

STAGE: Final = "lifecyclestage"
"""Moves forward only: HubSpot silently ignores a step back unless the property is blank."""

STAGES: Final = (
    "subscriber",
    "lead",
    "marketingqualifiedlead",
    "salesqualifiedlead",
    "opportunity",
    "customer",
    "evangelist",
    "other",
)
"""HubSpot's own stages in their order: options are not always listed in it."""

LINE_ITEMS: Final = "hs_num_of_associated_line_items"
LOCKED: Final = "hs_locked"
_AMOUNT: Final = "amount"
_STATUS: Final = "hs_status"
"""What publishes a quote, and recalls it: HubSpot decides on a write of it."""

PIPELINED: Final[Mapping[str, tuple[str, str]]] = {
    "deals": ("pipeline", "dealstage"),
    "tickets": ("hs_pipeline", "hs_pipeline_stage"),
    "leads": ("hs_pipeline", "hs_pipeline_stage"),
}
"""The pipeline of an object and its stage: a stage belongs to one pipeline, so they go together."""

# Which values these take is told by the pipelines, not by their own options.
_STAGED: Final = frozenset(name for pair in PIPELINED.values() for name in pair)


@dataclass(frozen=True, slots=True)
class Flaw:
    """Why one property is not sent: HubSpot's code or ours, and what is said of it."""

    code: str
    field: str
    message: str


def flaws(values: Mapping[str, str], fields: Mapping[str, Field]) -> list[Flaw]:
    """Return what the metadata says against values.

    Args:
        values: as they would be sent; "" clears.
        fields: empty means that the token may not read the metadata: HubSpot then decides.
    """
    found = (_flaw(name, text, fields) for name, text in values.items() if fields)
    return [flaw for flaw in found if flaw is not None]


def _flaw(name: str, text: str, fields: Mapping[str, Field]) -> Flaw | None:
    field = fields.get(name)
    if field is None:
        message = f"HubSpot has no property {name} that this token can see"
        return Flaw("PROPERTY_DOESNT_EXIST", name, message)
    if not field.updateable:
        message = f"{name}: HubSpot computes this value or lets nobody write it"
        return Flaw("READ_ONLY_VALUE", name, message)
    if field.options and text and name not in _STAGED and not _allowed(text, field):
        return Flaw("INVALID_OPTION", name, f"{name}: its options no longer have this value")
    return None


def _allowed(text: str, field: Field) -> bool:
    several = field.type is FieldType.MULTICHOICE
    chosen = [part for part in text.split(";") if part] if several else [text]
    return set(chosen) <= set(field.options)


def asked_of(object_: str, values: Mapping[str, str]) -> set[str]:
    """Return the properties that have to be looked at before some values are written."""
    name = standard_name(object_) or object_
    asked = {STAGE} if values.get(STAGE) else set()
    if name == "deals" and _AMOUNT in values:
        asked.add(LINE_ITEMS)
    if name == "quotes":
        asked.add(LOCKED)
    pipeline, stage = PIPELINED.get(name, ("", ""))
    if values.get(pipeline) and stage not in values:
        asked.add(stage)
    return asked


def bars(object_: str, values: Mapping[str, str], now: Mapping[str, str | None]) -> list[Flaw]:
    """Return what a record as it is now says against values.

    Args:
        object_: the object.
        values: as they would be sent.
        now: what the record holds of the properties of `asked_of`.
    """
    name = standard_name(object_) or object_
    if name == "deals" and _AMOUNT in values and _count(now.get(LINE_ITEMS)):
        message = f"{_AMOUNT}: it follows from the {now[LINE_ITEMS]} line items of the deal"
        return [Flaw("AMOUNT_OF_LINE_ITEMS", _AMOUNT, message)]
    unlocks = values.get(LOCKED) == "false" or _STATUS in values
    if name == "quotes" and now.get(LOCKED) == "true" and not unlocks:
        return [Flaw("QUOTE_LOCKED", each, f"{each}: the quote is locked") for each in values]
    return []


def _count(told: str | None) -> bool:
    try:
        return float(told or 0) > 0
    except ValueError:
        return False


def without(values: Mapping[str, str], found: Sequence[Flaw], object_: str) -> dict[str, str]:
    """Return the values that may be sent: a pipeline and its stage only together."""
    out = {flaw.field for flaw in found}
    pair = PIPELINED.get(standard_name(object_) or object_, ())
    if out & set(pair):
        out |= set(pair)
    return {name: text for name, text in values.items() if name not in out}


def completed(
    object_: str, values: Mapping[str, str], now: Mapping[str, str | None]
) -> dict[str, str]:
    """Return values with the present stage beside a new pipeline.

    Alone, a pipeline would let HubSpot choose a stage; together they fit, or are refused.
    """
    pipeline, stage = PIPELINED.get(standard_name(object_) or object_, ("", ""))
    present = now.get(stage)
    if values.get(pipeline) and stage not in values and present:
        return {**values, stage: present}
    return dict(values)


def refused(write: Write, found: Sequence[Flaw]) -> Answer:
    """Return the refusal of a write of which nothing was sent."""
    return Answer(write.key, Verdict.REFUSED, found[0].code, _said(found), _hint(found))


def partly(answer: Answer, found: Sequence[Flaw]) -> Answer:
    """Return the answer of a write of which a part was left out.

    Where HubSpot took the rest, the write counts as refused all the same: reading it back shows
    which fields were put back.
    """
    verdict, code = answer.verdict, answer.code
    if verdict is Verdict.ACCEPTED:
        verdict, code = Verdict.REFUSED, found[0].code
    rest = "the other fields were sent"
    message = "; ".join(part for part in (_said(found), answer.message or rest) if part)
    hint = "; ".join(part for part in (_hint(found), answer.hint) if part)
    return Answer(answer.key, verdict, code, message, hint)


def _said(found: Sequence[Flaw]) -> str:
    return "; ".join(dict.fromkeys(flaw.message for flaw in found))


def _hint(found: Sequence[Flaw]) -> str:
    by_code: dict[str, list[str]] = {}
    for flaw in found:
        by_code.setdefault(flaw.code, []).append(flaw.field)
    return "; ".join(advice(code, names) for code, names in by_code.items())
