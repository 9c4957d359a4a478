"""Set up and check: init, doctor."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crmtrail.cli.context import Context, command, table

if TYPE_CHECKING:
    from rich.console import Console

    from crmtrail.source_checks import SourceCheck


@command("init", short_help="Write a config and test it.")
@click.option(
    "--source",
    "sources",
    multiple=True,
    metavar="NAME=KIND[@URL]",
    help="For example sf=salesforce@https://acme.my.salesforce.com or hs=hubspot.",
)
@click.option(
    "--auth",
    "auths",
    multiple=True,
    metavar="NAME=METHOD[,KEY=VALUE]...",
    help="How a source logs in: jwt (best for Salesforce), client_credentials, refresh_token or "
    "token. For example sf=jwt,username=observer@acme.example,key_file=sf.key. What is not told "
    "is taken from variables such as SF_CLIENT_ID; secrets always are.",
)
@click.option(
    "--restore-auth",
    "restore_auths",
    multiple=True,
    metavar="NAME=METHOD[,KEY=VALUE]...",
    help="The same for a second identity that may write, used by restores alone.",
)
@click.option("--force", is_flag=True, help="Overwrite an existing config.")
def init(
    context: Context,
    sources: tuple[str, ...],
    auths: tuple[str, ...],
    restore_auths: tuple[str, ...],
    *,
    force: bool,
) -> int:
    """Write a configuration, try its connections, and list what the tokens may not see."""
    from crmtrail.cli.asking import asked
    from crmtrail.cli.drafting import config_text, drafted
    from crmtrail.errors import Mistake
    from crmtrail.source_checks import check_sources

    path = context.config_path
    if path.exists() and not force:
        raise Mistake(f"{path} exists already", hint="edit it, or overwrite it with --force")
    if not sources and not auths and not restore_auths and context.interactive:
        drafts = asked()
    else:
        drafts = drafted(sources, auths, restore_auths, os.environ)
    _write(path, config_text(drafts))
    variables = dict.fromkeys(name for one in drafts for name in one.variables)
    told = f" Taken from the environment: {', '.join(variables)}." if variables else ""
    context.say(f"Wrote {path}.{told}")
    for note in (note for one in drafts for note in one.notes):
        context.say(note)
    checks = check_sources(path, os.environ)
    _tell(context, path, checks)
    return _code(checks)


def _tell(context: Context, path: Path, checks: "Sequence[SourceCheck]") -> None:
    """Print what became of the connections."""

    def render(out: "Console") -> None:
        rows = [(one.name, one.kind, "ok" if one.ok else "not yet", one.detail) for one in checks]
        out.print(table("", ("source", "kind", "connection", ""), rows))
        for one in checks:
            for missing in (*one.missing, *one.hidden, *([one.hint] if one.hint else [])):
                out.print(f"{one.name}: {missing}", markup=False)
        out.print(
            "Next: crmtrail sync" if all(one.ok for one in checks) else "Next: crmtrail doctor"
        )

    shape = {
        "config": str(path),
        "sources": [
            {
                "name": one.name,
                "kind": one.kind,
                "ok": one.ok,
                "detail": one.detail,
                "missing": [*one.missing, *one.hidden],
                "hint": one.hint,
            }
            for one in checks
        ],
    }
    context.answer(shape, render)


def _write(path: Path, text: str) -> None:
    """Put a config in its place, whole and checked, or leave everything as it is.

    Raises:
        Mistake: the text is no config, or the file cannot be written.
    """
    from tempfile import mkstemp

    from crmtrail.config import parse
    from crmtrail.errors import Mistake

    parse(text, os.environ)
    draft: Path | None = None
    try:
        # mkstemp makes a file that only its owner reads.
        descriptor, name = mkstemp(dir=path.parent, prefix=f".{path.name}.")
        draft = Path(name)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        draft.replace(path)
    except OSError as error:
        if draft is not None:
            draft.unlink(missing_ok=True)
        raise Mistake(
            f"{path} cannot be written: {error.strerror}",
            hint="check the folder and its permissions, or name another file with --config",
        ) from None


def _code(checks: "Sequence[SourceCheck]") -> int:
    return next((one.exit_code for one in checks if not one.ok), 0)


@command("doctor", short_help="Check config, store, credentials, clock, permissions.")
def doctor(context: Context) -> int:
    """Check everything that crmtrail needs, and say how to mend what is wrong."""
    from crmtrail.doctor import examine

    checks = examine(context.config_path, os.environ)

    def render(out: "Console") -> None:
        for one in checks:
            out.print(f"{'ok ' if one.ok else 'BAD'} {one.name}: {one.detail}", markup=False)
            if one.hint:
                out.print(f"    {one.hint}", markup=False)

    shape: dict[str, Any] = {
        "checks": [
            {"name": one.name, "ok": one.ok, "detail": one.detail, "hint": one.hint}
            for one in checks
        ]
    }
    context.answer(shape, render)
    return next((one.exit_code for one in checks if not one.ok), 0)
