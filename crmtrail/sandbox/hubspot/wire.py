"""HubSpot's wire: authentication, limits, routes, and the verbs of the control API."""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from crmtrail.sandbox.faults import Fault
from crmtrail.sandbox.http import Reply, Request
from crmtrail.sandbox.hubspot import (
    acts,
    consent,
    developer,
    filters,
    journal,
    lists,
    oauth,
    property_groups,
    routes,
    rules,
    scopes,
    seed,
)
from crmtrail.sandbox.hubspot.consent import Consent
from crmtrail.sandbox.hubspot.events import Events
from crmtrail.sandbox.hubspot.feed import Feed
from crmtrail.sandbox.hubspot.imports import Imports
from crmtrail.sandbox.hubspot.limits import Limits
from crmtrail.sandbox.hubspot.links import Links, pair_named
from crmtrail.sandbox.hubspot.links import truth as associated
from crmtrail.sandbox.hubspot.object_types import object_type
from crmtrail.sandbox.hubspot.people import App, People
from crmtrail.sandbox.hubspot.portal import Call, Portal
from crmtrail.sandbox.hubspot.records import Record
from crmtrail.sandbox.hubspot.refusal import Refusal, not_found, rate_limited, unauthenticated
from crmtrail.sandbox.hubspot.schema import Schema
from crmtrail.sandbox.hubspot.security import Security
from crmtrail.sandbox.hubspot.store import Store
from crmtrail.sandbox.hubspot.switches import Switches
from crmtrail.sandbox.hubspot.values import iso
from crmtrail.sandbox.hubspot.webhooks import Sender, Webhooks
from crmtrail.sandbox.hubspot.writing import Writer
from crmtrail.sandbox.world import World

_JOURNAL = "/webhooks-journal/"
_PREFIXES = (
    "/crm/",
    "/crm-object-schemas/",
    "/account-info/",
    "/communication-preferences/",
    "/settings/",
    oauth.PREFIX,
    _JOURNAL,
)
_LONGEST_TARGET = 16_384
_EXEMPT = {"X-HubSpot-RateLimit-Exemptions": "ten-secondly"}


