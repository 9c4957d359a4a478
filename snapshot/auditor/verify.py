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
from functools import reduce
from hashlib import sha256
from heapq import merge
from json.encoder import encode_basestring as quoted
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

YES, ASKED_WRONGLY, NO, LEAF, NODE = 0, 2, 5, b"\x00", b"\x01"

Keys: TypeAlias = dict[tuple[str, bytes], bytes]  # by name and id
Row: TypeAlias = Sequence[Any]


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
    if found := re.fullmatch(rf"{word} (\d+)", line):
        return int(found[1])
    raise Unreadable(f"{line[:40]!r} is not {word} and a number")


VERSIONS = """
SELECT v.version_id, o.source || ':' || o.name || ':' || r.ext_id, v.actor_id, v.number, v.op,
       v.deleted, v.at, v.known_at, v.since, v.operation_id, v.plan_id, v.note,
       v.payload, v.payload_gone, v.kept, v.kept_gone, k.doc, k.doc_gone, k.kept, k.kept_gone
FROM version AS v LEFT JOIN object AS o ON o.object_id = v.object_id
LEFT JOIN record AS r ON r.record_id = v.record_id AND r.object_id = v.object_id
LEFT JOIN keyframe AS k ON k.version_id = v.version_id AND k.leaf IS NULL
ORDER BY v.version_id"""
CHANGES = "SELECT version_id, field_id, kind, old, new FROM change ORDER BY version_id, field_id"
ACTORS = """
SELECT actor_id, key, digest, salt, kind, ext_id, name, via, why FROM actor WHERE key NOTNULL"""
STRAYS = """
SELECT r.ext_id FROM record AS r
LEFT JOIN version AS v ON v.record_id = r.record_id AND v.number = r.number
WHERE r.deleted IS NOT v.deleted OR (r.number, r.number) <>
  (SELECT count(*), max(number) FROM version AS e WHERE e.record_id = r.record_id)"""
CODECS = "SELECT codec_id, source||':'||name, dictionary FROM codec JOIN object USING (object_id)"
SEALED = "SELECT entry FROM leaf WHERE kind = 'codec' ORDER BY idx"
GONE = """
SELECT v.version_id, (v.payload_gone NOTNULL) + 2 * (v.kept_gone NOTNULL)
     + 4 * (k.doc_gone NOTNULL) + 8 * (k.kept_gone NOTNULL) AS gone,
       (SELECT max(what & 1) | max(what & 2) | max(what & 4) | max(what & 8)
        FROM forgotten AS f WHERE f.version_id = v.version_id)
FROM version AS v LEFT JOIN keyframe AS k ON k.version_id = v.version_id WHERE gone > 0"""
FORGOTTEN = "SELECT version_id, what FROM forgotten WHERE leaf = ? ORDER BY version_id"
FORGETTING = "SELECT idx, entry FROM leaf WHERE kind IN ('erase', 'retention')"


def check_store(path: Path, text: str, keys: Keys) -> str:
    """Recompute a whole store and hold it against checkpoints; return what is proven."""
    ours = {name for name, _ in keys}  # a file may hold checkpoints of other logs, too
    heads = [signed_head(one, keys) for one in notes_in(text) if one.split("\n")[0] in ours]
    if not heads or not path.is_file():
        raise Unreadable(f"there is no store at {path}, or no checkpoint of it")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as store:
            store.execute("BEGIN")
            size = check_tree(store, heads)
            check_rows(store)
            gone, lawful = check_forgotten(store)
    except sqlite3.Error as error:
        raise Unreadable(f"{path} cannot be read as a store: {error}") from None
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise Refuted(f"a row holds what crmtrail never writes ({type(error).__name__})") from None
    return (
        f"all {size} entries and the data under them are as they were sealed, and fit every "
        f"checkpoint given ({len(heads)}). {gone} values were forgotten lawfully; entries of kind "
        f"erase/retention: {lawful}. Edits of the {size - max(one.size for one in heads)} entries "
        "after the newest checkpoint cannot be seen."
    )


