"""Stores of every kind, sealed and clear, full of odd data."""

from contextlib import contextmanager

from crmtrail.model import NULL
from snapshot.keys.memory import MemoryKeyring
from snapshot.keys.policy import Person, SealMode, Subjects
from snapshot.vault import Vault
from support.odd_data import ACTORS, FIELDS, HUGE, IDS, VALUES, wide
from support.readings import OBJECT, SOURCE, at, reading
from support.store_rig import RIGS, Watching

OTHER = '"between"'
FIRST, OTHERS, AGAIN, BLANK, LAST = range(0, 500, 100)
"""When each value was written, in seconds."""

NAMES = {name: f"003{no:04}" for no, name in enumerate(VALUES)}
"""The record of each odd value."""

STAMPS = {"SystemModstamp": r'"a\u0000\ud800"', "Odd": "1e400"}
MANY, NAMELESS, BARE, LONG, PEOPLE = "wide", "names", "bare", "huge", "people"
PERSONS = Subjects(SealMode.ALL, further={(SOURCE, OBJECT.casefold()): Person()})
KINDS = ("memory", "sqlite", "postgres", "sqlite-sealed", "postgres-sealed")


@contextmanager
def rig_of(kind, folder):
    name, _, sealed = kind.partition("-")
    with RIGS[name](folder) as rig:
        if sealed:
            rig.store.shelf.vault = Vault(MemoryKeyring(), PERSONS)
        yield rig


def told(rig, when, odd, names):
    """Keep a page in which every record of an odd value has a token for it."""
    everything = [
        reading(
            NAMES[name],
            modified=when,
            stamps=STAMPS,
            tokens={"Name": OTHER, "Odd": VALUES[name] if odd is None else odd},
        )
        for name in VALUES
    ]
    everything.append(
        reading(NAMELESS, modified=when, tokens=dict.fromkeys(FIELDS, names), stamps=STAMPS)
    )
    rig.keep(*everything, notice=Watching(f"op-{when}"), complete_to=at(when))


def fill(rig):
    """Keep every odd thing there is."""
    told(rig, FIRST, None, "1")
    told(rig, OTHERS, OTHER, "1.10")
    told(rig, AGAIN, None, r'"\u0000"')
    told(rig, BLANK, NULL, NULL)
    told(rig, LAST, None, r'"\ud800"')
    rig.keep(
        *(reading(id_, tokens={"Odd": f'"{no}"'}) for no, id_ in enumerate(IDS)),
        reading(MANY, tokens=wide()),
        reading(BARE, tokens={}, stamps={}),
        reading(LONG, tokens={"Odd": HUGE}),
    )
    rig.keep(
        reading(MANY, tokens=wide() | {"Wide_1999__c": "-0"}, modified=10),
        reading(LONG, tokens={"Odd": NULL}, modified=10),
    )
    for no, actor in enumerate(ACTORS):
        rig.keep(reading(PEOPLE, {"Odd": no}, modified=no, actor=actor))
