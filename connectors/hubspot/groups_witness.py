"""Who changed what a list shows only as it is now: told by HubSpot's other logs.

Of pipelines and stages the audit tells; of users and teams the security log does. Nothing is asked
for unless a list has changed. Where a log cannot be read, or tells of several people, nobody is
named.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from urllib.parse import unquote

import msgspec

from connectors.hubspot.client import Client
from connectors.hubspot.groups_audits import Audits, changed_at
from connectors.hubspot.groups_events import LOGS, acting
from connectors.hubspot.groups_rows import moment_in, part_of, text_in
from connectors.hubspot.people import People
from connectors.hubspot.refusals import Absent, Refusal
from connectors.hubspot.shapes import Row
from crmtrail.errors import PermissionMissing
from crmtrail.model import Actor, Event, Loss, Reading, Ref, Removal, unknown, value_of

_SLACK: Final = timedelta(minutes=1)
"""The stamps of two of HubSpot's services may differ by so much."""

_NEVER: Final = datetime.min.replace(tzinfo=UTC)

_BACK: Final = timedelta(days=7)
"""How far back to look for who removed a user."""

_DEEDS: Final[Mapping[str, frozenset[str]]] = {
    "users": frozenset(
        {
            "ADD_ADMIN_PERMISSIONS",
            "ADD_ADMIN_USER",
            "ADD_USER",
            "DEACTIVATE_USER",
            "JOINED_PORTAL_VIA_DOMAIN_BASED_INVITE",
            "REACTIVATE_USER",
            "REMOVE_ADMIN_PERMISSIONS",
            "REMOVE_ADMIN_USER",
            "REMOVE_USER",
            "TEAM_USER_ADDED",
            "TEAM_USER_DELETED",
        }
    ),
    "imports": frozenset({"IMPORT"}),
    "teams": frozenset({"TEAM_ADDED", "TEAM_DELETED", "TEAM_USER_ADDED", "TEAM_USER_DELETED"}),
}
"""Types of the security log by what they tell of; ``objectId`` is whom or what they are about."""

_BIRTHS: Final = frozenset(
    {"ADD_USER", "JOINED_PORTAL_VIA_DOMAIN_BASED_INVITE", "REACTIVATE_USER", "TEAM_ADDED"}
)
_ENDS: Final = frozenset({"DEACTIVATE_USER", "REMOVE_USER", "TEAM_DELETED"})

_SILENT = (PermissionMissing, Absent, Refusal)


class _Deed(NamedTuple):
    at: datetime
    type: str
    actor: Actor


