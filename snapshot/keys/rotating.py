"""Put a new key-encryption key in the place of the old one, safely against a kill at any moment.

Where we may write the place of the KEK:

1. The place gets the new key before the old one. A kill here changes nothing: both open.
2. `Keyring.rotate` wraps every key anew. A kill here leaves some under each.
3. The place holds the new key only.

Whoever finds two keys in the place goes on with 2. The place is only written while the key store's
write lock is held, so two rotations at once become one. Where only a person can write there, the
person does 1 and 3.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from crmtrail.errors import Locked, Mistake
from snapshot.database import writing
from snapshot.keys.kek import KekSource, fresh_kek
from snapshot.keys.keyring import Keyring, enter


@dataclass(frozen=True, slots=True)
class Rotated:
    """How many keys were wrapped anew, and what is left to a person, if anything."""

    keys: int
    resumed: bool
    to_do: str = ""


def rotate_kek(
    ring: Keyring, at: datetime, progress: Callable[[int, int | None, str], None] = lambda *_: None
) -> Rotated:
    """Rotate the key-encryption key, or go on with a rotation that was killed.

    Args:
        ring: the key store.
        at: when that is.
        progress: is told how many keys were wrapped anew.

    Raises:
        Mistake: a person has to put the new key in its place first.
        Locked: another rotation is running.
    """
    source = ring.source
    with writing(ring.engine) as connection:
        keks, resumed = _begun(source)
        number = enter(connection, keks[0], at)
    count = ring.rotate(keks[0], progress, entered=number)
    if source.put is None:
        return Rotated(count, resumed, f"take the old key out of {source.told}")
    with writing(ring.engine):
        if source.read()[0] != keks[0]:
            raise Locked("another rotation of the key-encryption key has begun")
        source.write(keks[:1])
    return Rotated(count, resumed)


def _begun(source: KekSource) -> tuple[tuple[bytes, ...], bool]:
    """Return the keys of the place, a new one first, and whether it was there already."""
    keks = source.read()
    if len(keks) > 1:
        return keks, True
    if source.put is None:
        raise Mistake(
            f"put a new key-encryption key before the old one in {source.told}, then run again",
            hint="make one with: openssl rand -base64 32; docs/keys.md tells how",
        )
    keks = (fresh_kek(), *keks)
    source.write(keks)
    return keks, False
