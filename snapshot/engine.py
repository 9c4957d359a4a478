"""Open a store: make it, or bring it up to this version, or say why that cannot be."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect

from crmtrail.errors import NoStore
from crmtrail.ports import Clock
from snapshot.database import connect, explained, reading, sqlite_path, writing
from snapshot.store import SqlStore

MIGRATIONS: Final = Path(__file__).parent / "migrations"


def open_store(url: str, clock: Clock, *, create: bool = True) -> SqlStore:
    """Open the store at a URL, made or upgraded where needed.

    Args:
        url: ``sqlite:///`` and a path.
        clock: where the time comes from.
        create: whether to make a store where there is none.

    Raises:
        Mistake: the URL is none of ours.
        NoStore: there is no store, it was written by a newer crmtrail, or the file is something
            else.
    """
    path = sqlite_path(url)
    if not path.exists():
        if not create:
            raise NoStore(
                f"there is no store at {path}", hint="run crmtrail init, or check store.url"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
    engine = connect(path)
    try:
        with explained(path):
            upgrade(engine, path)
    except BaseException:
        engine.dispose()
        raise
    return SqlStore(engine, clock)


def upgrade(engine: Engine, path: Path) -> None:
    """Run the migrations that a store lacks, in one transaction.

    Raises:
        NoStore: a newer crmtrail wrote the store, or the file holds something else.
    """
    script = ScriptDirectory(str(MIGRATIONS))
    with reading(engine) as connection:
        if _is_current(connection, script, path):
            return
    with writing(engine) as connection:
        if not _is_current(connection, script, path):  # somebody else may have been faster
            settings = Config()
            settings.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
            settings.attributes["connection"] = connection
            command.upgrade(settings, "head")


def _is_current(connection: Connection, script: ScriptDirectory, path: Path) -> bool:
    found = MigrationContext.configure(connection).get_current_revision()
    if found is None:
        if inspect(connection).get_table_names():
            raise NoStore(f"{path} is a database, but no crmtrail store", hint="check store.url")
        return False
    if found not in {revision.revision for revision in script.walk_revisions()}:
        raise NoStore(
            f"the store was written by a newer crmtrail (its tables are at {found})",
            hint="upgrade crmtrail, or open another store",
        )
    return found == script.get_current_head()