class Witness:
    """Asks the audit of pipelines and the security log.

    Args:
        client: the API.
        source: the source's name.
        audits: of pipelines.
        people: names and ids of users.
        now: HubSpot's clock.
    """

    def __init__(
        self,
        client: Client,
        source: str,
        audits: Audits,
        people: People,
        now: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._source = source
        self._audits = audits
        self._people = people
        self._now = now

    def readings(
        self, object_: str, readings: Sequence[Reading], since: datetime | None
    ) -> Sequence[Reading]:
        """Return readings with who made the changes after ``since``, as far as that is known."""
        if since is None or not readings:
            return readings
        since -= _SLACK
        if object_ in ("pipelines", "pipeline_stages"):
            return [
                self._audited(one, since) if one.modified_at > since else one for one in readings
            ]
        if object_ == "imports":
            return self._imported(readings, since)
        if object_ in _DEEDS:
            deeds = self._deeds(object_, since)
            return [_told_of(one, deeds.get(one.ref.id, ())) for one in readings]
        return readings

    def removals(self, object_: str, ids: Sequence[str]) -> Mapping[str, Removal]:
        """Return who removed what, as far as that is known."""
        if object_ in ("pipelines", "pipeline_stages"):
            told = ((id_, self._last_of(object_, id_)) for id_ in ids)
            return {id_: one for id_, one in told if one is not None}
        if object_ not in ("users", "teams"):
            return {}
        now = self._now()
        found: dict[str, Removal] = {}
        for id_, deeds in self._deeds(object_, now - _BACK).items():
            if id_ in ids and deeds[-1].type in _ENDS:
                last = deeds[-1]
                ref = Ref(self._source, object_, id_)
                read_at = max(now, last.at)
                found[id_] = Removal(ref, Loss.DELETED, read_at, last.at, last.actor)
        return found

    # --- pipelines ---------------------------------------------------------------------------

    def _last_of(self, object_: str, id_: str) -> Removal | None:
        """Return the removal of a pipeline or a stage that is gone: the audit's last word on it."""
        of, pipeline, stage = (*unquote(id_).split(".", 2), "")[:3]
        try:
            rows, read_at = self._audits.entries(of, pipeline, stage)
        except _SILENT:
            return None
        told = changed_at(rows, _NEVER)
        if not told:
            return None
        at, last = list(told.items())[-1]
        ref = Ref(self._source, object_, id_)
        return Removal(ref, Loss.DELETED, max(read_at, at), at, self._audits.actor(last))

    def _audited(self, one: Reading, since: datetime) -> Reading:
        of, pipeline, stage = _whose(one)
        try:
            rows, _ = self._audits.entries(of, pipeline, stage)
        except _SILENT:
            return one
        told = changed_at(rows, since)
        if not told:
            return one
        at, newest = list(told.items())[-1]
        actor = self._audits.actor(newest)
        first = next(iter(told.values()))
        new = one.created_at is not None and one.created_at > since
        return replace(
            one,
            actor=actor,
            edited_at=at,
            modified_at=max(one.modified_at, at),
            read_at=max(one.read_at, at),
            creator=self._audits.actor(first) if new else one.creator,
            trail=() if new else tuple(self._trail(one, told)),
            trail_whole=False,
        )

    def _trail(self, one: Reading, told: Mapping[datetime, Row]) -> Iterator[Event]:
        """Yield what entries say of each field, where the newest says what the field is now."""
        states = {at: part_of(row, "rawObject") for at, row in told.items()}
        last = list(states.values())[-1]
        agreed = [
            name
            for name, raw in last.items()
            if name in one.fields and _same(str(raw, "utf-8"), one.fields[name])
        ]
        for at, state in states.items():
            actor = self._audits.actor(told[at])
            for name in agreed:
                if name in state:
                    yield Event(name, str(state[name], "utf-8"), at, actor)

    def _imported(self, readings: Sequence[Reading], since: datetime) -> Sequence[Reading]:
        """Return imports with who ran those that are new; who changed one later is not told."""
        if all(one.created_at is None or one.created_at <= since for one in readings):
            return readings
        runs = self._deeds("imports", since)
        return [
            replace(one, creator=runs[one.ref.id][0].actor) if one.ref.id in runs else one
            for one in readings
        ]

    # --- users and teams ---------------------------------------------------------------------

    def _deeds(self, object_: str, since: datetime) -> Mapping[str, Sequence[_Deed]]:
        """Return what was done to users or teams after a moment, by their ids, oldest first."""
        found: dict[str, list[_Deed]] = {}
        for row in self._security(since):
            kind, whom, at = (
                text_in(row, "type"),
                text_in(row, "objectId"),
                moment_in(row, "createdAt"),
            )
            if kind in _DEEDS[object_] and whom and at and at > since:
                found.setdefault(whom, []).append(_Deed(at, kind or "", acting(row, self._people)))
        return {id_: sorted(deeds, key=lambda deed: deed.at) for id_, deeds in found.items()}

    def _security(self, since: datetime) -> Iterator[Row]:
        log = LOGS["security_activity"]
        after: str | None = None
        while True:
            query = [("limit", "100")]
            if log.since is not None:
                query.append(log.since(since))
            if after is not None:
                query.append(("after", after))
            try:
                told = self._client.rows(log.path, tuple(query)).content
            except _SILENT:
                return
            yield from told.results
            if (after := told.after) is None:
                return


def _told_of(one: Reading, deeds: Sequence[_Deed]) -> Reading:
    """Return a user or a team with who changed it, if that was one person only."""
    if not deeds:
        return one
    born = next((deed for deed in deeds if deed.type in _BIRTHS), None)
    if born is not None and one.created_at is not None:
        one = replace(one, created_at=born.at, creator=born.actor)
    if len({deed.actor for deed in deeds}) > 1:
        return replace(one, actor=unknown("several people changed it; see security_activity"))
    return replace(one, actor=deeds[-1].actor, edited_at=deeds[-1].at)


def _whose(one: Reading) -> tuple[str, str, str]:
    """Return the object, the pipeline and the stage that a reading is of."""
    of, id_ = str(value_of(one.fields["object"])), str(value_of(one.fields["id"]))
    if "pipeline" not in one.fields:
        return of, id_, ""
    whole = str(value_of(one.fields["pipeline"]))
    return of, unquote(whole.removeprefix(f"{of}.")), id_


def _same(one: str, other: str) -> bool:
    return bool(msgspec.json.decode(one) == msgspec.json.decode(other))
