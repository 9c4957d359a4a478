"""The exact tokens of a vendor's answer, cut out of it but not read before they are asked for."""

from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from typing import Final

import msgspec

from crmtrail.model import Token

BETWEEN: Final = "\x1f"
"""Parts one token from the next: JSON text holds no control characters but blanks."""

_BETWEEN: Final = BETWEEN.encode()


class Slices(Mapping[str, Token]):
    """Tokens by field name, over pieces of an answer that is valid UTF-8. Immutable.

    Most records of a page are as they were: of those nobody ever asks for a token. Where one is
    asked for, all are cut out at once, which is quicker than one by one.
    """

    __slots__ = ("_read", "_text", "names", "raws", "seen")

    def __init__(self, raws: Mapping[str, msgspec.Raw]) -> None:
        self.raws = raws
        """The pieces; not to be changed."""
        self.names = tuple(raws)
        self.seen: bytes | None = None
        """A place for whoever works out what tells these tokens from others."""
        self._text: bytes | None = None
        self._read: dict[str, Token] | None = None

    @property
    def text(self) -> bytes:
        """All tokens in the order of ``names``, `BETWEEN` each and the next."""
        if self._text is None:
            self._text = _BETWEEN.join(self.raws.values())
        return self._text

    def read(self) -> dict[str, Token]:
        """Return all tokens; not to be changed."""
        if self._read is None:
            tokens = self.text.decode().split(BETWEEN) if self.names else []
            self._read = dict(zip(self.names, tokens, strict=True))
        return self._read

    def __getitem__(self, name: str) -> Token:
        return self.read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self.raws

    def keys(self) -> KeysView[str]:
        """Return the names."""
        return self.read().keys()

    def values(self) -> ValuesView[Token]:
        """Return the tokens."""
        return self.read().values()

    def items(self) -> ItemsView[str, Token]:
        """Return names and tokens."""
        return self.read().items()

    def __repr__(self) -> str:
        return f"Slices({self.read()!r})"
