"""The ledger to the outside: checkpoint, anchor, prove, key."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crmtrail.cli.context import Context, command, parse_record
from crmtrail.cli.proof import only_note

if TYPE_CHECKING:
    from rich.console import Console

    from snapshot.evidence import Sent

_FILE = click.Path(path_type=Path)


@command("checkpoint", short_help="Print the signed tree head.")
def checkpoint(context: Context) -> None:
    """Print the signed size and root of the ledger, to be kept somewhere else.

    What is printed is the file: crmtrail checkpoint > checkpoint.txt
    """
    evidence = context.app.ledger.evidence
    head, note = evidence.checkpoint()
    shape = {
        "origin": head.origin,
        "size": head.size,
        "root": head.root.hex(),
        "note": note,
        "key": str(evidence.ring.current.public),
    }
    context.answer(shape, lambda _: click.echo(note, nl=False))


@command("anchor", short_help="Send the signed tree head to the anchors.")
def anchor(context: Context) -> int:
    """Send the checkpoint to every anchor of the config. Each is tried, whatever the others do.

    Unlike after a sync, those are sent one too whose `every` has not passed yet.

    Exit 1 where one did not take it, and 5 where one holds a checkpoint that the ledger
    contradicts.
    """
    from crmtrail.cli.viewed import note_deed
    from crmtrail.errors import AnchorFailed, VerifyFailed

    named = [one.name for one in context.app.config.ledger.anchors]
    if named:
        note_deed(context, "anchor", sinks=named)
    done = context.app.ledger.anchor()
    tell_unanchored(context, done.sinks)

    def render(out: "Console") -> None:
        click.echo(done.note, nl=False)
        for one in done.sinks:
            if one.ok:
                context.say(f"anchored: {one.name}")
        del out

    context.answer({"note": done.note, "sinks": [sink_shape(one) for one in done.sinks]}, render)
    if any(one.altered for one in done.sinks):
        return VerifyFailed.exit_code
    return 0 if all(one.ok for one in done.sinks) else AnchorFailed.exit_code


def sink_shape(one: "Sent") -> dict[str, Any]:
    """Return whether an anchor took the checkpoint."""
    return {"name": one.name, "ok": one.ok, "why": one.why, "altered": one.altered}


def tell_unanchored(context: Context, sent: "tuple[Sent, ...]") -> None:
    """Tell which anchors did not take the checkpoint, and why."""
    for one in sent:
        if one.altered:
            context.say(f"ALTERED: {one.name}: {one.why}")
            context.say("hint: crmtrail verify; or was the store put back from an older copy?")
        elif not one.ok:
            context.say(f"warning: not anchored at {one.name}: {one.why}")


@command("prove", short_help="A proof file for one version.")
@click.argument("record", required=False)
@click.option("--version", "number", type=click.IntRange(min=1), help="Default: the newest.")
@click.option("--against", type=_FILE, help="Prove it to this checkpoint instead of a new one.")
@click.option("--since", type=_FILE, help="Without RECORD: that the ledger only grew since then.")
def prove(
    context: Context,
    record: str | None,
    number: int | None,
    against: Path | None,
    since: Path | None,
) -> None:
    """Print the proof that a version of RECORD (source:object:id) is in the ledger.

    What is printed is the file, a C2SP tlog-proof that needs neither crmtrail nor its store to be
    checked: crmtrail prove sf:Contact:003... > contact.tlog-proof. With --since and no RECORD, the
    proof that the ledger only grew since a checkpoint.
    """
    from crmtrail.cli.viewed import note_deed
    from crmtrail.errors import Mistake

    if (record is None) == (since is None):
        raise Mistake("name a RECORD, or --since a checkpoint: one of them")
    evidence = context.app.ledger.evidence
    if since is not None:
        growth = evidence.growth(only_note(since))
        note_deed(context, "proof", since=growth.size)
        grown = {"proof": str(growth), "old": growth.size, "note": growth.note}
        context.answer(grown, lambda _: click.echo(str(growth), nl=False))
        return
    note = None if against is None else only_note(against)
    proof = evidence.prove(parse_record(record or ""), number, note)
    note_deed(context, "proof", record=record, entry=proof.index)
    shape = {
        "proof": str(proof),
        "index": proof.index,
        "entry": proof.entry.decode(),
        "note": proof.note,
    }
    context.answer(shape, lambda _: click.echo(str(proof), nl=False))


@command("key", short_help="The public keys of the ledger; care of the secret keys.")
@click.option("--rotate", is_flag=True, help="Put a new key in use; the old one is kept as public.")
@click.option("--rotate-kek", is_flag=True, help="Wrap all data keys under a new key, or go on.")
@click.option("--backup", "to", metavar="TO", type=_FILE, help="Copy the key store to this file.")
@click.option("--restore", "source", metavar="FROM", type=_FILE, help="Put such a copy back.")
def key(
    context: Context, *, rotate: bool, rotate_kek: bool, to: Path | None, source: Path | None
) -> None:
    """Print the public keys that checkpoints are checked with, the one in use first.

    Give them to your auditors by a way that this machine's administrator cannot alter. After
    --rotate the checkpoint printed on standard error is signed by both keys.

    The other options are for the keys that personal data is sealed with, of which nothing is
    printed: docs/keys.md.
    """
    from crmtrail.cli import keys
    from crmtrail.errors import Mistake

    if sum((rotate, rotate_kek, to is not None, source is not None)) > 1:
        raise Mistake("--rotate, --rotate-kek, --backup and --restore: one at a time")
    if rotate_kek:
        keys.rotate(context)
    elif to is not None:
        keys.backup(context, to)
    elif source is not None:
        keys.restore(context, source)
    else:
        _signing_keys(context, rotate=rotate)


def _signing_keys(context: Context, *, rotate: bool) -> None:
    ledger = context.app.ledger
    handover: str | None = None
    if rotate:
        done = ledger.rotate()
        handover = done.note
        tell_unanchored(context, done.sinks)
        context.say(f"A new key is in use. Hand this checkpoint to your auditors:\n\n{handover}")
    ring = ledger.evidence.ring
    shape = {
        "origin": ring.origin,
        "current": str(ring.current.public),
        "retired": [str(one) for one in ring.retired],
        "file": str(ledger.key_file),
        "handover": handover,
    }
    context.answer(shape, lambda _: click.echo("\n".join(map(str, ring.keys))))
