"""What no entry of the ledger tells in full, heads of records and operations: checksums. Pure.

They guard against flipped bits, not against people: both are caches that versions can rebuild.
"""

from hashlib import blake2b
from typing import Any, Final

_BYTES: Final = 8


def checksum(head: tuple[Any, ...]) -> bytes:
    """Return the checksum of a head.

    Args:
        head: the columns modified_at, edited_at, history_to, operation_id, keyframe, since, key_id
            and seen of ``record``; or op, actor_id, started, ended, records, blanked and tallies
            of ``operation``; in this order.
    """
    return blake2b(repr(head).encode(), digest_size=_BYTES).digest()
