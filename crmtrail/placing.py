"""Where the paths of a configuration begin: at the folder of its file."""

from pathlib import Path
from typing import TYPE_CHECKING

from crmtrail.written import SQLITE

if TYPE_CHECKING:
    from crmtrail.config import Config


def placed(config: "Config", folder: Path) -> "Config":
    """Return a configuration whose relative paths start at a folder.

    Of a store on a server the signing key and the key store lie there too, unless the config names
    other places.
    """
    ledger, store, keys = config.ledger, config.store, config.keys
    key = None if ledger.key_file is None else folder / ledger.key_file
    if store.url.startswith(SQLITE):
        file = folder / store.url.removeprefix(SQLITE)
        store = store.model_copy(update={"url": f"{SQLITE}{file}"})
    else:
        key = key or folder / "crmtrail.key"
        keys = keys.model_copy(update={"url": keys.url or f"{SQLITE}crmtrail-keys.db"})
    sources = {
        name: one.model_copy(
            update={
                "auth": one.auth.placed(folder),
                "restore_auth": one.restore_auth and one.restore_auth.placed(folder),
            }
        )
        for name, one in config.sources.items()
    }
    anchors = tuple(one.placed(folder) for one in ledger.anchors)
    parts = {
        "store": store,
        "sources": sources,
        "ledger": ledger.model_copy(update={"key_file": key, "anchors": anchors}),
        "keys": keys.placed(folder),
    }
    return config.model_copy(update=parts)
