"""What the org does by itself when a file is uploaded: document, number, checksum, link."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from crmtrail.sandbox.salesforce import moments
from crmtrail.sandbox.salesforce.records import By, Records
from crmtrail.sandbox.salesforce.schema import SObject

_VERSION, _DOCUMENT, _LINK = "ContentVersion", "ContentDocument", "ContentDocumentLink"
_TYPES = {"pdf": "PDF", "txt": "TEXT", "png": "PNG", "csv": "CSV"}


class Filing:
    """Follows uploads of versions and attachments."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._tables = records.tables
        self._uploads: dict[str, Callable[[str, By, datetime], None]] = {
            _VERSION: self._version,
            "Attachment": self._attachment,
        }
        records.watchers.append(self._watch)

    def _watch(
        self, sobject: SObject, id_: str, op: str, _before: Mapping[str, Any],
        after: Mapping[str, Any], by: By, at: datetime,
    ) -> None:  # fmt: skip
        follow = self._uploads.get(sobject.name)
        if follow is not None and (op == "create" or "Body" in after):
            follow(id_, by, at)

    def _object(self, name: str) -> SObject:
        return self._tables.schema.objects[name]

    def _attachment(self, id_: str, _by: By, _at: datetime) -> None:
        sobject = self._object("Attachment")
        row = self._tables.rows(sobject, [id_])[id_]
        size = len(base64.b64decode(row["Body"]))
        self._tables.change(sobject, id_, {"BodyLength": size})

    def _version(self, id_: str, by: By, at: datetime) -> None:
        sobject = self._object(_VERSION)
        row = self._tables.rows(sobject, [id_])[id_]
        about = described(str(row["PathOnClient"]), str(row["VersionData"]))
        title = row["Title"] or PurePosixPath(str(row["PathOnClient"])).stem
        shared = {name: about[name] for name in ("FileType", "FileExtension", "ContentSize")}
        shared |= {"Title": title, "ContentModifiedDate": moments.stamp(at)}
        document, number = row["ContentDocumentId"], 1
        if document is None:
            document = self._document(row, shared, by, at)
        else:
            number = self._next(document, id_)
        own = {
            "ContentDocumentId": document,
            "IsLatest": 1,
            "VersionNumber": str(number),
            "ContentModifiedById": by.user,
        }
        self._tables.change(sobject, id_, {**about, **shared, **own})
        whole = self._object(_DOCUMENT)
        latest = {**shared, "LatestPublishedVersionId": id_}
        self._records.update(whole, self._tables.rows(whole, [document])[document], latest, by, at)

    def _next(self, document: str, newest: str) -> int:
        """Make the versions before the newest former ones and return the next number."""
        self._tables.db.execute(
            'UPDATE "sf_ContentVersion" SET "IsLatest" = 0'
            ' WHERE "ContentDocumentId" = ? AND "Id" != ?',
            (document, newest),
        )
        (last,) = self._tables.db.execute(
            'SELECT MAX(CAST("VersionNumber" AS INTEGER)) FROM "sf_ContentVersion"'
            ' WHERE "ContentDocumentId" = ?',
            (document,),
        ).fetchone()
        return int(last or 0) + 1

    def _document(
        self, row: Mapping[str, Any], shared: Mapping[str, Any], by: By, at: datetime
    ) -> str:
        values = {**shared, "OwnerId": row["OwnerId"]}
        (document,) = self._records.create(self._object(_DOCUMENT), [values], by, at)
        # The owner's link is the file's place in the owner's library.
        places = [(row["OwnerId"], "I")]
        if row["FirstPublishLocationId"]:
            places.append((row["FirstPublishLocationId"], "V"))
        links = [
            {"ContentDocumentId": document, "LinkedEntityId": place, "ShareType": kind}
            for place, kind in places
        ]
        self._records.create(self._object(_LINK), links, by, at)
        return document


def described(path: str, encoded: str) -> dict[str, Any]:
    """Return what is told of a file's content: type, size in bytes, MD5."""
    content = base64.b64decode(encoded)
    extension = PurePosixPath(path).suffix.removeprefix(".").lower()
    return {
        "FileExtension": extension or None,
        "FileType": _TYPES.get(extension, extension.upper() or "UNKNOWN"),
        "ContentSize": len(content),
        "Checksum": hashlib.md5(content, usedforsecurity=False).hexdigest(),
    }