def check_tree(store: sqlite3.Connection, heads: Sequence[Head]) -> int:
    """Check that the entries are those of every checkpoint; return how many there are."""
    size, peaks, wanted = 0, list[bytes](), {head.size for head in heads}
    roots = {0: sha256().digest()}
    tiles = store.execute("SELECT hashes FROM tile WHERE level = 0 ORDER BY idx")
    stored = (tile[at : at + 32] for (tile,) in tiles for at in range(0, len(tile), 32))
    for index, entry in merge(versions_of(store), actions_of(store), key=itemgetter(0)):
        leaf = hashed(LEAF, entry)
        if index != size or next(stored, None) != leaf:
            raise Refuted(f"entry {size} is not what was sealed, is missing or there twice")
        add(peaks, size, leaf)
        size += 1
        if size in wanted:
            roots[size] = root_of(peaks)
    if next(stored, None) is not None:
        raise Refuted(f"there are {size} entries, but the tree has more leaves")
    for _, had, root in heads:
        if roots.get(had) != root:
            why = "cut off" if had > size else "rewritten"
            raise Refuted(f"the {size} entries do not begin with the {had} of a checkpoint: {why}")
    return size


def add(peaks: list[bytes], size: int, found: bytes) -> None:
    """Add a leaf to a tree of a size, of which only the roots of full subtrees are kept."""
    while size % 2:
        found, size = hashed(NODE, peaks.pop(), found), size // 2
    peaks.append(found)


def root_of(peaks: Sequence[bytes]) -> bytes:
    """Return the root of the whole tree."""
    return reduce(lambda found, peak: hashed(NODE, peak, found), reversed(peaks))


def actions_of(store: sqlite3.Connection) -> Iterator[tuple[int, bytes]]:
    """Yield index and bytes of the entries of what crmtrail itself did."""
    for index, kind, entry in store.execute("SELECT idx, kind, entry FROM leaf ORDER BY idx"):
        if json.loads(entry)["kind"] != kind or kind == "version":
            raise Refuted(f"entry {index} is of another kind than its row says")
        yield index, entry


def versions_of(store: sqlite3.Connection) -> Iterator[tuple[int, bytes]]:
    """Yield the id and the entry of every version, made anew from the rows."""
    fields = {id_: quoted(name) for id_, name in store.execute("SELECT field_id, name FROM field")}
    told = store.execute("SELECT actor_id, kind || ifnull(':' || ext_id, ''), digest FROM actor")
    actors = {id_: (quoted(who), digest.hex()) for id_, who, digest in told}
    changes = store.execute(CHANGES)
    change = changes.fetchone()
    for row in store.execute(VERSIONS):
        mine = []
        while change is not None and change[0] == row[0]:
            mine.append(change)
            change = changes.fetchone()
        changed = ",".join([f"[{fields[field]},{kind}]" for _, field, kind, *_ in mine])
        yield row[0], entry_of(row, mine, changed, actors[row[2]])
    if change is not None:
        raise Refuted(f"a change of version {change[0]} hangs on nothing")


def entry_of(row: Row, changes: Sequence[Row], changed: str, actor: tuple[str, str]) -> bytes:
    """Return the bytes that were sealed for a version; docs/ledger.md says how they are made."""
    id_, record, _, number, op, deleted, at, known_at, since, operation, plan, note, *values = row
    payload, kept, keyframe, keyframe_kept = map(digest_of, values[::2], values[1::2])
    if payload is None:
        clear = "\x1e".join(f"{old or ''}\x1f{new or ''}" for *_, old, new in changes)
        payload = digest_of(clear.encode(), None)
    elif any(old is not None or new is not None for *_, old, new in changes):
        raise Refuted(f"version {id_} has values beside those that are sealed or forgotten")
    return (
        f'{{"actor":{actor[0]},"at":{at},"changed":[{changed}],'
        f'"deleted":{"true" if deleted else "false"}{part("kept", kept)}'
        f'{part("keyframe", keyframe)}{part("keyframe_kept", keyframe_kept)},"kind":"version",'
        f'"known_at":{known_at}{part("note", note)},"number":{number},"op":"{op}"'
        f'{part("operation", operation and quoted(operation))},"payload":{payload}'
        f'{part("plan", plan and quoted(plan))},"record":{quoted(record)}{part("since", since)},'
        f'"who":"{actor[1]}"}}'
    ).encode()


