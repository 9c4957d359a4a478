"""The part of the configuration that says how long values are kept."""

import calendar
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

_AGE: Final = re.compile(r"([1-9]\d{0,4})(d|w|mo|y)")
_MONTHS: Final = 12
_A_YEAR_LIKE_ANY: Final = datetime(2024, 1, 1, tzinfo=UTC)
_DAYS: Final = {"d": 1, "w": 7}


def _age(value: str) -> str:
    if not _AGE.fullmatch(value):
        raise ValueError("how long to keep values is written like 90d, 26w, 18mo or 3y")
    before(value, _A_YEAR_LIKE_ANY)
    return value


def _class(value: object) -> object:
    if isinstance(value, list | tuple):
        raise ValueError(  # noqa: TRY004 -- pydantic wants ValueError
            'fields is personal, finance or "*": the values of one version are sealed together, so'
            " that single fields of it cannot be forgotten"
        )
    return value


def before(age: str, now: datetime) -> datetime:
    """Return the moment that lies an age before now; months and years are those of the calendar.

    Args:
        age: such as ``90d``, ``26w``, ``18mo`` or ``3y``.
        now: from when.

    Raises:
        ValueError: it is no age, or reaches back before the calendar.
    """
    found = _AGE.fullmatch(age)
    if found is None:
        raise ValueError(f"{age!r} is no age")
    count, unit = int(found[1]), found[2]
    try:
        if unit in _DAYS:
            return now - timedelta(days=count * _DAYS[unit])
        months = now.year * _MONTHS + now.month - 1 - count * (_MONTHS if unit == "y" else 1)
        year, month = divmod(months, _MONTHS)
        last = calendar.monthrange(year, month + 1)[1] if year > 0 else 0
        return now.replace(year=year, month=month + 1, day=min(now.day, last))
    except (OverflowError, ValueError):
        raise ValueError(f"{age} reaches back before the calendar") from None


class RetentionRule(BaseModel):
    """How long the values of some versions are kept, and what becomes of them then.

    Attributes:
        source: of which source.
        object: of which object; ``"*"`` for all of the source.
        fields: ``personal``, what is sealed under a person's own key; ``finance``, what
            ``privacy.keep`` names; ``"*"``, all.
        keep: how long.
        then: ``forget`` all of them, or ``thin`` them out to some full states.
        thin_to: how many states are kept of a day, week or month.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    source: str
    object: Annotated[str, Field(min_length=1)] = "*"
    fields: Annotated[Literal["personal", "finance", "*"], BeforeValidator(_class)] = "*"
    keep: Annotated[str, AfterValidator(_age)]
    then: Literal["forget", "thin"] = "forget"
    thin_to: Literal["1/day", "1/week", "1/month"] | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.then == "thin") != (self.thin_to is not None):
            raise ValueError("thin_to goes with then: thin, which needs it: 1/day, 1/week, 1/month")
        return self

    def limit(self, now: datetime) -> datetime:
        """Return the moment before which values are no longer kept."""
        return before(self.keep, now)

    def __str__(self) -> str:
        fields = "all values" if self.fields == "*" else f"{self.fields} values"
        then = "forget them" if self.then == "forget" else f"thin them to {self.thin_to}"
        return f"{self.source}:{self.object}: keep {fields} for {self.keep}, then {then}"
