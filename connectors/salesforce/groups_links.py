"""Links of files to records, where the org gives them out only file by file.

ContentDocumentLink has to be asked for by its ContentDocumentId unless the identity may Query All
Files. So the files are walked by id, and the links of each batch are read: all of them on a first
load, FULL and RECONCILE; those of files that moved since, in between.
"""

from datetime import datetime, timedelta

import msgspec

from connectors.salesforce import soql
from connectors.salesforce.client import Client, vendor_time
from connectors.salesforce.people import People
from connectors.salesforce.readings import Row, Scribe, id_of, is_deleted
from connectors.salesforce.schema import Known
from crmtrail.model import Gap, Mode, Page

LINKS = "ContentDocumentLink"
_FILES = "ContentDocument"
_PARTIAL = (
    "only links of files that this identity sees are read, and new links of old files only on "
    "--reconcile: it takes the permissions View All Data and Query All Files"
)


class LinkCursor(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Where the walk stands.

    Attributes:
        links: ``walk`` or ``rest``; its name tells this cursor from that of other objects.
        mark: everything before it is read; None before the first walk is through.
        full: whether this walk takes every file.
        began: the vendor's clock before this walk's first request.
        file: the last file whose links are read.
    """

    links: str
    mark: datetime | None = None
    full: bool = True
    began: datetime | None = None
    file: str = ""


def read(text: str | None) -> LinkCursor | None:
    """Read a cursor; None where it is none of a walk."""
    try:
        return msgspec.json.decode(text or "", type=LinkCursor)
    except msgspec.MsgspecError:
        return None


def start(kept: LinkCursor | None, mode: Mode) -> str:
    """Return the cursor of a walk's first page; one that broke off goes on."""
    mark = kept.mark if kept else None
    fresh = LinkCursor("walk", mark, full=mark is None or mode is not Mode.INCREMENTAL)
    broke_off = kept is not None and kept.links == "walk" and mode is not Mode.FULL
    return _text(kept if kept and broke_off and kept.full >= fresh.full else fresh)


class Links:
    """Reads one batch of files at a time."""

    def __init__(self, client: Client, people: People, overlap: timedelta) -> None:
        self._client = client
        self._people = people
        self._overlap = overlap

    def page(self, known: Known, at: LinkCursor) -> Page:
        """Return the links of the next files, and the cursor after them."""
        size = soql.room_for_ids(self._client.base_url, _links(known, (), "0" * 18))
        files = self._files(at, size)
        began = at.began or self._client.asked_at
        rows = self._rows(known, files) if files else []
        scribe = Scribe(self._client.source, known, self._people, self._client.told_at)
        live = scribe.readings([row for row in rows if not is_deleted(row)])
        gone = scribe.removals(rows)
        if len(files) == size:
            following = msgspec.structs.replace(at, began=began, file=files[-1])
            return Page(LINKS, _text(following), done=False, readings=live, removals=gone)
        return Page(
            LINKS,
            _text(LinkCursor("rest", mark=began)),
            done=True,
            readings=live,
            removals=gone,
            gaps=[Gap(LINKS, None, None, _PARTIAL)],
            complete_to=began if at.full else None,
            watermark=began,
            swept=began if at.full else None,
        )

    def _files(self, at: LinkCursor, size: int) -> list[str]:
        conditions = [f"Id > '{at.file}'"] if at.file else []
        if not at.full and at.mark:
            conditions.append(f"SystemModstamp >= {vendor_time(at.mark - self._overlap)}")
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        query = f"SELECT Id FROM {_FILES}{where} ORDER BY Id LIMIT {size}"  # noqa: S608 -- not SQL
        return [id_of(row) for row in self._client.query(query, deleted=False).records]

    def _rows(self, known: Known, files: list[str]) -> list[Row]:
        found: list[Row] = []
        while True:
            after = id_of(found[-1]) if found else ""
            answer = self._client.query(_links(known, files, after), deleted=known.keeps_bin)
            found += answer.records
            if not answer.records or (answer.last and len(answer.records) < soql.PAGE):
                return found


def _links(known: Known, files: tuple[str, ...] | list[str], after: str) -> str:
    listed = ",".join(f"'{one}'" for one in files)
    onward = f" AND Id > '{after}'" if after else ""
    names = ",".join(soql.select(known.wide))
    return (
        f"SELECT {names} FROM {LINKS} WHERE ContentDocumentId IN ({listed}){onward}"  # noqa: S608 -- not SQL
        f" ORDER BY Id LIMIT {soql.PAGE}"
    )


def _text(cursor: LinkCursor) -> str:
    return msgspec.json.encode(cursor).decode()
