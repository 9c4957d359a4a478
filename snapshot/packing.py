"""Values as they are stored: changes packed side by side, records in full. Pure.

A token is JSON text, and JSON text holds no control characters but blanks. So two of them part
what is packed: U+001F tokens, U+001E the fields of a version. Absent is the empty text.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Final, TypeAlias

from crmtrail.model import NULL, Token
from crmtrail.slices import BETWEEN, Slices

FIELD: Final = "\x1e"
"""Parts one change from the next."""

WAS, IS, KEPT, WAS_BLANK, IS_BLANK = 1, 2, 4, 8, 16
"""What ``change.kind`` adds up from."""

STAMP: Final = BETWEEN
"""Begins the name of a stamp, which lies among the fields of a record in full.

No field of a CRM is named so: connectors leave the character out of names.
"""

_BETWEEN: Final = BETWEEN.encode()

_BLANK: Final = frozenset((NULL, '""'))

Pair = tuple[Token | None, Token | None]
"""The tokens of one field before and after; None where it was absent."""


def kind_of(old: Token | None, new: Token | None) -> int:
    """Return what a change did, as ``change.kind`` tells it."""
    kind = 0
    if old is not None:
        kind = WAS | WAS_BLANK if old in _BLANK else WAS
    if new is not None:
        kind |= IS | IS_BLANK if new in _BLANK else IS
    return kind


def packed(pairs: Iterable[Pair]) -> str:
    """Return changes as one text."""
    return FIELD.join([f"{old or ''}{BETWEEN}{new or ''}" for old, new in pairs])


def unpacked(text: str, count: int) -> list[Pair]:
    """Return so many changes from one text.

    Raises:
        ValueError: the text holds another number.
    """
    if not count:
        return []
    pairs: list[Pair] = []
    for each in text.split(FIELD):
        old, _, new = each.partition(BETWEEN)
        pairs.append((old or None, new or None))
    if len(pairs) != count:
        raise ValueError(f"a version of {count} changes holds {len(pairs)}")
    return pairs


def joined(fields: Mapping[str, Token]) -> bytes:
    """Return the tokens of some fields as one text, in the order in which they come."""
    if isinstance(fields, Slices):
        return fields.text
    return BETWEEN.join(fields.values()).encode("utf-8", "surrogatepass")


class Layout:
    """The order in which records of one object are written in full. It never changes."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._orders: dict[tuple[tuple[str, ...], tuple[str, ...]], Order] = {}

    def document(self, fields: Mapping[str, Token], stamps: Mapping[str, Token]) -> bytes:
        """Return a record in full: its tokens in the order of the names, absent ones empty.

        The names of stamps are marked by `STAMP`. Pages repeat few shapes of records, and how to
        order one is found once for each.
        """
        names = fields.names if isinstance(fields, Slices) else tuple(fields)
        shape = (names, tuple(stamps))
        order = self._orders.get(shape)
        if order is None:
            order = self._orders[shape] = _order(self.names, *shape)
        if order is not _as_they_come:
            text = BETWEEN.join(order([*fields.values(), *stamps.values(), ""]))
            return text.rstrip(BETWEEN).encode("utf-8", "surrogatepass")
        told = joined(fields)
        if not stamps:
            return told
        marked = [token.encode() for token in stamps.values()]
        return _BETWEEN.join((told, *marked) if fields else marked)


Order: TypeAlias = Callable[[Sequence[Token]], Iterable[Token]]
"""Puts the tokens of a record in order."""


def _as_they_come(values: Sequence[Token]) -> Iterable[Token]:
    return values


def _order(names: Sequence[str], fields: Sequence[str], stamps: Sequence[str]) -> Order:
    held = {name: place for place, name in enumerate((*fields, *(STAMP + s for s in stamps)))}
    places = [held.get(name, len(held)) for name in names]
    if places[: len(held)] == [*range(len(held))]:
        return _as_they_come
    if len(places) > 1:
        return itemgetter(*places)
    return lambda values: [values[place] for place in places]


def tokens_in(text: str, names: Sequence[str]) -> dict[str, Token]:
    """Return the tokens of a record in full, by name.

    Raises:
        ValueError: there are more tokens than names.
    """
    if not text:
        return {}
    found = text.split(BETWEEN)
    if len(found) > len(names):
        raise ValueError(f"a record of {len(names)} fields holds {len(found)}")
    tokens = dict(zip(names, found, strict=False))
    if "" in found:
        return {name: token for name, token in tokens.items() if token}
    return tokens