class HubSpotWire:
    """One HubSpot portal."""

    crm = "hubspot"
    features = frozenset[str]()

    def __init__(self, world: World) -> None:
        self._world = world
        self.sender = Sender(world)
        self._portal = _portal(world)
        world.db.create_function("hs_has_token", 2, filters.has_token, deterministic=True)

    def create(self) -> None:
        """Create this CRM's tables in an empty world, with a fresh portal's definitions."""
        self._portal = _portal(self._world)
        self._portal.schema.create()
        self._portal.store.create()
        self._portal.writer.links.create()
        self._portal.people.create()
        oauth.create(self._world, self._portal.people.apps())
        Imports(self._world).create()
        self._portal.webhooks.create()
        self._portal.feed.create()
        developer.create(self._world)
        rules.create(self._world)
        Consent(self._world).create()
        Security(self._world, self._portal.people).create()
        lists.create_table(self._world)
        property_groups.create_table(self._world)

    def seed(self, records: int) -> None:
        """Fill the portal with about so many records."""
        seed.seed(self._portal, records)
        consent.seed(self._portal, self._world.random("hubspot/consent"))

    def owns(self, path: str) -> bool:
        """Whether a path belongs to HubSpot."""
        return path.startswith(_PREFIXES)

    def handle(self, request: Request) -> Reply:
        """Answer a request; a refusal leaves the portal as it was."""
        self._settle()
        try:
            if request.path.startswith(oauth.PREFIX):
                return oauth.answer(self._portal, request)
            if request.path.startswith(journal.FILES):
                return journal.file(self._portal, request)
            return self._guarded(request)
        finally:
            self.sender.kick(self._portal.webhooks)

    def _guarded(self, request: Request) -> Reply:
        db = self._world.db
        try:
            app = self._app(request)
            db.execute("SAVEPOINT hubspot")
            try:
                return self._answer(request, app)
            except BaseException:
                db.execute("ROLLBACK TO hubspot")
                self._portal.schema.reread()
                raise
            finally:
                db.execute("RELEASE hubspot")
        except Refusal as refusal:
            return refusal.reply()

    def _settle(self) -> None:
        """Let happen what is due by now: it is nobody's request."""
        with self._world.apart():
            self._portal.writer.settle()

    def _app(self, request: Request) -> App:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        app = None
        if scheme.lower() == "bearer":
            told = token.strip()
            app = self._portal.people.app_of(told) or oauth.app_of(self._portal, told)
            app = app or developer.app_of(self._portal, told)
        if app is None:
            raise unauthenticated()
        self._world.identify(app.id)
        return app

    def _answer(self, request: Request, app: App) -> Reply:
        if len(request.target) > _LONGEST_TARGET:
            raise Refusal(414, "URI_TOO_LONG", "URI too long")
        where = routes.place(request.path)
        if where is None:
            raise not_found()
        route, parts, other = routes.find(request.method, where)
        zone = ZoneInfo(self._portal.switches.time_zone)
        today = self._world.clock.now().astimezone(zone).date().isoformat()
        searching = route is not None and route.searching
        exempt = request.path.startswith(_JOURNAL)
        limits = self._portal.limits
        if not exempt and (refused := limits.count(app.id, searching=searching, today=today)):
            return refused
        headers = {} if exempt else oauth.headers(app, limits.headers(app.id))
        headers = _EXEMPT if searching else headers
        try:
            if route is None:
                raise _nowhere(other_method=other)
            call = Call(request, where.version, app, parts)
            scopes.require(where.path, call, self._portal.switches)
            reply = self._carry_out(route, call)
        except Refusal as refusal:
            self._world.db.execute("ROLLBACK TO hubspot")
            self._portal.schema.reread()
            reply = refusal.reply()
        return Reply(reply.status, reply.body, {**reply.headers, **headers})

    def _carry_out(self, route: routes.Route, call: Call) -> Reply:
        kind = call.request.headers.get("content-type", "application/json")
        if call.request.body and not kind.startswith("application/json"):
            raise Refusal(415, "UNSUPPORTED_MEDIA_TYPE", f"Unsupported media type {kind}")
        switches = self._portal.switches
        if switches.migrating > 0:
            switches.migrating -= 1
            moving = Refusal(477, "MIGRATION_IN_PROGRESS", "This portal is moving").reply()
            wait = {"Retry-After": str(switches.migrating_for)}
            return Reply(moving.status, moving.body, {**moving.headers, **wait})
        if switches.locked > 0 and route.writes:
            switches.locked -= 1
            raise Refusal(423, "LOCKED", "The record is locked by another write")
        return route.answer(self._portal, call)

    def act(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """Let somebody inside the portal do something.

        Raises:
            ValueError: the order makes no sense.
        """
        self._settle()
        try:
            done = acts.act(self._portal, command)
        except Refusal as refusal:
            self._portal.schema.reread()
            raise ValueError(refusal.message) from None
        except BaseException:
            # Whoever gave an order that fails takes back what it wrote so far.
            self._portal.schema.reread()
            raise
        self.sender.kick(self._portal.webhooks)
        return done

    def truth(self, object_: str, record: str | None) -> list[dict[str, Any]]:
        """Return records as ``{id, deleted, properties}``; purged ones are gone.

        Of a pair such as contacts-companies the associations between live records are returned.
        """
        if (pair := pair_named(object_)) is not None:
            return associated(self._world, *pair)
        kind = object_type(object_)
        self._settle()
        self._portal.store.purge_bin()
        return [_plainly(each) for each in self._portal.store.everything(kind, record)]

    def people(self) -> dict[str, Any]:
        """Return users, apps, tokens by role, and the portal id."""
        people = self._portal.people
        apps = people.apps()
        users = [
            {
                "id": str(user["id"]),
                "name": f"{user['first']} {user['last']}",
                "email": user["email"],
                "owner": str(user["owner"]),
            }
            for user in people.users()
            if not user["archived"]
        ]
        return {
            "users": users,
            "apps": [{"id": app["id"], "name": app["name"]} for app in apps],
            "tokens": {app["role"]: app["token"] for app in apps},
            "portal": people.portal,
            "oauth": oauth.installed(self._portal),
        }

    def throttled(self, fault: Fault, _request: Request) -> Reply:
        """The refusal for a fault of kind unauthorized or throttle."""
        if fault.kind == "unauthorized":
            return unauthenticated().reply()
        policy = "DAILY" if fault.quota else "TEN_SECONDLY_ROLLING"
        return rate_limited(policy, self._portal.limits.headers(""), fault.retry_after)


def _nowhere(*, other_method: bool) -> Refusal:
    if other_method:
        return Refusal(405, "METHOD_NOT_ALLOWED", "Method not allowed")
    return not_found()


def _portal(world: World) -> Portal:
    switches = Switches()
    schema = Schema(world)
    store = Store(world, switches)
    links = Links(world)
    people, events = People(world), Events()
    webhooks, feed = Webhooks(world, people, switches), Feed(world, people)
    events.listen(webhooks.hear)
    events.listen(feed.hear)
    events.listen(Security(world, people).hear)
    writer = Writer(world, schema, store, links, events)
    return Portal(world, schema, store, writer, people, switches, Limits(), webhooks, feed)


def _plainly(record: Record) -> dict[str, Any]:
    own = {"hs_object_id": str(record.id), record.kind.stamp: iso(record.modified)}
    return {
        "id": str(record.id),
        "deleted": record.archived is not None,
        "properties": record.values | own,
    }
