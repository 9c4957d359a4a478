"""The keys of a store that seals its values, as a configuration would make them."""

from pathlib import Path
from typing import Final

from shape import OBJECT
from slicing import SOURCE

from crmtrail.keys_config import KeysConfig
from crmtrail.ports import Clock
from snapshot.keys.opening import open_keys
from snapshot.keys.policy import Person, SealMode, Subjects
from snapshot.vault import Vault

_ADDRESS: Final = "Billing_Email__c"
"""The field by whose addresses persons are found, where the records are taken for persons'."""


def vault(clock: Clock, seal: str, folder: Path) -> Vault:
    """Return the keys, in a file of their own, and what they are for.

    ``personal`` takes every record for a person's, with one address to be found by; ``all`` seals
    every record under the one key of the object.
    """
    place = KeysConfig(url=f"sqlite:///{folder / 'crmtrail-keys.db'}")
    keys = open_keys(place, f"sqlite:///{folder / 'crmtrail.db'}", {}, clock, create=True)
    mode = SealMode(seal)
    persons = {(SOURCE, OBJECT.casefold()): Person((_ADDRESS,))}
    return Vault(keys, Subjects(mode, further=persons if mode is SealMode.PERSONAL else {}))
