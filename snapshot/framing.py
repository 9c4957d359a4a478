"""Full states that retention makes where those before them are forgotten.

The entry of a version cannot commit to a state that was made later: so the entry of the action
does, see `frames_digest`.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from itertools import zip_longest
from typing import Any

from sqlalchemy import Connection

from crmtrail.errors import PersonNeeded
from crmtrail.model import ERASED, Token
from snapshot import bulk
from snapshot.cutting import Cut
from snapshot.heads import checksum
from snapshot.holding import listed
from snapshot.keys.sealing import seal
from snapshot.shelf import Shelf
from snapshot.states import Wanted, states_of
from snapshot.subjects import Subject
from snapshot.vault import DOC, DOC_KEPT, place_of


def make_frames(
    connection: Connection, shelf: Shelf, cuts: Sequence[Cut], leaf: int, now: datetime
) -> None:
    """Make the full states that have to stay and are not kept in full yet.

    Args:
        connection: of the transaction that forgets; nothing is forgotten yet.
        shelf: keys and codecs.
        cuts: what goes of some records, all of one object.
        leaf: the entry that will commit to them.
        now: when.

    Raises:
        LookupError: a state cannot be rebuilt: the store is damaged.
        PersonNeeded: the key of a record is destroyed, and the record is not erased.
    """
    keys = shelf.vault.opened(
        key for one in cuts if one.frames for key in (one.subject.key_id, one.subject.object_key)
    )
    rows = [
        (version_id, *_document(connection, shelf, subject, number, tokens, keys, now), leaf)
        for subject, version_id, number, tokens in _built(connection, shelf, cuts)
    ]
    columns = ("version_id", "codec_id", "sealed", "doc", "kept", "leaf")
    bulk.insert(connection, "keyframe", columns, rows)
    moved = {
        one.subject.record_id: (line.version_id, one.subject.number - line.number)
        for one in cuts
        for line, _ in one.frames[-1:]
        if line.number > one.newest_whole
    }
    _move(connection, moved)


def _built(
    connection: Connection, shelf: Shelf, cuts: Sequence[Cut]
) -> Iterator[tuple[Subject, int, int, dict[str, Token]]]:
    """Yield the states to be made: whose, of which version, its number, the tokens."""
    for frames in zip_longest(*(one.frames for one in cuts)):
        made = {
            one.subject.record_id: (one.subject, *frame)
            for one, frame in zip(cuts, frames, strict=True)
            if frame is not None
        }
        wanted = [
            Wanted(
                *(subject.record_id, subject.ref, subject.object_id),
                *(subject.key_id, subject.object_key),
                *(base.version_id, base.number, line.number),
            )
            for subject, line, base in made.values()
        ]
        states = states_of(connection, shelf, wanted)
        for record_id, (subject, line, _) in made.items():
            tokens = states[record_id]
            if ERASED in tokens.values():
                raise LookupError(f"version {line.number} of {subject.ref} cannot be rebuilt")
            yield subject, line.version_id, line.number, tokens


def _document(
    connection: Connection,
    shelf: Shelf,
    subject: Subject,
    number: int,
    tokens: dict[str, Token],
    keys: Any,
    now: datetime,
) -> tuple[int, int, bytes, bytes | None]:
    """Return a state as it is stored: codec, whether sealed, the rest, and what is kept."""
    fields = shelf.with_names(connection, subject.object_id, tokens)
    codec = shelf.codec_for(connection, subject.object_id, iter(()), 0, now)
    if subject.key_id is None:
        return codec.codec_id, 0, codec.squeezed(fields.layout.document(tokens, {})), None
    key, shared = keys[subject.key_id], keys.get(subject.object_key)
    if key is None:
        raise PersonNeeded(
            f"the key of {subject.ref} is destroyed, but the record is not erased",
            hint="it came back with an older copy of the store: run `crmtrail erase --replay`",
        )
    source, object_ = subject.ref.source, subject.ref.object
    names = shelf.vault.policy.kept(source, object_) if shared else frozenset()
    apart = {name: token for name, token in tokens.items() if name in names}
    rest = {name: token for name, token in tokens.items() if name not in names}

    def made(with_key: bytes, said: dict[str, Token], part: str) -> bytes:
        small = codec.squeezed(fields.layout.document(said, {}))
        return seal(with_key, small, place_of(subject.ref, number, part))

    kept = made(shared, apart, DOC_KEPT) if shared and apart else None
    return codec.codec_id, 1, made(key, rest, DOC), kept


def _move(connection: Connection, moved: Mapping[int, tuple[int, int]]) -> None:
    """Note which full state of records is the newest now, and how many versions came since."""
    rows = connection.exec_driver_sql(
        "SELECT r.record_id, r.modified_at, r.edited_at, r.history_to, r.operation_id, r.key_id,"
        " r.seen FROM json_each(?) AS j CROSS JOIN record AS r ON r.record_id = j.value",
        (listed(moved),),
    )
    found = []
    for record_id, *looked, key_id, seen in rows.all():
        told = b"" if seen is None else bytes(seen)
        sound = checksum((*looked, *moved[record_id], key_id, told))
        found.append((record_id, *moved[record_id], sound))
    columns = ("keyframe", "since", "sound")
    bulk.update(connection, "record", ("record_id",), columns, found)


def frames_digest(connection: Connection, leaf: int) -> str | None:
    """Return what an entry commits to of the full states that its action made; None without any."""
    rows = connection.exec_driver_sql(
        "SELECT version_id, codec_id, sealed, doc, doc_gone, kept, kept_gone FROM keyframe"
        " WHERE leaf = ? ORDER BY version_id",
        (leaf,),
    )
    told, count = sha256(), 0
    for version_id, codec_id, sealed, doc, doc_gone, kept, kept_gone in rows:
        count += 1
        parts = ":".join(_hex(*each) for each in ((doc, doc_gone), (kept, kept_gone)))
        told.update(f"{version_id}:{codec_id}:{sealed}:{parts}\n".encode())
    return told.hexdigest() if count else None


def _hex(there: bytes | None, gone: bytes | None) -> str:
    if there is not None:
        return sha256(there).hexdigest()
    return "" if gone is None else bytes(gone).hex()
