"""The CRM of the story behind the port `Connector`. It notes every page that it is asked for.

To ask for a page is to say that the page before is stored: that is the promise a judge holds the
store to. Notes go to the file that FAULTS_ASKED names, past any buffer. Where FAULTS_PAUSE names a
page, whoever asks for it says so and waits: that is how a test meets a sync at a chosen moment.
"""

import os
from collections.abc import Mapping, Sequence
from datetime import datetime

from crmtrail.config import AuthConfig, SourceConfig
from crmtrail.model import (
    Answer,
    Identity,
    Mode,
    Page,
    Reading,
    Removal,
    Schema,
    Usage,
    Write,
)
from crmtrail.ports import Clock
from support.faults.story import DAY_S, OBJECTS, cursor_of, schema, story
from support.readings import at, page

ASKED = "FAULTS_ASKED"
PAUSE = "FAULTS_PAUSE"
"""Object, cursor, and the descriptors to tell by and to wait at, with blanks between."""


class Scripted:
    """One account whose records are those of the story."""

    read_batch = 50
    write_batch = 100
    bulk_batch = 100
    undeletes = False

    def __init__(self, source: str, asked: int) -> None:
        self.source = source
        self._asked = asked
        self._calls = 0

    @property
    def calls(self) -> int:
        return self._calls

    def identity(self) -> Identity:
        return Identity("org-1", "us", "crmtrail")

    def objects(self, group: str = "") -> Sequence[str]:
        assert not group
        return OBJECTS

    def named(self, object_: str) -> str:
        return object_

    def missing(self, objects: Sequence[str]) -> Mapping[str, Sequence[str]]:
        return dict.fromkeys(objects, ())

    def schema(self, object_: str) -> Schema:
        self._calls += 1
        return schema(object_)

    def start(self, object_: str, position: str | None, mode: Mode) -> str:
        assert mode is Mode.INCREMENTAL
        return position or cursor_of(1, 1)

    def page(self, object_: str, cursor: str) -> Page:
        self._calls += 1
        os.write(self._asked, f"{object_} {cursor}\n".encode())
        _pause(object_, cursor)
        told = story(object_).pages.get(cursor)
        if told is not None:
            return told
        quiet = at(100 * DAY_S)
        return page(cursor=cursor, object_=object_, watermark=quiet, complete_to=quiet)

    def read(
        self, object_: str, ids: Sequence[str], *, trail: bool = False
    ) -> Mapping[str, Reading | Removal]:
        raise AssertionError("a sync of this story reads no single record")

    def price(self, records: int) -> tuple[int, int]:
        return records, records

    def write(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        raise AssertionError("a sync writes nothing")

    undelete = recreate = remove = write

    def recreated(
        self, object_: str, writes: Sequence[Write], since: datetime
    ) -> Mapping[str, str | None]:
        raise AssertionError("a sync makes nothing anew")

    def usage(self) -> Usage:
        return Usage()

    def close(self) -> None:
        os.close(self._asked)


def connect(source: str, settings: SourceConfig, auth: AuthConfig, clock: Clock) -> Scripted:
    """Return the connector, as the entry point of a vendor's does."""
    del settings, auth, clock
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    return Scripted(source, os.open(os.environ[ASKED], flags, 0o600))


def _pause(object_: str, cursor: str) -> None:
    told = os.environ.get(PAUSE, "").split(" ")
    if told[:2] == [object_, cursor]:
        del os.environ[PAUSE]
        os.write(int(told[2]), b"p")
        os.read(int(told[3]), 1)
