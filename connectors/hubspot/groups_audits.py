"""HubSpot's own audit of pipelines and stages: who changed what, with the whole definition.

It is asked for one pipeline or stage at a time, so a poll asks only for those whose definition
moved, and for those that are gone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from urllib.parse import quote

import msgspec

from connectors.hubspot.client import Client
from connectors.hubspot.groups_asking import Asking
from connectors.hubspot.groups_cursor import AuditCursor, kept_in, place, text_of
from connectors.hubspot.groups_kinds import PIPELINE_AUDIT
from connectors.hubspot.groups_rows import (
    digest_of,
    moment_in,
    parts_of,
    record_id,
    text_in,
    tokens,
)
from connectors.hubspot.people import People
from connectors.hubspot.refusals import Absent, Refusal
from connectors.hubspot.shapes import Row, milliseconds, moment_of
from crmtrail.errors import PermissionMissing
from crmtrail.model import Actor, ActorKind, Gap, Mode, Page, Reading, Ref, unknown

Definition = tuple[str, str, str]
"""Object, pipeline and stage; the stage is empty where the pipeline itself is meant."""


class Audits:
    """Reads the audit of one pipeline or stage at a time.

    Args:
        client: the API.
        asking: asks for the pipelines.
        source: the source's name.
        people: the names behind user ids.
    """

    def __init__(self, client: Client, asking: Asking, source: str, people: People) -> None:
        self._client = client
        self._asking = asking
        self._source = source
        self._people = people

    def start(self, position: str | None, mode: Mode) -> str:
        """Return the cursor of a walk's first page; one that broke off goes on."""
        kept = kept_in(position, AuditCursor)
        if position is not None and kept is None and mode is not Mode.FULL:
            return position  # `page` says what is wrong with it
        if kept is None or mode is Mode.FULL:
            return text_of(AuditCursor("list"))
        whole = mode is not Mode.INCREMENTAL
        if kept.audits != "rest" and (kept.whole or not whole):
            return text_of(kept)
        hidden = () if whole else kept.refused
        return text_of(AuditCursor("list", read=kept.read, whole=whole, refused=hidden))

    def page(self, cursor: str) -> Page:
        """Return the list of pipelines, or one audit, and the cursor after it.

        Raises:
            PermissionMissing, Absent: HubSpot shows no pipelines at all.
            CursorLost: the cursor is none of ours.
        """
        at = place(cursor, AuditCursor)
        if at.audits == "rest":
            return Page(PIPELINE_AUDIT, cursor, done=True)
        return self._listed(at) if at.audits == "list" else self._audited(at)

    def entries(self, of: str, pipeline: str, stage: str) -> tuple[Sequence[Row], datetime]:
        """Return the audit of a pipeline or a stage, newest first; one request."""
        under = f"/stages/{quote(stage, safe='')}" if stage else ""
        path = f"/crm/v3/pipelines/{of}/{quote(pipeline, safe='')}{under}/audit"
        told = self._client.rows(path)
        return told.content.results, told.at

    def actor(self, row: Row) -> Actor:
        """Return who did what an entry tells."""
        id_ = text_in(row, "fromUserId")
        if id_ is None:
            return unknown("HubSpot's audit names no user on this entry")
        return Actor(ActorKind.USER, id_, self._people.user(id_))

    def _listed(self, at: AuditCursor) -> Page:
        """Compare all pipelines with what they were when their audits were read."""
        seen: dict[str, str] = {}
        began: int | None = None
        refused: PermissionMissing | Absent | Refusal | None = None
        hidden = [] if at.whole else [*at.refused]
        for part in self._asking.parts("pipelines"):
            if part.of in hidden:
                continue
            try:
                told = self._asking.page(PIPELINE_AUDIT, part, None)
            except (PermissionMissing, Absent, Refusal) as error:
                refused = error
                hidden.append(part.of)
                # What is not shown this time has not changed and is not gone.
                seen |= {key: was for key, was in at.read.items() if _place(key)[0] == part.of}
                continue
            began = milliseconds(told.at) if began is None else began
            for row in told.content.results:
                seen |= dict(_digests(part.of, row))
        if began is None and refused is not None:
            raise refused
        moved = [key for key, now in seen.items() if at.whole or at.read.get(key) != now]
        gone = [key for key in at.read if key not in seen]
        todo = tuple(_place(key) for key in (*moved, *gone))
        listed = msgspec.structs.replace(
            at, todo=todo, seen=seen, began=began, refused=tuple(hidden)
        )
        return self._onward(listed)

    def _audited(self, at: AuditCursor) -> Page:
        of, pipeline, stage = at.todo[0]
        following = msgspec.structs.replace(at, todo=at.todo[1:])
        try:
            rows, read_at = self.entries(of, pipeline, stage)
        except (Absent, Refusal) as error:
            known = _key(of, pipeline, stage) in at.seen
            why = f"the audit of {record_id(of, pipeline, *_some(stage))} cannot be read: {error}"
            gaps = (Gap(PIPELINE_AUDIT, None, None, why),) if known else ()
            return replace(self._onward(following), gaps=gaps)
        readings = [*self._readings(at.todo[0], rows, read_at)]
        return replace(self._onward(following), readings=readings)

    def _onward(self, at: AuditCursor) -> Page:
        if at.todo or at.began is None:
            following = msgspec.structs.replace(at, audits="read" if at.todo else "rest")
            return Page(PIPELINE_AUDIT, text_of(following), done=not at.todo)
        began = moment_of(at.began)
        rest = text_of(AuditCursor("rest", read=at.seen, whole=False, refused=at.refused))
        return Page(PIPELINE_AUDIT, rest, done=True, complete_to=began, watermark=began)

    def _readings(
        self, whose: Definition, rows: Sequence[Row], read_at: datetime
    ) -> Iterator[Reading]:
        of, pipeline, stage = whose
        taken: dict[str, int] = {}
        for row in reversed(rows):
            at = moment_in(row, "timestamp") or read_at
            when, action = str(milliseconds(at)), text_in(row, "action") or "UNKNOWN"
            id_ = record_id(of, pipeline, *_some(stage), when, action)
            taken[id_] = taken.get(id_, 0) + 1
            actor = self.actor(row)
            where = {"object": of, "pipeline": record_id(of, pipeline)}
            if stage:
                where["stage"] = record_id(of, pipeline, stage)
            yield Reading(
                ref=Ref(self._source, PIPELINE_AUDIT, _numbered(id_, taken[id_])),
                fields=tokens(row, (), **where),
                modified_at=at,
                edited_at=at,
                read_at=max(read_at, at),
                actor=actor,
                created_at=at,
                creator=actor,
            )


def _digests(of: str, row: Row) -> Iterator[tuple[str, str]]:
    """Yield a digest of a pipeline, its stages included, and one of each stage."""
    pipeline = text_in(row, "id")
    if pipeline is None:
        return
    yield _key(of, pipeline, ""), digest_of([row], None)
    for stage in parts_of(row, "stages"):
        if id_ := text_in(stage, "id"):
            yield _key(of, pipeline, id_), digest_of([stage], None)


def _key(of: str, pipeline: str, stage: str) -> str:
    return f"{of}\n{pipeline}\n{stage}"


def _place(key: str) -> Definition:
    of, pipeline, stage = key.split("\n")
    return of, pipeline, stage


def _some(stage: str) -> tuple[str, ...]:
    return (stage,) if stage else ()


def _numbered(id_: str, number: int) -> str:
    return id_ if number == 1 else f"{id_}.{number}"


def changed_at(rows: Sequence[Row], since: datetime) -> Mapping[datetime, Row]:
    """Return the entries of an audit after a moment, oldest first."""
    found = {at: row for row in rows if (at := moment_in(row, "timestamp")) and at > since}
    return dict(sorted(found.items(), key=lambda each: each[0]))
