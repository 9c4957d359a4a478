"""Which values are sealed, with which key, and how they are opened again.

The values of a person's record are under a key of that record's own, so that destroying the key
forgets the person and nobody else. The field values that the law wants kept (invoices, say) are
under the key that the object's records share. All else is in clear text, or under the object's
key, as the config says.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Protocol

from crmtrail.model import Ref, Tokens
from snapshot.keys.port import Keys, never_here
from snapshot.keys.sealing import unseal


class Sealing(Enum):
    """With which key a record is sealed."""

    NONE = "none"
    OBJECT = "object"
    RECORD = "record"


class Policy(Protocol):
    """What is personal. See `snapshot.keys.policy`."""

    def sealing(self, source: str, object_: str, fields: Tokens) -> Sealing:
        """Return how a record is sealed."""
        ...

    def kept(self, source: str, object_: str) -> frozenset[str]:
        """Return the fields that outlive the erasure of their person."""
        ...

    def addresses(self, source: str, object_: str, fields: Tokens) -> Sequence[str]:
        """Return the e-mail addresses that a record can be looked up by."""
        ...


class Open:
    """The policy of a store without keys: nothing is sealed."""

    def sealing(self, source: str, object_: str, fields: Tokens) -> Sealing:
        """Return that nothing is sealed."""
        del source, object_, fields
        return Sealing.NONE

    def kept(self, source: str, object_: str) -> frozenset[str]:
        """Return no fields."""
        del source, object_
        return frozenset()

    def addresses(self, source: str, object_: str, fields: Tokens) -> Sequence[str]:
        """Return no addresses."""
        del source, object_, fields
        return ()


class Vault:
    """The keys of a store, and what they are for. Without keys nothing is sealed or opened."""

    def __init__(self, keys: Keys | None = None, policy: Policy | None = None) -> None:
        self.keys = keys
        self.policy: Policy = policy if policy is not None and keys is not None else Open()

    def opened(self, ids: Iterable[int | None]) -> Mapping[int, bytes | None]:
        """Return keys by id; None where a key was destroyed.

        Raises:
            KeyMissing: the key store is not this store's.
        """
        wanted = {key_id for key_id in ids if key_id is not None}
        if not wanted:
            return {}
        if self.keys is None:
            raise never_here(len(wanted))
        return self.keys.fetch(wanted)

    def blind(self, text: str) -> bytes:
        """Return what stands for an e-mail address in the index."""
        if self.keys is None:
            raise LookupError("a store without keys has no index of addresses")
        return self.keys.blind(text)


def place_of(ref: Ref, number: int, part: str) -> bytes:
    """Return where a sealed value belongs: the record, its version, the part of it."""
    return f"{ref.source}:{ref.object}:{ref.id}:{number}:{part}".encode()


def opened_text(key: bytes, sealed: bytes, ref: Ref, number: int, part: str) -> str:
    """Return the text that was sealed for a place.

    Raises:
        Unsealable: it was sealed with another key, for another place, or altered.
    """
    return unseal(key, sealed, place_of(ref, number, part)).decode()


PAYLOAD, KEPT, DOC, DOC_KEPT = "payload", "kept", "keyframe", "keyframe_kept"
"""The parts of a version."""
