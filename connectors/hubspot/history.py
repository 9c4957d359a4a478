"""What HubSpot's history of each property tells: changes with old, new, time and actor. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final, TypeAlias

import msgspec

from connectors.hubspot.actors import Names, Origin, actor_of
from connectors.hubspot.schema import STAMPS
from connectors.hubspot.shapes import Entry, Number, Thing, moment_of, when
from connectors.hubspot.values import plain, token
from crmtrail.model import NULL, Actor, Event, Gap, Reading, Token, token_of

_TICK: Final = timedelta(seconds=1)
_HISTORY_OF_CONTACTS: Final = 45
_HISTORY_OF_OTHERS: Final = 20

_BEGINS_ANEW: Final = frozenset(
    {"MERGE_COMPANIES", "MERGE_CONTACTS", "MERGE_OBJECTS", "MERGE_REVERT_OBJECTS"}
    | {"MIGRATION", "PROPERTY_RESTORE", "RECYCLING_BIN", "RESTORE_OBJECTS"}
)
"""Sources that may write a property's first entry though it held a value before."""

_STAMP: Final = re.compile(r"\d{4}-\d\d-\d\d(T.*)?")
_COUNT: Final = re.compile(r"-?\d{1,15}")

_Dated: TypeAlias = tuple[datetime, Entry]


def most_kept(object_: str) -> int:
    """Return how many values of a property HubSpot keeps (knowledge base, 2024-08).

    Not documented for every object: for those, the smaller number is taken.
    """
    return _HISTORY_OF_CONTACTS if is_contact(object_) else _HISTORY_OF_OTHERS


def is_contact(object_: str) -> bool:
    """Whether an object is HubSpot's contact, under any of its names."""
    return object_.lower() in {"contacts", "contact", "0-1"}


def events_of(object_: str, thing: Thing, names: Names) -> tuple[Event, ...]:
    """Return the changes that a record's history tells, oldest first.

    HubSpot tells no old values: each is the value of the entry before. Before the first entry
    of all a property was blank; where entries are cut off before it, nobody knows. Changes of one
    moment and one source stand together.
    """
    known: _Authors = {}  # a record has few authors and many entries
    placed: list[tuple[datetime, int, str, Event]] = []
    for name, entries in (thing.properties_with_history or {}).items():
        if name in STAMPS:
            continue
        dated = _dated(entries)
        spelled = _spelled([token(entry.value) for _, entry in dated], thing.properties.get(name))
        before = _before_all(dated, cut=is_cut(object_, thing, dated))
        nth, last = 0, None
        for (at, entry), now in zip(dated, spelled, strict=True):
            nth, last = (nth + 1 if at == last else 0), at
            actor, source = _author(entry, names, known)
            placed.append((at, nth, source, Event(name, now, at, actor, before)))
            before = now
    placed.sort(key=lambda one: one[:3])
    return tuple(one[3] for one in placed)


def is_cut(object_: str, thing: Thing, dated: Sequence[_Dated]) -> bool:
    """Whether older entries of a property may be lost: as many are there as HubSpot keeps.

    An entry of the moment at which the record was made is the first of all.
    """
    if len(dated) < most_kept(object_):
        return False
    made = thing.created_at
    return made is None or dated[0][0] > made + _TICK


def overflows(object_: str, thing: Thing, since: datetime) -> Iterator[Gap]:
    """Yield a gap for each property whose history was cut off after ``since``."""
    most = most_kept(object_)
    for name, oldest in cut_off(object_, thing):
        if oldest > since:
            why = (
                f"HubSpot keeps only the {most} newest values of a property; older values of"
                f" {name} of {object_} {thing.id} since the last poll are lost"
            )
            yield Gap(object_, since, oldest, why)


def cut_off(object_: str, thing: Thing) -> Iterator[tuple[str, datetime]]:
    """Yield each property whose older values are not known, and from when on they are."""
    for name, entries in (thing.properties_with_history or {}).items():
        # Most histories are short, so that their stamps need not be read.
        if name in STAMPS or not entries or len(entries) < most_kept(object_):
            continue
        dated = _dated(entries)
        if dated and is_cut(object_, thing, dated):
            yield name, dated[0][0]


