"""The seeded org's consents, files, nodes of approvals and events: a few of each."""

import base64
from datetime import timedelta
from typing import Any

from crmtrail.sandbox.salesforce import moments
from crmtrail.sandbox.salesforce.event_logs_orders import csv_of, event_row, names_of
from crmtrail.sandbox.salesforce.filing import described
from crmtrail.sandbox.salesforce.seed_access import AccessSeed
from crmtrail.sandbox.salesforce.seed_people import People
from crmtrail.sandbox.salesforce.tables import Tables

Row = dict[str, Any]
_CONSENTS = ("OptIn", "OptOut", "Seen")
_CONTRACT = b"Framework agreement, signed.\n"
_LOGGED = ("Login", "URI", "RestApi", "ReportExport")


class AuditSeed:
    """Writes rows by way of `AccessSeed.write`."""

    def __init__(self, tables: Tables, access: AccessSeed, people: People) -> None:
        self._tables = tables
        self._access = access
        self._people = people
        self._at = access.stamp(3 * 24 * 60)

    def fill(self) -> None:
        """Write all of it."""
        self._consents()
        self._files()
        self._nodes()
        self._logs()

    def _write(self, name: str, *rows: Row) -> list[str]:
        at = dict.fromkeys(("CreatedDate", "LastModifiedDate", "SystemModstamp"), self._at)
        owner = {"OwnerId": self._people["Priya Raman"]}
        return self._access.write(name, [{**at, **owner, **row} for row in rows])

    def _last(self, name: str, count: int) -> list[Row]:
        """Return rows from the end, which tests that take the first ones leave alone."""
        cursor = self._tables.db.execute(
            f'SELECT * FROM "sf_{name}" ORDER BY _row DESC LIMIT {int(count)}'
        )
        return [dict(row) for row in cursor]

    def _consents(self) -> None:
        (purpose,) = self._write("DataUsePurpose", {"Name": "Marketing"})
        (letter,) = self._write(
            "CommSubscription", {"Name": "Newsletter", "DataUsePurposeId": purpose}
        )
        contacts = self._last("Contact", len(_CONSENTS))
        people = self._write(
            "Individual",
            *({"FirstName": row["FirstName"], "LastName": row["LastName"]} for row in contacts),
        )
        sobject = self._tables.schema.objects["Contact"]
        for contact, person, status in zip(contacts, people, _CONSENTS, strict=False):
            self._tables.change(sobject, contact["Id"], {"IndividualId": person})
            self._consent(contact, person, status, (purpose, letter))

    def _consent(self, contact: Row, person: str, status: str, about: tuple[str, str]) -> None:
        purpose, letter = about
        given = {
            "Name": f"{contact['LastName']}: {status}",
            "PrivacyConsentStatus": status,
            "CaptureDate": self._at,
            "CaptureSource": "Web",
            "CaptureContactPointType": "Web",
            "EffectiveFrom": self._at,
        }
        by_type = {"PartyId": person, "ContactPointType": "Email", "DataUsePurposeId": purpose}
        self._write("ContactPointTypeConsent", {**given, **by_type})
        (point,) = self._write(
            "ContactPointEmail",
            {"ParentId": person, "EmailAddress": contact["Email"], "IsPrimary": 1},
        )
        self._write("ContactPointConsent", {**given, "ContactPointId": point})
        party = {"CommSubscriptionId": letter, "ConsentGiverId": person, "ContactPointId": point}
        self._write("CommSubscriptionConsent", {**given, **party})

    def _files(self) -> None:
        (account,) = self._last("Account", 1)
        owner = {"OwnerId": self._people["Maya Lindholm"]}
        data = base64.b64encode(_CONTRACT).decode()
        about = described("framework.txt", data)
        shown = {name: about[name] for name in ("FileType", "FileExtension", "ContentSize")}
        (document,) = self._write(
            "ContentDocument",
            {**owner, **shown, "Title": "framework", "ContentModifiedDate": self._at},
        )
        (version,) = self._write(
            "ContentVersion",
            {
                **owner, **about, "Title": "framework", "PathOnClient": "framework.txt",
                "ContentDocumentId": document, "IsLatest": 1, "VersionNumber": "1",
                "FirstPublishLocationId": account["Id"], "VersionData": data,
                "ContentModifiedDate": self._at, "ContentModifiedById": owner["OwnerId"],
            },
        )  # fmt: skip
        sobject = self._tables.schema.objects["ContentDocument"]
        self._tables.change(sobject, document, {"LatestPublishedVersionId": version})
        for place, kind in ((owner["OwnerId"], "I"), (account["Id"], "V")):
            link = {"ContentDocumentId": document, "LinkedEntityId": place, "ShareType": kind}
            self._write("ContentDocumentLink", link)
        self._write(
            "Attachment",
            {
                **owner, "ParentId": account["Id"], "Name": "terms.txt", "Body": data,
                "ContentType": "text/plain", "BodyLength": len(_CONTRACT),
            },
        )  # fmt: skip

    def _nodes(self) -> None:
        names = ("CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById",
                 "SystemModstamp", "CompletedDate", "LastActorId")  # fmt: skip
        self._access.write(
            "ProcessInstanceNode",
            [
                {
                    **{name: row[name] for name in names},
                    "ProcessInstanceId": row["Id"],
                    "ProcessNodeId": "04b5g0000000001AAA",
                    "ProcessNodeName": "Finance review",
                    "NodeStatus": row["Status"],
                }
                for row in map(
                    dict, self._tables.db.execute('SELECT * FROM "sf_ProcessInstance"').fetchall()
                )
            ],
        )

    def _logs(self) -> None:
        """Write yesterday's daily files, which came in the night."""
        noon = self._access.before_midnight(12 * 60)
        seller = self._people["Maya Lindholm"]
        for kind in _LOGGED:
            rows = [event_row(kind, seller, noon, "0")]
            names = names_of(kind, rows)
            content = csv_of(names, rows)
            at = moments.stamp(noon + timedelta(hours=11))
            stamps = dict.fromkeys(("CreatedDate", "LastModifiedDate", "SystemModstamp"), at)
            log = {
                "EventType": kind,
                "LogDate": moments.stamp(noon - timedelta(hours=12)),
                "LogFileLength": float(len(content)),
                "LogFileContentType": "text/csv",
                "ApiVersion": 67.0,
                "Sequence": 0,
                "Interval": "Daily",
                "LogFileFieldNames": ",".join(names),
                "LogFile": base64.b64encode(content).decode(),
            }
            self._access.write("EventLogFile", [{**stamps, **log}])
