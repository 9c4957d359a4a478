"""Set up and check: init, doctor."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crmtrail.cli.context import Context, command, table

if TYPE_CHECKING:
    from rich.console import Console

    from crmtrail.doctor import SourceCheck

_SOURCE = re.compile(r"(?P<name>[a-z][a-z0-9_-]*)=(?P<kind>salesforce|hubspot)(?:@(?P<url>\S+))?")
_URLS = {"hubspot": "https://api.hubapi.com", "salesforce": ""}
_OBJECTS = {
    "salesforce": "[Account, Contact, Opportunity]",
    "hubspot": "[contacts, companies, deals]",
}


@command("init", short_help="Write a config and test it.")
@click.option(
    "--source",
    "sources",
    multiple=True,
    metavar="NAME=KIND[@URL]",
    help="For example sf=salesforce@https://acme.my.salesforce.com or hs=hubspot.",
)
@click.option("--force", is_flag=True, help="Overwrite an existing config.")
def init(context: Context, sources: tuple[str, ...], *, force: bool) -> int:
    """Write a configuration, try its connections, and list what the tokens may not see."""
    from crmtrail.doctor import check_sources
    from crmtrail.errors import Mistake

    path = context.config_path
    if path.exists() and not force:
        raise Mistake(f"{path} exists already", hint="edit it, or overwrite it with --force")
    wanted = [_parsed(text) for text in sources] or _asked(context)
    names = [name for name, _, _ in wanted]
    if len(set(names)) < len(names):
        raise Mistake("two sources have the same name", hint="give each a NAME of its own")
    _write(path, _text(wanted))
    context.say(f"Wrote {path}. Tokens stay in the environment: " + ", ".join(
        _variable(name) for name, _, _ in wanted))  # fmt: skip
    checks = check_sources(path, os.environ)

    def render(out: "Console") -> None:
        rows = [(one.name, one.kind, "ok" if one.ok else "not yet", one.detail) for one in checks]
        out.print(table("", ("source", "kind", "connection", ""), rows))
        for one in checks:
            for missing in (*one.missing, *one.hidden):
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
            }
            for one in checks
        ],
    }
    context.answer(shape, render)
    return _code(checks)


def _parsed(text: str) -> tuple[str, str, str]:
    from crmtrail.errors import Mistake

    match = _SOURCE.fullmatch(text)
    if match is None:
        # Not repeated: a URL may hold a password.
        raise Mistake(
            f"{text.partition('@')[0]!r} is no source",
            hint=f"write NAME=KIND or NAME=KIND@URL; kinds are {' and '.join(_URLS)}, "
            "and a NAME is lower case",
        )
    url = match["url"] or _URLS[match["kind"]]
    if not url:
        raise Mistake(
            f"{match['name']} needs its My Domain",
            hint=f"--source {match['name']}=salesforce@https://acme.my.salesforce.com",
        )
    return match["name"], match["kind"], url


def _asked(context: Context) -> list[tuple[str, str, str]]:
    from crmtrail.errors import Mistake

    if not context.interactive:
        raise Mistake(
            "init needs to know your CRMs",
            hint="--source sf=salesforce@https://acme.my.salesforce.com --source hs=hubspot",
        )
    wanted = []
    if click.confirm("Do you use Salesforce?", default=True):
        url = click.prompt("Its My Domain", default="https://acme.my.salesforce.com")
        wanted.append(("sf", "salesforce", url))
    if click.confirm("Do you use HubSpot?", default=True):
        wanted.append(("hs", "hubspot", _URLS["hubspot"]))
    if not wanted:
        raise Mistake("there is nothing to sync without a CRM")
    return wanted


def _variable(name: str) -> str:
    return name.upper().replace("-", "_") + "_TOKEN"


def _text(wanted: Sequence[tuple[str, str, str]]) -> str:
    lines = [
        "# Written by crmtrail init. Every key is explained in config.example.yaml.",
        "store:",
        "  # Taken from the folder of this file.",
        "  url: sqlite:///crmtrail.db",
        "sources:",
    ]
    for name, kind, url in wanted:
        restorer = _variable(name).replace("_TOKEN", "_RESTORE_TOKEN")
        lines += [
            f"  {name}:",
            f"    kind: {kind}",
            f"    base_url: {url}",
            f"    auth: {{method: token, token: ${{{_variable(name)}}}}}",
            "    # A second identity that may write, used by restores alone;",
            "    # `auth` can then be one that may only read.",
            f"    # restore_auth: {{method: token, token: ${{{restorer}}}}}",
            f"    objects: {_OBJECTS[kind]}",
        ]
    return "\n".join(lines) + "\n"


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