def beginning(reading: Reading, since: datetime | None) -> Reading:
    """Return a reading whose history begins at ``since``: before, only what was last is told."""
    if since is None or not reading.trail or reading.trail[0].at >= since:
        return reading
    late = [event for event in reading.trail if event.at > since]
    last = {event.field: event for event in reading.trail if event.at <= since}
    trail = (*sorted(last.values(), key=lambda event: event.at), *late)
    return replace(reading, trail=trail, trail_since=since)


def _dated(entries: Sequence[Entry] | None) -> list[_Dated]:
    """Return entries with their times, oldest first; each once.

    HubSpot lists the newest first, which tells the order of those of one moment.
    """
    dated = [(at, entry) for entry in entries or () if (at := when(entry.timestamp))]
    if dated and dated[0][0] >= dated[-1][0]:
        dated.reverse()
    dated.sort(key=lambda one: one[0])
    return [one for no, one in enumerate(dated) if no == 0 or not _is_same(dated[no - 1], one)]


def _is_same(one: _Dated, other: _Dated) -> bool:
    return one[0] == other[0] and _key(one[1]) == _key(other[1])


def _key(entry: Entry) -> tuple[object, ...]:
    return bytes(entry.value), entry.source_type, entry.source_id


def _before_all(dated: Sequence[_Dated], *, cut: bool) -> Token | None:
    if cut or not dated or (dated[0][1].source_type or "").upper() in _BEGINS_ANEW:
        return None
    return NULL


_Authors: TypeAlias = dict[tuple[object, ...], tuple[Actor, str]]


def _author(entry: Entry, names: Names, known: _Authors) -> tuple[Actor, str]:
    said = (entry.source_type, entry.source_id, entry.source_label, entry.updated_by_user_id)
    found = known.get(said)
    if found is None:
        found = known[said] = actor_of(origin_of(entry), names), str(said)
    return found


def origin_of(entry: Entry) -> Origin:
    """Return the source of an entry, verbatim."""
    return Origin(
        entry.source_type or "",
        _text(entry.source_id),
        entry.source_label or None,
        _text(entry.updated_by_user_id),
    )


def _text(value: Number | None) -> str | None:
    return None if value in (None, "") else str(value)


def _spelled(tokens: list[Token], now: msgspec.Raw | None) -> list[Token]:
    """Return values as the record itself spells them, where its history spells them otherwise.

    Whether a history tells dates as milliseconds is not documented.
    """
    if not tokens or now is None or (told := token(now)) in (tokens[-1], NULL):
        return tokens
    text = plain(now) or ""
    if _STAMP.fullmatch(text):
        return [_dated_like(text, one) for one in tokens]
    newest = _number(tokens[-1])
    if newest is not None and newest == _number(told):
        return [*tokens[:-1], told]
    return tokens


def _dated_like(now: str, one: Token) -> Token:
    count = one.strip('"')
    if not _COUNT.fullmatch(count):
        return one
    try:
        at = moment_of(int(count))
    except OverflowError:
        return one
    if "T" not in now:
        return token_of(at.date().isoformat())
    precise = "milliseconds" if "." in now else "seconds"
    return token_of(at.isoformat(timespec=precise).replace("+00:00", "Z"))


def _number(one: Token) -> Decimal | None:
    try:
        return Decimal(one.strip('"'))
    except InvalidOperation:
        return None


Capped: TypeAlias = Mapping[str, tuple[int, tuple[str, ...]]]
"""Properties whose history was cut off before the first load: of how many records, and some."""

_NAMED: Final = 10


def noted(capped: Capped, object_: str, things: Sequence[Thing]) -> Capped:
    """Return the properties that were cut off so far, with those of some more records."""
    found = dict(capped)
    for thing in things:
        for name, _ in cut_off(object_, thing):
            count, ids = found.get(name, (0, ()))
            found[name] = count + 1, (*ids, str(thing.id))[:_NAMED]
    return found


def unknown_before(object_: str, capped: Capped) -> Iterator[Gap]:
    """Yield what the first load could not know, if anything: one gap for the whole object."""
    if not capped:
        return
    told = ", ".join(
        f"{name} (of {object_} {', '.join(ids)})"
        if len(ids) == count
        else f"{name} (of {count} {object_})"
        for name, (count, ids) in sorted(capped.items())
    )
    why = (
        f"HubSpot keeps only the {most_kept(object_)} newest values of a property: older values"
        f" from before the first load are not known of {told}"
    )
    yield Gap(object_, None, None, why)
