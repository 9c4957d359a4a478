"""What the store asks of whoever keeps its keys, and what may go wrong. Pure.

A key is named by its id, a whole number from 1 on that is never given twice. Key material is 32
bytes, for AES-256.
"""

import hmac
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol

from crmtrail.errors import StopAll

KEY_BYTES: Final = 32


class Unsealable(StopAll):
    """A sealed value does not open: another key, another place, or altered bytes."""


class KeyMissing(StopAll):
    """The key store never held a key that the store names: it is another one, or too old a copy.

    This is not an erasure. An erased key is known to have been destroyed.
    """


class Keys(Protocol):
    """The keys of one store. One may be used by several threads at once."""

    @property
    def store_id(self) -> str | None:
        """The id of the store that these keys belong to; None before `bind`."""
        ...

    def bind(self, store_id: str) -> None:
        """Tie the keys to one store, for good. Repeating it does nothing.

        Raises:
            Mistake: they belong to another store.
        """
        ...

    def make(self, count: int) -> Sequence[tuple[int, bytes]]:
        """Return new random keys with their ids, in rising order. They are durable by then."""
        ...

    def fetch(self, ids: Iterable[int]) -> Mapping[int, bytes | None]:
        """Return the keys of these ids; None where a key was destroyed.

        Raises:
            KeyMissing: some were never here.
            Unsealable: some do not open under the key-encryption key.
        """
        ...

    def stands(self, key_id: int) -> bool:
        """Return whether a key is there: False where it was destroyed.

        Raises:
            KeyMissing: it was never here.
        """
        ...

    def destroy(self, ids: Iterable[int], at: datetime) -> int:
        """Forget keys for good, and remember that they were destroyed. Repeating it does nothing.

        Args:
            ids: which.
            at: when they were destroyed.

        Returns:
            How many were still there.

        Raises:
            KeyMissing: some were never here; then none is destroyed.
        """
        ...

    def destroyed(self) -> Mapping[int, datetime]:
        """Return which keys were destroyed, and when."""
        ...

    def blind(self, text: str) -> bytes:
        """Return 32 bytes that stand for an e-mail address: equal for equal addresses.

        Nobody finds the address from them without the keys. See `normalised` for what is equal.
        """
        ...

    def close(self) -> None:
        """Close what is open, and forget the keys in memory."""
        ...


def normalised(text: str) -> str:
    """Return an address without outer blanks, case and Unicode variants, and nothing cleverer.

    Dots, plus signs and domains stay as they are: two mailboxes must never fall together.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", folded).strip()


def blinded(index_key: bytes, text: str) -> bytes:
    """Return the HMAC-SHA256 of a normalised address under the index key."""
    return hmac.digest(index_key, normalised(text).encode("utf-8", "surrogatepass"), "sha256")


def never_here(count: int) -> KeyMissing:
    """Return the error for keys that the key store does not know."""
    told = "1 key is" if count == 1 else f"{count:,} keys are"
    return KeyMissing(
        f"{told} missing from the key store, and never were destroyed",
        hint="keys.url names another key store, or an old copy: put the right one back",
    )


def another_store() -> str:
    """Return what is said where keys belong to another store."""
    return "the key store belongs to another store"
