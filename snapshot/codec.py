"""Records in full, made small: zstd with a dictionary of what many records share. Pure.

A dictionary that is trained on records quotes them, and with them the persons in them, for as long
as the store lives. So it is trained on records in which everything is scrambled that fewer than
`SHARED_BY` of them have in common: whole tokens, words, and how tokens begin. What is left of the
rest is which characters are frequent. No erasure has to reach that.
"""

import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final, Self

import zstandard

from crmtrail.slices import BETWEEN

SAMPLE: Final = 2_000
"""How many records a dictionary is made from, at most."""

ENOUGH: Final = 100
"""How many records it takes to tell what they share."""

SHARED_BY: Final = 20
"""What fewer records than this have in common is never in a dictionary."""

_ROOM: Final = 16_384
_LEVEL: Final = 3
_LARGEST: Final = 1 << 30
_BEGINNINGS: Final = (24, 18, 14, 10, 6)
_LONGEST: Final = 1_000
"""Characters of a token that are looked at: a long text teaches nothing more."""
_WORD: Final = re.compile(r"[^\s\"\\]+")


class Codec:
    """Compresses and expands documents with one dictionary; without one for an empty one."""

    def __init__(self, codec_id: int, dictionary: bytes) -> None:
        self.codec_id = codec_id
        shared = None
        if dictionary:
            shared = zstandard.ZstdCompressionDict(dictionary)
            shared.precompute_compress(level=_LEVEL)
        # Checksums and sizes are the ledger's and the sealing's business.
        settings = zstandard.ZstdCompressionParameters.from_level(
            _LEVEL, write_content_size=True, write_checksum=False, write_dict_id=False
        )
        self._squeeze = zstandard.ZstdCompressor(
            compression_params=settings, dict_data=shared
        ).compress
        self._expand = zstandard.ZstdDecompressor(
            dict_data=shared, max_window_size=_LARGEST
        ).decompress

    @classmethod
    def plain(cls) -> Self:
        """Return the codec that has no dictionary."""
        return cls(0, b"")

    def squeezed(self, document: bytes) -> bytes:
        """Return a document, small."""
        return self._squeeze(document)

    def expanded(self, small: bytes) -> str:
        """Return a document from its small form.

        Raises:
            ValueError: it is none.
        """
        try:
            return self._expand(small).decode()
        except zstandard.ZstdError as error:
            raise ValueError(f"a record in full does not expand: {error}") from None


def dictionary_of(documents: Iterable[bytes]) -> bytes:
    """Return a dictionary of what many of the documents share; empty where that is too little."""
    records = [
        [token[:_LONGEST] for token in document.decode().split(BETWEEN)] for document in documents
    ]
    shared = _Shared(records)
    samples: list[Any] = [
        BETWEEN.join(map(shared.scrambled, range(len(record)), record)).encode()
        for record in records
    ]
    try:
        return zstandard.train_dictionary(_ROOM, samples, level=_LEVEL).as_bytes()
    except zstandard.ZstdError:  # too few, or nothing in common
        return b""


class _Shared:
    """What records have in common, and everything else scrambled. The same for the same records."""

    def __init__(self, records: Sequence[Sequence[str]]) -> None:
        self._tokens: Counter[tuple[int, str]] = Counter()
        self._begun: Counter[tuple[int, str]] = Counter()
        self._words: Counter[str] = Counter()
        for record in records:
            self._tokens.update(enumerate(record))
            for place, token in enumerate(record):
                self._begun.update((place, token[:n]) for n in _BEGINNINGS if len(token) > n)
            self._words.update({word for token in record for word in _WORD.findall(token)})
        seen = "".join(token for record in records[:SHARED_BY] for token in record)
        self._digits = [each for each in seen if each in "0123456789"] or ["0"]
        self._small = [each for each in seen if each.isascii() and each.islower()] or ["e"]
        self._large = [each for each in seen if each.isascii() and each.isupper()] or ["E"]
        self._dice = random.Random(0)  # noqa: S311 -- it hides nothing: what it stands for is gone

    def scrambled(self, place: int, token: str) -> str:
        """Return a token as a dictionary may know it."""
        if self._tokens[place, token] >= SHARED_BY:
            return token
        for length in _BEGINNINGS:
            if len(token) > length and self._begun[place, token[:length]] >= SHARED_BY:
                return token[:length] + _WORD.sub(self._word, token[length:])
        return _WORD.sub(self._word, token)

    def _word(self, found: re.Match[str]) -> str:
        word = found[0]
        return word if self._words[word] >= SHARED_BY else "".join(map(self._other, word))

    def _other(self, character: str) -> str:
        """Return another character of the same sort, as frequent ones come up."""
        if not character.isascii():
            return "x"
        if character.isdigit():
            return self._dice.choice(self._digits)
        if character.isalpha():
            return self._dice.choice(self._small if character.islower() else self._large)
        return character
