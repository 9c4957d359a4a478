"""django-simple-history with its bulk functions, the fastest way its documentation knows.

(The file is not called after the package, which it would hide.)
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import django
from contender import sliced
from django.conf import settings
from lite import written_size
from shape import BOOKKEEPING, FIELDS, FLAGS, NUMBERS, column
from world import EVERY, LOADED

COLUMNS: Final = {name: column(name) for name in FIELDS}
_CONTENT: Final = tuple(name for name in FIELDS if name not in BOOKKEEPING)
_STAMPS: Final = tuple(BOOKKEEPING)
_BATCH: Final = 100
"""Records a statement; larger ones are slower here, for the CASE of an update grows with them."""

_PRAGMAS: Final = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-65536"


class Store:
    """One model with ``HistoricalRecords``."""

    exact = False
    tells = True

    def __init__(self, folder: Path) -> None:
        self._path = folder / "django.db"
        self._model = _model(self._path)

    def load(self, pages: Iterable[bytes]) -> None:
        """Store every record in bulk."""
        from simple_history.utils import bulk_create_with_history  # noqa: PLC0415 -- after setup

        for records in sliced(pages):
            made = [self._model(**{COLUMNS[n]: v for n, v in r.items()}) for r in records]
            bulk_create_with_history(made, self._model, batch_size=_BATCH, default_date=LOADED)

    def recheck(self, pages: Iterable[bytes]) -> None:
        """Compare every record."""
        self._keep(0, pages)

    def sync(self, number: int, pages: Iterable[bytes]) -> None:
        """Update what changed in bulk."""
        self._keep(number, pages)

    def _keep(self, sync: int, pages: Iterable[bytes]) -> None:
        from simple_history.utils import bulk_update_with_history  # noqa: PLC0415 -- after setup

        for records in sliced(pages):
            stored = self._model.objects.in_bulk([record["Id"] for record in records])
            changed, fields = [], {column(name) for name in _STAMPS}
            for record in records:
                current = stored[record["Id"]]
                differing = [n for n in _CONTENT if getattr(current, COLUMNS[n]) != record[n]]
                if not differing:
                    continue
                for name in (*differing, *_STAMPS):
                    setattr(current, COLUMNS[name], record[name])
                fields.update(COLUMNS[name] for name in differing)
                changed.append(current)
            if changed:
                bulk_update_with_history(
                    changed,
                    self._model,
                    sorted(fields),
                    batch_size=_BATCH,
                    default_date=LOADED + sync * EVERY,
                )

    def size(self) -> int:
        """Return the file's bytes."""
        return written_size(self._path)

    def count(self) -> tuple[int, int]:
        """Return how many records and versions there are."""
        return self._model.objects.count(), self._model.history.count()

    def asof(self, id_: str, sync: int) -> Mapping[str, Any]:
        """Select the newest version up to a time."""
        moment = LOADED + sync * EVERY
        found = self._model.history.filter(Id=id_, history_date__lte=moment).latest()
        return {name: getattr(found, attribute) for name, attribute in COLUMNS.items()}

    def close(self) -> None:
        """Close the file."""
        from django.db import connections  # noqa: PLC0415 -- after setup

        connections.close_all()


def _model(path: Path) -> Any:
    """Configure Django over a file and return the model, its tables made."""
    settings.configure(
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "simple_history"],
        USE_TZ=True,
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": str(path),
                "OPTIONS": {"init_command": _PRAGMAS, "transaction_mode": "IMMEDIATE"},
            }
        },
    )
    django.setup()
    from django.db import connection, models  # noqa: PLC0415 -- only after setup
    from simple_history.models import HistoricalRecords  # noqa: PLC0415 -- as above

    def made(name: str) -> Any:
        if name == "Id":
            return models.CharField(max_length=18, primary_key=True)
        if name in NUMBERS:
            return models.FloatField(null=True)
        if name in FLAGS:
            return models.BooleanField(null=True)
        return models.TextField(null=True)

    fields = {COLUMNS[name]: made(name) for name in FIELDS}
    members = {"__module__": __name__, "Meta": type("Meta", (), {"app_label": "simple_history"})}
    model: Any = type(
        "Opportunity",
        (models.Model,),
        {**members, **fields, "history": HistoricalRecords(user_db_constraint=False)},
    )
    if not path.exists():
        with connection.schema_editor() as editor:
            editor.create_model(model)
            editor.create_model(model.history.model)
    return model