def part(name: str, text: object) -> str:
    """Return one key of an entry; nothing where it has none."""
    return "" if text is None else f',"{name}":{text}'


def digest_of(there: bytes | None, gone: bytes | None) -> str | None:
    """Return the digest of what is stored, or of what was; None where there never was anything."""
    digest = gone if there is None else sha256(there).digest()
    return None if digest is None else f'"{digest.hex()}"'


def check_rows(store: sqlite3.Connection) -> None:
    """Check records, actors and codecs: each has to be what its versions and entries say."""
    for (stray,) in store.execute(STRAYS):
        raise Refuted(f"record {stray} is not what its versions say, or lacks one")
    for id_, key, digest, salt, *told in store.execute(ACTORS):
        said = [text and text.replace("\0", "\ufffd") for text in json.loads(key)]
        if sha256(salt + key.encode()).digest() != digest or said != told:
            raise Refuted(f"actor {id_} is not what was sealed")
    said = [json.loads(entry)["entry"] for (entry,) in store.execute(SEALED)]
    codecs = [(id_, name, sha256(words).hexdigest()) for id_, name, words in store.execute(CODECS)]
    if sorted(codecs) != [(one["codec"], one["object"], one["dictionary"]) for one in said]:
        raise Refuted("the codecs are not those that were sealed")


def check_forgotten(store: sqlite3.Connection) -> tuple[int, int]:
    """Check that sealed entries tell of every value that is gone; count values and entries."""
    gone, actors, entries = 0, set(), store.execute(FORGETTING).fetchall()
    for idx, entry in entries:
        said = json.loads(entry)["entry"]
        lines = "".join(f"{id_}:{what}\n" for id_, what in store.execute(FORGOTTEN, (idx,)))
        if sha256(lines.encode()).hexdigest() != said["forgotten"]:
            raise Refuted(f"what was forgotten is not what entry {idx} says")
        actors |= set(said.get("actors", ()))
    for id_, parts, told in store.execute(GONE):
        if parts & ~(told or 0):
            raise Refuted(f"values of version {id_} are gone, and no entry says that they may be")
        gone += parts.bit_count()
    for (who,) in store.execute("SELECT ext_id FROM actor WHERE key IS NULL"):
        if who not in actors:
            raise Refuted(f"the name of actor {who} is gone, and no entry says that it may be")
        gone += 1
    return gone, len(entries)


def text_of(path: Path) -> str:
    """Return the text of a file."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"{path} cannot be read: {error}") from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one check and return the exit code."""
    parser = argparse.ArgumentParser(description="Check what crmtrail proves, without crmtrail.")
    parser.add_argument("--key", required=True, help="a public key, or a file of them")
    parser.add_argument("check", choices=("proof", "growth", "store"))
    parser.add_argument("files", nargs="+", type=Path, help="PROOF, or OLD PROOF, or STORE NOTES")
    asked = parser.parse_args(arguments)
    try:
        keys = keys_of(asked.key)
        match asked.check, asked.files:
            case "proof", [proof]:
                proven = check_proof(text_of(proof), keys)
            case "growth", [old, proof]:
                proven = check_growth(text_of(old), text_of(proof), keys)
            case "store", [store, notes]:
                proven = check_store(store, text_of(notes), keys)
            case _:
                parser.error(f"{asked.check} takes other files")
        print(f"YES: {proven}")
    except Refuted as why:
        print(f"NO: {why}")
        return NO
    except Unreadable as why:
        print(f"error: {why}", file=sys.stderr)
        return ASKED_WRONGLY
    return YES


if __name__ == "__main__":
    sys.exit(main())
