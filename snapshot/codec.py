"""Records in full, made small: zstd with a dictionary of what many records share. Pure.

A trained dictionary would quote whole records, and with them the persons in them, for as long as
the store lives. This one holds only tokens that many records have in common, such as the words of
a picklist: what no erasure has to reach.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, Self

import zstandard

from crmtrail.slices import BETWEEN

SAMPLE: Final = 2_000
"""How many records a dictionary is made from, at most."""

ENOUGH: Final = 100
"""How many records it takes to tell what they share."""

_SHARED_BY: Final = 20
"""A token is shared if one record in so many has it, and no fewer than so many records do."""

_ROOM: Final = 32_768
_LEVEL: Final = 3
_LARGEST: Final = 1 << 30


class Codec:
    """Compresses and expands documents with one dictionary; without one for an empty one."""

    def __init__(self, codec_id: int, dictionary: bytes) -> None:
        self.codec_id = codec_id
        shared = None
        if dictionary:
            kind = zstandard.DICT_TYPE_RAWCONTENT
            shared = zstandard.ZstdCompressionDict(dictionary, dict_type=kind)
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
    """Return what many of the documents have in common, the most frequent last."""
    columns: list[Counter[str]] = []
    count = 0
    for document in documents:
        count += 1
        for place, token in enumerate(document.decode().split(BETWEEN)):
            if place == len(columns):
                columns.append(Counter())
            columns[place][token] += 1
    least = max(_SHARED_BY, count // _SHARED_BY)
    ranked = [
        [token for token, seen in column.most_common() if seen >= least] for column in columns
    ]
    depth = max(map(len, ranked), default=0)
    rows = [_row(ranked, rank) for rank in reversed(range(depth))]
    return BETWEEN.join(rows).encode()[-_ROOM:]


def _row(ranked: Sequence[Sequence[str]], rank: int) -> str:
    """Return one line of the dictionary: the tokens of one rank, side by side as in a record."""
    return BETWEEN.join(tokens[rank] for tokens in ranked if rank < len(tokens))
