"""Check what crmtrail proves, without crmtrail. One file: copy it, read it, run it.

It needs Python 3.11 or later and the package ``cryptography``; nothing else, and no network::

    python verify.py --key KEY proof contact.tlog-proof
    python verify.py --key KEY growth old-checkpoint.txt growth.txt
    python verify.py --key KEY store crmtrail.db checkpoints.txt

KEY is a public key of the ledger as ``crmtrail key`` prints it, or a file with one a line. Get it
by a way that the administrator of the audited machine could not alter. Ends with 0 for yes, 5 for
no, 2 where it was asked wrongly. The formats are those of docs/ledger.md.
"""

import argparse
import base64
import json
import re
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from functools import reduce
from hashlib import sha256
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

YES, ASKED_WRONGLY, NO = 0, 2, 5
LEAF, NODE = b"\x00", b"\x01"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Keys: TypeAlias = dict[tuple[str, bytes], bytes]
"""Public keys by their name and id."""


class Refuted(Exception):
    """What was claimed is not so."""


class Unreadable(Exception):
    """A file is not what it should be."""


class Head(NamedTuple):
    """A tree head: the log's name, its number of entries, its root."""

    origin: str
    size: int
    root: bytes


def decoded(text: str) -> bytes:
    """Return what standard base64 says."""
    with suppress(ValueError):
        raw = base64.b64decode(text, validate=True)
        if base64.b64encode(raw).decode() == text:
            return raw
    raise Unreadable(f"{text[:40]!r} is no base64")


def keys_of(given: str) -> Keys:
    """Return public keys by name and id, from the text of one or from a file."""
    lines = [given] if given.count("+") > 1 else text_of(Path(given)).split("\n")
    found = {}
    for line in filter(None, map(str.strip, lines)):
        name, id_, encoded = [*line.split("+", 2), "", ""][:3]
        raw = decoded(encoded)
        key_id = sha256(name.encode() + b"\n" + raw).digest()[:4]
        if len(raw) != 33 or raw[0] != 1 or key_id.hex() != id_:  # noqa: PLR2004 -- a type byte and 32
            raise Unreadable(f"{line[:80]!r} is no Ed25519 key of the form name+id+base64")
        found[name, key_id] = raw[1:]
    return found


def signed_head(note: str, keys: Keys) -> Head:
    """Return what a checkpoint says, if a trusted key of the log's name signed it."""
    text, blank, signatures = note.rpartition("\n\n")
    text += "\n"
    lines = text.split("\n")
    if not blank or len(lines) < 4 or not all(lines[:-1]) or not lines[1].isdecimal():  # noqa: PLR2004 -- three lines and the end
        raise Unreadable("no checkpoint: it is origin, size, root, a blank line, signatures")
    origin, size, root = lines[:3]
    signers = set()
    for line in signatures.rstrip("\n").split("\n"):
        mark, name, encoded = [*line.split(" "), "", ""][:3]
        if mark != "\u2014":
            raise Unreadable(f"{line[:40]!r} is no signature")
        raw = decoded(encoded)
        key = keys.get((name, raw[:4]))
        if key is None:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(raw[4:], text.encode())
        except InvalidSignature:
            raise Refuted(f"the signature of {name} under the checkpoint does not hold") from None
        signers.add(name)
    if origin not in signers:
        raise Refuted(f"no key that you trust signed the checkpoint of {origin}")
    return Head(origin, int(size), decoded(root))


def notes_in(text: str) -> list[str]:
    """Return the checkpoints of a file that holds one after another; each ends in signatures."""
    found = re.findall(r"(?ms).*?(?:^\u2014 [^\n]*\n)+|.+", text)
    return [note.strip("\n") + "\n" for note in found if note.strip()]


def hashed(kind: bytes, *parts: bytes) -> bytes:
    """Return the hash of an entry (kind 0) or of the two halves of a tree (kind 1)."""
    return sha256(kind + b"".join(parts)).digest()


