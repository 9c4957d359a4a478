"""The Salesforce wire: which request goes to which resource, and what every answer carries."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from crmtrail.sandbox.faults import Fault
from crmtrail.sandbox.http import Reply, Request
from crmtrail.sandbox.salesforce.access_definitions import Definitions
from crmtrail.sandbox.salesforce.access_orders import AccessOrders
from crmtrail.sandbox.salesforce.access_trail import AccessTrail
from crmtrail.sandbox.salesforce.acts import Acts
from crmtrail.sandbox.salesforce.approving import ApprovalOrders
from crmtrail.sandbox.salesforce.blobs import blob, is_blob
from crmtrail.sandbox.salesforce.bulk import Bulk
from crmtrail.sandbox.salesforce.calls import Call, wrong_method
from crmtrail.sandbox.salesforce.collection import Collections
from crmtrail.sandbox.salesforce.composite import Composite
from crmtrail.sandbox.salesforce.deletion import Deletion
from crmtrail.sandbox.salesforce.describe import Describe
from crmtrail.sandbox.salesforce.editing import Editing
from crmtrail.sandbox.salesforce.event_logs_orders import EventOrders
from crmtrail.sandbox.salesforce.filing import Filing
from crmtrail.sandbox.salesforce.grants import Grants
from crmtrail.sandbox.salesforce.graph import Graphs
from crmtrail.sandbox.salesforce.history_orders import HistoryOrders
from crmtrail.sandbox.salesforce.optional import FEATURES, seed_features
from crmtrail.sandbox.salesforce.orders import Orders
from crmtrail.sandbox.salesforce.org_schema import org_schema
from crmtrail.sandbox.salesforce.querying import Querying
from crmtrail.sandbox.salesforce.quota import Quota
from crmtrail.sandbox.salesforce.reading import Reading
from crmtrail.sandbox.salesforce.records import CRM, Records
from crmtrail.sandbox.salesforce.refusal import UNAUTHORIZED, Refusal, not_found, xml_refusal
from crmtrail.sandbox.salesforce.replication import Replication
from crmtrail.sandbox.salesforce.rows import Rows
from crmtrail.sandbox.salesforce.rules import Rules
from crmtrail.sandbox.salesforce.seed import Seed
from crmtrail.sandbox.salesforce.seed_people import told
from crmtrail.sandbox.salesforce.sessions import Sessions, no_session
from crmtrail.sandbox.salesforce.soap import Soap
from crmtrail.sandbox.salesforce.switches import Switches
from crmtrail.sandbox.salesforce.tables import Tables, table
from crmtrail.sandbox.salesforce.validate import Validation
from crmtrail.sandbox.salesforce.versions import OLDEST, label, versions
from crmtrail.sandbox.salesforce.visibility import Visibility
from crmtrail.sandbox.world import World

MAX_URI = 16_384
_VERSIONED = re.compile(r"/services/data/v(\d{1,3}\.0)(?:/(.*))?\Z", re.DOTALL)
_BIN_CHECK = timedelta(hours=1)


class SalesforceWire:
    """One Salesforce org."""

    crm = CRM
    features = frozenset(FEATURES)

    def __init__(self, world: World) -> None:
        self._world = world
        self._tables = Tables(world, org_schema(world.features))
        self._records = Records(self._tables)
        self._deletion = Deletion(self._records)
        self._visibility = Visibility(self._tables)
        self._sessions = Sessions(self._tables)
        trail = AccessTrail(self._records)
        self._grants = Grants(self._tables, self._sessions, trail.token)
        self._definitions = Definitions(self._tables)
        self._quota = Quota(self._tables)
        orders = Orders(self._tables)
        rules = Rules(self._records, orders)
        self._editing = Editing(self._records, Validation(self._tables), self._deletion, rules)
        self._reading = Reading(self._tables)
        self._querying = Querying(self._tables)
        self._describe = Describe(self._tables)
        self._rows = Rows(self._editing, self._reading)
        self._collections = Collections(self._editing, self._reading)
        self._replication = Replication(self._tables)
        self._composite = Composite(self._records, self._subrequest)
        self._graphs = Graphs(self._composite)
        self._soap = Soap(self._editing, self._sessions, self._visibility, self._quota)
        switches = Switches(
            self._editing, orders, rules, self._visibility, self._quota, self._sessions
        )
        self._bulk = Bulk(self._editing, self._visibility)
        switches.verbs |= self._bulk.verbs | self._querying.verbs | self._quota.verbs
        switches.verbs |= HistoryOrders(self._tables, orders).verbs
        access = AccessOrders(self._deletion, orders, self._visibility, trail, self._records)
        Filing(self._records)
        approvals = ApprovalOrders(self._records, self._deletion, orders)
        switches.verbs |= access.verbs | approvals.verbs
        switches.verbs |= EventOrders(self._records, orders, trail).verbs
        self._acts = Acts(self._editing, orders, switches)
        self._binned: datetime | None = None

    def create(self) -> None:
        """Create this CRM's tables in an empty world."""
        self._querying.cursors.clear()
        self._editing.busy.clear()
        self._binned = None
        self._tables.schema.become(org_schema(self._world.features))
        self._tables.create()

    def seed(self, records: int) -> None:
        """Fill the org with about so many records."""
        Seed(self._tables, self._sessions).fill(records)
        seed_features(self._tables, self._world.features)

    def owns(self, path: str) -> bool:
        """Whether a request path belongs to Salesforce."""
        return path.startswith("/services/")

    def act(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """Let somebody inside the org do something; see docs/sandbox.md."""
        self._settle()
        return self._acts.act(command)

    def truth(self, object_: str, record: str | None) -> list[dict[str, Any]]:
        """Return records with all fields as they are now, deleted ones included.

        Raises:
            ValueError: an unknown object.
        """
        self._settle()
        sobject = self._tables.schema.get(object_)
        if sobject is None:
            known = ", ".join(self._tables.schema.objects)
            raise ValueError(f"unknown object {object_!r}; known are {known}")
        return self._reading.everything(sobject, record)

    def people(self) -> dict[str, Any]:
        """Return users, tokens, OAuth clients and the host the org calls its own."""
        return told(self._tables, self._sessions)

    def throttled(self, fault: Fault, request: Request) -> Reply:
        """Refuse a request for a fault of kind unauthorized or throttle."""
        if fault.kind == "unauthorized" and request.path.startswith("/services/Soap/"):
            return self._soap.refused(no_session())
        if fault.kind == "unauthorized":
            reply = xml_refusal() if fault.xml else no_session().reply()
        elif fault.quota:
            reply = Refusal(
                "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", status=403
            ).reply()
        else:
            reply = Refusal("TOO_MANY_REQUESTS", "Too many requests.", status=429).reply()
        wait = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        return self._finished(reply, wait)

    def handle(self, request: Request) -> Reply:
        """Answer a request as Salesforce would."""
        self._settle()
        if request.path.rstrip("/") == "/services/data":
            return Reply.of(200, versions())
        if request.path.startswith("/services/oauth2/"):
            return self._oauth(request)
        if request.path.startswith("/services/Soap/u/"):
            return self._soap.answer(request)
        try:
            reply = self._versioned(request)
        except Refusal as refusal:
            kind = request.headers.get("content-type", "application/json").lower()
            strange = refusal.status == UNAUTHORIZED and "json" not in kind
            reply = xml_refusal() if strange else refusal.reply()
        return self._finished(reply)

    def _finished(self, reply: Reply, more: Mapping[str, str] | None = None) -> Reply:
        return replace(reply, headers={**reply.headers, **self._quota.header(), **(more or {})})

    def _oauth(self, request: Request) -> Reply:
        try:
            return self._grants.answer(request)
        except Refusal as refusal:
            return refusal.reply()

    def _settle(self) -> None:
        """Let time pass: commit what is due, empty the recycle bin of what is too old."""
        now = self._world.clock.now()
        with self._world.apart():
            self._acts.settle()
            self._bulk.settle()
            if self._binned is None or now - self._binned >= _BIN_CHECK:
                self._binned = now
                with self._records.unit(now):
                    self._deletion.empty_old(now)

    def _versioned(self, request: Request) -> Reply:
        if len(request.target.encode()) > MAX_URI:
            raise Refusal("URI_TOO_LONG", "The URI exceeds 16384 bytes", status=414)
        heads = sum(len(name) + len(value) for name, value in request.headers.items())
        if len(request.target.encode()) + heads > MAX_URI:
            raise Refusal("REQUEST_HEADERS_TOO_LONG", "URI and headers too long", status=431)
        session = self._sessions.bearer(request)
        self._quota.spend()
        kind = request.headers.get("content-type", "application/json")
        uploading = request.method == "PUT" and "/jobs/ingest/" in request.path
        if request.body and not uploading and not kind.lower().startswith("application/json"):
            raise Refusal(
                "UNSUPPORTED_MEDIA_TYPE", f"Content type {kind} is not supported.", status=415
            )
        view = self._visibility.view(session.user, reads_only=session.reads_only)
        return self._serve(Call(request, session, view, "", ()))

    def _subrequest(self, call: Call, request: Request) -> Reply:
        """Answer a part of a composite request: one session, one unit of quota for all."""
        try:
            nested = "/composite" in request.path and "/composite/sobjects" not in request.path
            if nested or "/jobs/" in request.path:
                raise not_found()
            return self._serve(replace(call, request=request, nested=True))
        except Refusal as refusal:
            return refusal.reply()

    def _serve(self, call: Call) -> Reply:
        match = _VERSIONED.match(call.request.path)
        if match is None or not label(match[1]):
            raise not_found()
        if float(match[1]) < OLDEST:
            raise Refusal(
                "UNSUPPORTED_API_VERSION", f"API version {match[1]} has been retired", status=410
            )
        parts = tuple(part for part in (match[2] or "").split("/") if part)
        return self._resource(replace(call, version=match[1], parts=parts))

    def _resource(self, call: Call) -> Reply:
        name = call.parts[0] if call.parts else ""
        if name == "sobjects":
            return self._sobjects(call)
        if name in ("query", "queryAll"):
            self._definitions.prepare(call.request.one("q") or "")
            return self._querying.answer(call)
        if name == "composite":
            return self._composites(call)
        if name == "limits":
            return self._limits(call)
        if name == "jobs":
            return self._bulk.answer(call)
        if not name:
            names = ("sobjects", "query", "queryAll", "composite", "limits", "jobs")
            return Reply.of(200, {item: f"{call.base}/{item}" for item in names})
        raise not_found()

    def _composites(self, call: Call) -> Reply:
        rest = call.parts[1:]
        if not rest:
            return self._composite.answer(call)
        if rest == ("batch",):
            return self._composite.batch(call)
        if rest == ("graph",):
            return self._graphs.answer(call)
        if rest[0] == "sobjects":
            named = self._tables.schema.get(rest[1]) if len(rest) > 1 else None
            if named is not None and named.name in call.view.hidden:
                raise not_found()
            return self._collections.answer(call)
        raise not_found()

    def _sobjects(self, call: Call) -> Reply:
        if len(call.parts) == 1:
            return self._describe.all_objects(call)
        sobject = self._editing.object_of(call.parts[1])
        if sobject.name in call.view.hidden:
            raise not_found()
        rest = call.parts[2:]
        if is_blob(sobject, rest):
            return blob(self._editing, call, sobject, rest)
        if not rest:
            if call.method == "POST":
                return self._rows.create(call, sobject)
            if call.method == "GET":
                return self._describe.basics(call, sobject)
            raise wrong_method(call, "GET", "HEAD", "POST")
        if len(rest) > 1:
            return self._rows.by_key(call, sobject, rest[0], "/".join(rest[1:]))
        special = {
            "describe": self._describe.one_object,
            "updated": self._replication.updated,
            "deleted": self._replication.deleted,
        }.get(rest[0])
        return special(call, sobject) if special else self._rows.one(call, sobject, rest[0])

    def _limits(self, call: Call) -> Reply:
        call.must_be("GET")
        if call.parts[1:] != ("recordCount",):
            return self._quota.limits()
        wanted = call.request.many("sObjects")
        counts = []
        for sobject in self._tables.schema.objects.values():
            if sobject.name in call.view.hidden or (wanted and sobject.name not in wanted):
                continue
            (count,) = self._tables.db.execute(
                f"SELECT COUNT(*) FROM {table(sobject)} WHERE _deleted IS NULL"
            ).fetchone()
            # Objects without rows are left out, as Salesforce does.
            counts += [{"count": count, "name": sobject.name}] if count else []
        return Reply.of(200, {"sObjects": counts})
