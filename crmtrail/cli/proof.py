"""Prove that nothing was altered: verify."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crmtrail.cli.context import Context, command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from snapshot.anchors.sink import Sink
    from snapshot.evidence import Evidence
    from snapshot.notes import Head, PublicKey

_FILE = click.Path(path_type=Path)
_ALL = "anchors"
"""What --against takes for every anchor of the config; a file of this name is ./anchors."""


@dataclass(frozen=True, slots=True)
class _Compared:
    """How the ledger stands against checkpoints from outside."""

    since: "Head | None"
    heads: "tuple[Head, ...]"
    bad: dict[str, Any]


@command("verify", short_help="Recompute the ledger and the data under it.")
@click.option("--since", type=_FILE, help="An older checkpoint: the ledger must only have grown.")
@click.option(
    "--against",
    metavar="FILE|ANCHOR",
    help="Every checkpoint in a file, such as a saved mail; or an anchor's name, or: anchors.",
)
@click.option("--key", help="Trust this public key, or the keys of this file, instead of our own.")
def verify(context: Context, since: Path | None, against: str | None, key: str | None) -> int:
    """Recompute every entry of the ledger, its root, and the data under it.

    Edits by somebody who rewrote the ledger too show only against checkpoints that were kept
    elsewhere: --since and --against. A file may be a mail or a chat as it was saved. An anchor
    that can be read (`crmtrail status` names them) is asked for all that it holds; `anchors`
    means every one of them.
    """
    from crmtrail.errors import Mistake, VerifyFailed

    if key is not None and since is None and against is None:
        raise Mistake("--key goes with --since or --against")
    found = context.app.verify()
    compared = _compared(context, since, against, key)
    first_bad = dict(found.first_bad) or compared.bad
    shape = {
        "ok": not first_bad,
        "entries": found.entries,
        "root": found.root,
        "checked": found.checked,
        "checkpoints": len(compared.heads),
        "since": None if compared.since is None else _grown(compared.since, found.entries),
        "first_bad": first_bad,
    }

    def render(out: "Console") -> None:
        if first_bad:
            out.print("ALTERED. The first bad entry:")
            for name, value in first_bad.items():
                out.print(f"  {name}: {value}", markup=False)
            return
        out.print(f"All {found.entries:,} entries are as they were written. Root {found.root}")
        if compared.heads:
            out.print(f"They fit every checkpoint given ({len(compared.heads):,}).")
        else:
            out.print("Compared with no checkpoint from outside: see --since and --against.")

    context.answer(shape, render)
    return VerifyFailed.exit_code if first_bad else 0


def _grown(old: "Head", entries: int) -> dict[str, Any]:
    return {"size": old.size, "root": old.root.hex(), "added": entries - old.size}


def _compared(
    context: Context, since: Path | None, against: str | None, key: str | None
) -> _Compared:
    if since is None and against is None:
        return _Compared(None, (), {})
    from crmtrail.errors import VerifyFailed

    evidence = context.app.ledger.evidence
    keys = _keys(key)
    heads: list[Head] = []
    old: Head | None = None
    try:
        if since is not None:
            old = evidence.trusted(only_note(since), keys)
            heads.append(old)
        if against is not None:
            heads += _outside(context, evidence, against, keys)
    except VerifyFailed as error:
        return _Compared(old, tuple(heads), _bad(None, str(error)))
    for head in heads:
        if why := evidence.misfit(head):
            return _Compared(old, tuple(heads), _bad(head.size, why))
    return _Compared(old, tuple(heads), {})


def _bad(index: int | None, why: str) -> dict[str, Any]:
    return {"kind": "checkpoint", "index": index, "record": None, "why": why}


def _outside(
    context: Context, evidence: "Evidence", against: str, keys: "tuple[PublicKey, ...]"
) -> "Iterator[Head]":
    """Yield what the checkpoints of a file or of anchors say."""
    from crmtrail.errors import Mistake

    sinks = context.app.ledger.sinks(None if against == _ALL else against)
    if not sinks and against != _ALL:
        yield from _heads(evidence, Path(against), keys)
        return
    readable = [sink for sink in sinks if sink.readable]
    for sink in sinks if len(sinks) > 1 else ():
        if not sink.readable:
            context.say(f"{sink.name} cannot be read back: save its messages, and name the file")
    if against == _ALL and not readable:
        raise Mistake("the config names no anchors that can be read back")
    for sink in readable or sinks:
        yield from _held(evidence, sink, keys)


def _held(evidence: "Evidence", sink: "Sink", keys: "tuple[PublicKey, ...]") -> "Iterator[Head]":
    """Yield what the checkpoints say that an anchor holds.

    Raises:
        AnchorFailed: it cannot be read, or holds none.
        VerifyFailed: one was altered.
    """
    from crmtrail.errors import AnchorFailed, Mistake, VerifyFailed

    found = False
    for origin in _origins(evidence, keys):
        try:
            for note in sink.held(origin):
                yield evidence.trusted(note, keys)
                found = True
        except VerifyFailed as error:
            raise VerifyFailed(f"{sink.name}: {error}", hint=error.hint) from None
        except Mistake as error:
            raise AnchorFailed(f"{sink.name} holds something torn: {error}") from None
    if not found:
        raise AnchorFailed(
            f"{sink.name} holds no checkpoint of this ledger", hint="`crmtrail anchor` sends one"
        )


def _origins(evidence: "Evidence", keys: "tuple[PublicKey, ...]") -> list[str]:
    return sorted({key.name for key in keys} or {evidence.ring.origin})


def _heads(evidence: "Evidence", path: Path, keys: "tuple[PublicKey, ...]") -> "Iterator[Head]":
    """Yield what the checkpoints of this ledger in a file say; other logs may be in it, too."""
    from crmtrail.errors import Mistake
    from snapshot.anchors.saved import Torn, saved_notes

    origins = _origins(evidence, keys)
    torn = "take out what a crash tore"
    mine = 0
    try:
        notes = saved_notes(_text(path), origins)
    except Torn as error:
        raise Mistake(f"{path}, {error}", hint=torn) from None
    for line, note in notes:
        if note.split("\n", 1)[0] not in origins:
            continue
        try:
            yield evidence.trusted(note, keys)
        except Mistake as error:
            raise Mistake(f"{path}, line {line}: {error}", hint=torn) from None
        mine += 1
    if not mine:
        raise Mistake(f"{path} holds no checkpoint of {', '.join(origins)}")


def only_note(path: Path) -> str:
    """Return the one checkpoint of a file.

    Raises:
        Mistake: the file holds none, or several.
    """
    from crmtrail.errors import Mistake
    from snapshot.anchors.saved import only_saved

    notes = only_saved(_text(path))
    if len(notes) != 1:
        raise Mistake(
            f"{path} holds {len(notes)} checkpoints, not one",
            hint="compare with all of them by --against",
        )
    return notes[0]


def _text(path: Path) -> str:
    """Return a file's text; of one that `checkpoint --json` printed, the note in it."""
    import json

    from crmtrail.errors import Mistake

    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise Mistake(f"there is no file {path}") from None
    except OSError as error:
        raise Mistake(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Mistake(f"{path} is not text") from None
    if text.startswith("{"):
        try:
            return str(json.loads(text)["note"])
        except (ValueError, KeyError, TypeError):
            raise Mistake(f"{path} is no checkpoint") from None
    return text


def _keys(given: str | None) -> "tuple[PublicKey, ...]":
    """Read a public key, or a file that holds one a line."""
    from crmtrail.errors import Mistake
    from snapshot.notes import PublicKey

    if given is None:
        return ()
    try:
        if given.count("+") > 1:
            return (PublicKey.parse(given),)
        lines = _text(Path(given)).splitlines()
        return tuple(PublicKey.parse(line) for line in lines if line.strip())
    except ValueError as error:
        raise Mistake(
            f"{given[:80]}: {error}", hint="`crmtrail key` prints the public keys"
        ) from None
