"""Which values of one record a rule of retention no longer keeps. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from crmtrail.retention_config import RetentionRule
from snapshot.forgotten import KEPT, PAYLOAD
from snapshot.subjects import Subject
from snapshot.times import at_micros


class Line(NamedTuple):
    """One version: what there is of it. ``whole``: it is kept in full, or was."""

    version_id: int
    number: int
    at: int
    payload: int
    kept: int
    changes: int
    clear: int
    doc: int
    doc_sealed: int
    doc_kept: int
    whole: int


class Parts(NamedTuple):
    """Which parts of a version a rule is about; ``clear``: those in clear text, too."""

    bits: int
    clear: bool

    @classmethod
    def of(cls, rule: RetentionRule) -> "Parts":
        """Return the parts of a rule."""
        return {
            "*": cls(PAYLOAD | KEPT, clear=True),
            "personal": cls(PAYLOAD, clear=False),
            "finance": cls(KEPT, clear=False),
        }[rule.fields]

    def of_changes(self, line: Line) -> bool:
        """Return whether a version changed values that the rule is about."""
        if self.bits & PAYLOAD and (line.payload or (self.clear and line.clear)):
            return True
        return bool(self.bits & KEPT and line.kept)

    def of_doc(self, line: Line) -> bool:
        """Return whether a full state holds values that the rule is about."""
        if self.bits & PAYLOAD and line.doc and (self.clear or line.doc_sealed):
            return True
        return bool(self.bits & KEPT and line.doc_kept)


@dataclass(frozen=True, slots=True)
class Cut:
    """What goes of one record.

    ``versions`` lose what they changed, ``docs`` their full states. ``frames`` have to be made
    first: each a version, and the newest one before it that is kept in full. ``newest_whole`` is
    the number of the newest version that is kept in full now.
    """

    subject: Subject
    versions: tuple[int, ...]
    values: int
    docs: tuple[int, ...]
    frames: tuple[tuple[Line, Line], ...]
    newest_whole: int


def cut(subject: Subject, lines: Sequence[Line], limit: int, rule: RetentionRule) -> Cut | None:
    """Return what goes of one record; None where nothing does.

    Args:
        subject: the record.
        lines: its versions, oldest first.
        limit: microseconds; values of that time and before are no longer kept.
        rule: the rule.
    """
    aged = list(_aged(lines, limit))
    parts = Parts.of(rule)
    stays = _stays(aged, rule)
    versions = [line for line in aged if parts.of_changes(line)]
    docs = [line for line in aged if line.number not in stays and parts.of_doc(line)]
    if not versions and not docs:
        return None
    return Cut(
        subject,
        tuple(line.version_id for line in versions),
        sum(line.changes for line in versions),
        tuple(line.version_id for line in docs),
        tuple(_frames(aged, stays)),
        next(line.number for line in reversed(lines) if line.doc),
    )


def _frames(aged: Sequence[Line], stays: frozenset[int]) -> Iterator[tuple[Line, Line]]:
    """Yield the states that stay and are not kept in full, each with the full one to begin at.

    One that an earlier rule took a part of is gone already, and is passed over.
    """
    base: Line | None = None
    for line in aged:
        if line.doc:
            base = line
        elif line.changes and not (line.payload or line.clear):
            base = None
        if base is not None and not line.whole and line.number in stays:
            yield line, base


def _aged(lines: Sequence[Line], limit: int) -> Iterator[Line]:
    """Yield the versions from the first on, up to the one before the first that is young enough."""
    for line in lines:
        if line.at > limit:
            return
        yield line


def _stays(aged: Sequence[Line], rule: RetentionRule) -> frozenset[int]:
    """Return the numbers of versions whose full states stay: the last, or each period's last."""
    if not aged:
        return frozenset()
    if rule.thin_to is None:
        return frozenset({aged[-1].number})
    periods = [_PERIODS[rule.thin_to](at_micros(line.at)) for line in aged]
    return frozenset(
        line.number
        for line, period, following in zip(aged, periods, [*periods[1:], None], strict=True)
        if period != following
    )


def _week(at: datetime) -> tuple[int, ...]:
    return at.isocalendar()[:2]


def _month(at: datetime) -> tuple[int, ...]:
    return (at.year, at.month)


def _day(at: datetime) -> tuple[int, ...]:
    return (at.year, at.month, at.day)


_PERIODS: Final[Mapping[str, Callable[[datetime], tuple[int, ...]]]] = {
    "1/day": _day,
    "1/week": _week,
    "1/month": _month,
}