def includes(head: Head, index: int, leaf: bytes, path: list[bytes]) -> bool:
    """Return whether a path leads from a leaf to the root (RFC 6962, section 2.1.1)."""

    def root(place: int, size: int) -> bytes:
        if size == 1:
            return leaf
        half, sibling = 1 << ((size - 1).bit_length() - 1), path.pop()
        if place < half:
            return hashed(NODE, root(place, half), sibling)
        return hashed(NODE, sibling, root(place - half, size - half))

    with suppress(IndexError):  # the path is too short
        return index < head.size and root(index, head.size) == head.root and not path
    return False


def grew(old: Head, new: Head, path: list[bytes]) -> bool:
    """Return whether a path shows that a tree only grew (RFC 6962, section 2.1.2)."""

    def roots(first: int, size: int, *, whole: bool) -> tuple[bytes, bytes]:
        if first == size:
            return (old.root if whole else path.pop(),) * 2
        half, sibling = 1 << ((size - 1).bit_length() - 1), path.pop()
        if first <= half:
            before, after = roots(first, half, whole=whole)
            return before, hashed(NODE, after, sibling)
        before, after = roots(first - half, size - half, whole=False)
        return hashed(NODE, sibling, before), hashed(NODE, sibling, after)

    if old.size in {0, new.size}:
        return not path and (old.size == 0 or old.root == new.root)
    with suppress(IndexError):  # the path is too short
        reached = old.size < new.size and roots(old.size, new.size, whole=True)
        return reached == (old.root, new.root) and not path
    return False


def add(peaks: list[bytes], size: int, entry: bytes) -> None:
    """Add an entry to a tree of a size, of which only the roots of full subtrees are kept."""
    found = hashed(LEAF, entry)
    while size % 2:
        found, size = hashed(NODE, peaks.pop(), found), size // 2
    peaks.append(found)


def root_of(peaks: Sequence[bytes]) -> bytes:
    """Return the root of the whole tree."""
    if not peaks:
        return sha256().digest()
    return reduce(lambda found, peak: hashed(NODE, peak, found), reversed(peaks))


def check_proof(text: str, keys: Keys) -> str:
    """Check a C2SP tlog-proof that carries its entry; return what is proven."""
    before, _, note = text.partition("\n\n")
    lines = before.split("\n")
    if lines[0] != "c2sp.org/tlog-proof@v1" or len(lines) < 3 or lines[1][:6] != "extra ":  # noqa: PLR2004 -- its first three lines
        raise Unreadable("no tlog-proof with an entry in it")
    entry, index = decoded(lines[1][6:]), numbered("index", lines[2])
    head = signed_head(note, keys)
    if not includes(head, index, hashed(LEAF, entry), [decoded(line) for line in lines[3:]]):
        raise Refuted("the path does not lead from the entry to the signed root")
    return f"entry {index} of the {head.size} of {head.origin} is\n{entry.decode()}"


def check_growth(old_note: str, text: str, keys: Keys) -> str:
    """Check that a ledger only grew between two checkpoints; return what is proven."""
    before, _, note = text.partition("\n\n")
    first, *path = before.split("\n")
    old, new = signed_head(old_note, keys), signed_head(note, keys)
    if numbered("old", first) != old.size or old.origin != new.origin:
        raise Refuted("the proof is for another checkpoint")
    if not grew(old, new, [decoded(line) for line in path]):
        raise Refuted(f"the {new.size} entries do not begin with the {old.size} of before")
    return f"{new.origin} only grew, from {old.size} to {new.size} entries"


def numbered(word: str, line: str) -> int:
    """Read a line that is a word and a number."""
    name, _, number = line.partition(" ")
    if name != word or not number.isdecimal():
        raise Unreadable(f"{line[:40]!r} is not {word} and a number")
    return int(number)


# --- a store --------------------------------------------------------------------------------------

