"""Who looked at personal data is sealed in the ledger, before it is shown.

An entry holds who, which command, and the records or the question; no value, and nothing typed
that may name a person. It waits for the store's turn like any other writer: as long as
`snapshot.database.BUSY_MS`. A store that cannot be written can still be looked at; a note on
standard error then says that the view was not logged.
"""

import getpass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from crmtrail.cli.context import Context
    from crmtrail.ports import Query

VIEW = "view"
"""The kind of the entry."""


def note_view(
    context: "Context", command: str, objects: "Iterable[tuple[str, str]]", **told: Any
) -> None:
    """Seal that the user is shown something, where it may be of persons.

    Args:
        context: of the command.
        command: its name.
        objects: source and object of what is shown.
        told: what else the entry says; None is left out.
    """
    if may_hold_persons(context, objects):
        note_deed(context, VIEW, command=command, **told)


def note_deed(context: "Context", kind: str, **told: Any) -> None:
    """Seal what the user has done, or say on standard error why it cannot be.

    Args:
        context: of the command.
        kind: of the entry.
        told: what else the entry says; None is left out.
    """
    from crmtrail.errors import Locked, StopAll
    from snapshot.place import is_writable

    app = context.app
    entry = {"by": app.user, **_login(app.user)}
    entry |= {name: one for name, one in told.items() if one is not None}
    if not is_writable(app.store_place):
        _unlogged(kind, "the store can only be read")
        return
    try:
        app.store.seal(kind, entry, app.clock.now())
    except (Locked, StopAll) as error:
        _unlogged(kind, str(error))


def _unlogged(kind: str, why: str) -> None:
    import click

    click.echo(f"note: this {kind} was not logged: {why}", err=True)  # --quiet does not hide it


def _login(user: str) -> dict[str, str]:
    """Return the login name of the operating system where it is another than the config's user."""
    try:
        login = getpass.getuser()
    except (KeyError, OSError):  # a container without an entry for its user
        return {}
    return {} if login == user else {"login": login}


def may_hold_persons(context: "Context", objects: "Iterable[tuple[str, str]]") -> bool:
    """Return whether any of some objects holds persons, or is sealed, as the config says."""
    from snapshot.keys.policy import SealMode, Subjects

    config = context.app.config
    kinds = {name: one.kind for name, one in config.sources.items()}
    subjects = Subjects.of(config.keys.seal, config.privacy, kinds)
    return any(
        subjects.mode is SealMode.ALL or subjects.may_hold_persons(source, object_)
        for source, object_ in set(objects)
    )


def question(query: "Query") -> "Mapping[str, Any]":
    """Return what of a question is kept: no name of an actor, and nothing that has an address."""
    from crmtrail.model import stamp

    given = {
        "source": query.source,
        "object": query.object,
        "record": None if query.record is None else str(query.record),
        "field": query.field,
        "via": query.via,
        "op": query.op,
        "operation": query.operation,
        "since": query.since,
        "until": query.until,
        "known_since": query.known_since,
        "known_until": query.known_until,
        "blanked": query.blanked or None,
    }
    told: dict[str, Any] = {}
    hidden = [] if query.actor is None else ["actor"]
    for name, one in given.items():
        if isinstance(one, str) and "@" in one:
            hidden.append(name)
        elif one is not None:
            told[name] = one if isinstance(one, str | bool) else stamp(one)
    return told | {"hidden": hidden} if hidden else told


def moments(at: "datetime | None", known: "datetime | None") -> "Mapping[str, str] | None":
    """Return which times were asked for, as an entry says it; None where it was now."""
    from crmtrail.model import stamp

    given = {"at": at, "known": known}
    return {name: stamp(one) for name, one in given.items() if one is not None} or None
