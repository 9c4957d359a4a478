"""The key-encryption key (KEK): it opens every other key, so it lives elsewhere than they do.

Wherever it is, it is a text: 32 bytes in base64, or several such keys with blanks or line breaks
between them. The first is in use. Those behind it are being retired: what they wrapped still opens,
until `crmtrail key --rotate-kek` has wrapped it anew. Lines that begin with # are skipped.
"""

import base64
import binascii
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from crmtrail.errors import Mistake
from snapshot.keys.port import KEY_BYTES

_COMMENT: Final = "# The key that opens crmtrail's other keys. Keep it secret, and keep a copy."
_HOW: Final = "docs/keys.md tells where the key may live and how to make one"
_LEAST_VARIETY: Final = 8
"""So many different bytes has any random key of 32: one of zeros is a placeholder."""


def fresh_kek() -> bytes:
    """Return a new random key."""
    return secrets.token_bytes(KEY_BYTES)


@dataclass(frozen=True, slots=True)
class KekSource:
    """A place that holds the key-encryption key. A cloud's key service would be one more.

    ``told`` is how messages name the place. ``text`` returns what is there, None for nothing.
    ``put`` puts a text there in one step, with True only where nothing is; it is None where only a
    person can.
    """

    told: str
    text: Callable[[], str | None]
    put: Callable[[str, bool], None] | None = None

    def exists(self) -> bool:
        """Return whether there is anything.

        Raises:
            Mistake: the place cannot be reached.
        """
        return self.text() is not None

    def read(self) -> tuple[bytes, ...]:
        """Return the key in use, and behind it those being retired.

        Raises:
            Mistake: there is none, or something else; it is never quoted.
        """
        found = self.text()
        if found is None:
            raise Mistake(f"the key-encryption key is missing: {self.told} holds none", hint=_HOW)
        return _parsed(found, self.told)

    def write(self, keks: Sequence[bytes]) -> None:
        """Put keys in the place of those that are there.

        Raises:
            Mistake: only a person can do that here.
        """
        self._put(keks, first=False)

    def read_or_make(self) -> tuple[bytes, ...]:
        """Return the keys; a first one is made where there is none and we may write.

        Raises:
            Mistake: as `read`.
        """
        if self.put is not None and not self.exists():
            self._put((fresh_kek(),), first=True)
        return self.read()

    def _put(self, keks: Sequence[bytes], *, first: bool) -> None:
        if self.put is None:
            raise Mistake(f"{self.told} is not ours to write", hint=_HOW)
        self.put(
            "\n".join((_COMMENT, *(base64.b64encode(one).decode() for one in keks), "")), first
        )


def _parsed(text: str, told: str) -> tuple[bytes, ...]:
    lines = (line.strip() for line in text.splitlines())
    words = [word for line in lines if not line.startswith("#") for word in line.split()]
    try:
        keks = tuple(base64.b64decode(word, validate=True) for word in words)
    except (binascii.Error, ValueError):  # which might quote the secret
        raise _strange(told, "is not base64") from None
    if not keks:
        raise _strange(told, "is empty")
    if any(len(kek) != KEY_BYTES for kek in keks):
        raise _strange(told, "is not 32 bytes long")
    if any(len(set(kek)) < _LEAST_VARIETY for kek in keks):
        raise _strange(told, "is not random")
    if len(set(keks)) < len(keks):
        raise _strange(told, "stands there twice")
    return keks


def _strange(told: str, why: str) -> Mistake:
    return Mistake(
        f"the key-encryption key in {told} {why}", hint="make one with: openssl rand -base64 32"
    )