VERSIONS = """
SELECT v.version_id, v.number, v.op, v.deleted, v.at, v.known_at, v.operation_id, v.plan_id,
       v.digest, v.stamps, o.source, o.name, r.ext_id, a.kind, a.ext_id, a.name, a.via, a.why
FROM version AS v CROSS JOIN record AS r ON r.record_id = v.record_id
CROSS JOIN object AS o ON o.object_id = v.object_id
CROSS JOIN actor AS a ON a.actor_id = v.actor_id
ORDER BY v.version_id"""
CHANGES = """
SELECT c.version_id, f.name, c.old, c.new
FROM change AS c LEFT JOIN field AS f ON f.field_id = c.field_id ORDER BY c.version_id"""
RECORDS = """
SELECT o.source || ':' || o.name || ':' || r.ext_id, r.number, r.deleted, r.digest, r.document,
       v.deleted, v.digest, (SELECT count(*) FROM version AS e WHERE e.record_id = r.record_id),
       (SELECT max(number) FROM version AS e WHERE e.record_id = r.record_id)
FROM record AS r LEFT JOIN object AS o ON o.object_id = r.object_id
LEFT JOIN version AS v ON v.record_id = r.record_id AND v.number = r.number"""


def check_store(path: Path, text: str, keys: Keys) -> str:
    """Recompute a whole store and hold it against checkpoints; return what is proven."""
    ours = {name for name, _ in keys}  # a file may hold checkpoints of other logs, too
    notes = [note for note in notes_in(text) if note.split("\n")[0] in ours]
    heads = [signed_head(note, keys) for note in notes]
    if not heads or not path.is_file():
        raise Unreadable(f"there is no store at {path}, or no checkpoint of it")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as store:
            store.execute("BEGIN")
            size = check_tree(entries_of(store), heads)
            check_records(store)
    except sqlite3.Error as error:
        raise Unreadable(f"{path} cannot be read as a store: {error}") from None
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise Refuted(f"a row holds what crmtrail never writes ({error})") from None
    newest = max(head.size for head in heads)
    return (
        f"all {size} entries and the data under them are as they were sealed, and fit every "
        f"checkpoint given ({len(heads)}). Edits of the {size - newest} entries after the newest "
        "checkpoint cannot be seen."
    )


def check_tree(entries: Iterator[bytes], heads: Sequence[Head]) -> int:
    """Check that the entries are those of every checkpoint; return how many there are.

    The stored inner nodes are not looked at: nothing here rests on them.
    """
    peaks: list[bytes] = []
    size, roots, wanted = 0, {0: root_of(peaks)}, {head.size for head in heads}
    for size, entry in enumerate(entries, start=1):
        add(peaks, size - 1, entry)
        if size in wanted:
            roots[size] = root_of(peaks)
    for _, had, root in heads:
        if had > size:
            raise Refuted(f"there are {size} entries, but there were {had}: cut off")
        if roots[had] != root:
            raise Refuted(f"the first {had} entries are not those of the checkpoint: rewritten")
    return size


def entries_of(store: sqlite3.Connection) -> Iterator[bytes]:
    """Yield every entry, checked against the version that it seals."""
    versions = versions_of(store)
    id_, made = next(versions, (None, b""))
    leaves = store.execute("SELECT idx, kind, entry FROM leaf ORDER BY idx")
    for expected, (index, kind, entry) in enumerate(leaves):
        if index != expected:
            raise Refuted(f"entry {expected} is missing")
        if (id_ == index) != (kind == "version"):
            raise Refuted(f"entry {index} and the versions stored do not belong together")
        if json.loads(entry)["kind"] != kind:
            raise Refuted(f"entry {index} is of another kind than its row says")
        if id_ == index:
            if made != entry:
                raise Refuted(f"the version of entry {index} is not what was sealed")
            id_, made = next(versions, (None, b""))
        yield entry
    if id_ is not None:
        raise Refuted(f"version {id_} was never sealed")


def versions_of(store: sqlite3.Connection) -> Iterator[tuple[int, bytes]]:
    """Yield the id and the entry of every version, made anew from the rows."""
    changes = store.execute(CHANGES)
    change = changes.fetchone()
    for row in store.execute(VERSIONS):
        mine = []
        while change is not None and change[0] <= row[0]:
            if change[0] < row[0] or change[1] is None:
                raise Refuted(f"a change of version {change[0]} hangs on nothing")
            mine.append(change[1:])
            change = changes.fetchone()
        yield row[0], entry_of(row, sorted(mine, key=itemgetter(0)))
    if change is not None:
        raise Refuted(f"a change of version {change[0]} hangs on nothing")


