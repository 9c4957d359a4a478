"""Migrations, run by alembic on a connection and in a transaction of ours."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

MIGRATIONS: Final = Path(__file__).parent / "migrations"


def known_revisions() -> frozenset[str]:
    """Return the migrations that this version of crmtrail knows."""
    script = ScriptDirectory(str(MIGRATIONS))
    return frozenset(revision.revision for revision in script.walk_revisions())


def newest_revision() -> str | None:
    """Return the migration that a store is brought to."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


def upgrade(connection: Connection, to: str = "head") -> None:
    """Run the migrations that a database lacks, up to one of them."""
    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    settings.attributes["connection"] = connection
    command.upgrade(settings, to)