def entry_of(row: Sequence[Any], changes: Sequence[tuple[str, str | None, str | None]]) -> bytes:
    """Return the bytes that were sealed for a version; docs/ledger.md says how they are made."""
    _, number, op, deleted, at, known_at, operation, plan, digest, stamps, *names = row
    source, object_, id_, kind, actor, *_ = names
    body = (
        f'{{"actor":{compact(names[3:])},"changes":[{",".join(map(change_of, changes))}],'
        f'"deleted":{"true" if deleted else "false"},"stamps":{stamps}}}'
    )
    who = kind if actor is None else f"{kind}:{actor}"
    parts = [
        f'"actor":{compact(who)}',
        f'"at":"{stamp(at)}"',
        f'"body":"{sha256(body.encode()).hexdigest()}"',
        f'"digest":"{digest.hex()}"',
        '"kind":"version"',
        f'"known_at":"{stamp(known_at)}"',
        f'"number":{number}',
        f'"op":"{op}"',
        *([f'"operation":{compact(operation)}'] if operation else []),
        f'"record":{compact(f"{source}:{object_}:{id_}", ascii_only=False)}',
        *([f'"transaction":{compact(plan)}'] if plan else []),
    ]
    return f"{{{','.join(parts)}}}".encode()


def change_of(change: tuple[str, str | None, str | None]) -> str:
    """Return one field change; a side that the vendor did not tell is left out."""
    name, old, new = change
    sides = "".join(f',"{side}":{v}' for side, v in (("new", new), ("old", old)) if v is not None)
    return f'{{"field":{compact(name, ascii_only=False)}{sides}}}'


def compact(value: object, *, ascii_only: bool = True) -> str:
    """Return compact JSON; beyond quotes, backslashes and controls, what is not ASCII escaped."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=ascii_only)


def stamp(micros: int) -> str:
    """Return microseconds since 1970 as RFC 3339 text."""
    return (EPOCH + timedelta(microseconds=micros)).isoformat().replace("+00:00", "Z")


def check_records(store: sqlite3.Connection) -> None:
    """Check that every current document is the one that its newest version sealed."""
    for name, number, deleted, digest, document, *sealed, count, newest in store.execute(RECORDS):
        if not count == newest == number:
            raise Refuted(f"the versions of {name} are not numbered without a gap")
        if sha256(document.encode()).digest() != digest or sealed != [deleted, digest]:
            raise Refuted(f"the current document of {name} is not what was sealed")


def text_of(path: Path) -> str:
    """Return the text of a file."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"{path} cannot be read: {error}") from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one check and return the exit code."""
    asked = parser().parse_args(arguments)
    try:
        keys, text = keys_of(asked.key), text_of(asked.file)
        if asked.check == "proof":
            proven = check_proof(text, keys)
        elif asked.check == "growth":
            proven = check_growth(text_of(asked.old), text, keys)
        else:
            proven = check_store(asked.store, text, keys)
    except Refuted as why:
        print(f"NO: {why}")
        return NO
    except Unreadable as why:
        print(f"error: {why}", file=sys.stderr)
        return ASKED_WRONGLY
    print(f"YES: {proven}")
    return YES


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    made = argparse.ArgumentParser(description="Check what crmtrail proves, without crmtrail.")
    made.add_argument("--key", required=True, help="a public key, or a file of them")
    checks = made.add_subparsers(dest="check", required=True)
    for name, first, file, what in (
        ("proof", None, "the proof", "an entry is in the ledger"),
        ("growth", "old", "the proof", "the ledger only grew since the checkpoint OLD"),
        ("store", "store", "one checkpoint or many", "a SQLite store is as it was sealed"),
    ):
        check = checks.add_parser(name, help=what)
        if first:
            check.add_argument(first, type=Path)
        check.add_argument("file", type=Path, help=file)
    return made


if __name__ == "__main__":
    sys.exit(main())
