"""Which path leads where, in v3, v4 and the dated versions."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from crmtrail.sandbox.http import Reply
from crmtrail.sandbox.hubspot import (
    account,
    associations,
    batch,
    merging,
    metadata,
    objects,
    search,
)
from crmtrail.sandbox.hubspot.portal import Call, Portal

Answer = Callable[[Portal, Call], Reply]

_DATED = ("2026-03", "2026-09")
_FAMILIES = "objects|properties|property-validations|pipelines|owners|imports"
_FORMS = tuple(
    re.compile(form)
    for form in (
        rf"/crm/(?P<version>v3)/(?P<family>{_FAMILIES})(?P<rest>/.*)?",
        r"/crm/(?P<version>v4)/(?P<family>objects|associations)(?P<rest>/.*)?",
        r"/crm/(?P<family>associations)/(?P<version>v4)(?P<rest>/.*)?",
        rf"/crm/(?P<family>{_FAMILIES}|associations)/(?P<version>2026-0[39])(?P<rest>/.*)?",
        r"/(?P<family>crm-object-schemas|account-info)/(?P<version>v3|2026-0[39])(?P<rest>/.*)?",
        r"/settings/(?P<version>v3)/(?P<family>users)(?P<rest>/.*)?",
        r"/settings/(?P<family>users)/(?P<version>2026-03)(?P<rest>/.*)?",
    )
)


@dataclass(frozen=True, slots=True)
class Route:
    """One method and path under a family, in the versions that have it."""

    method: str
    path: re.Pattern[str]
    answer: Answer
    versions: tuple[str, ...]

    @property
    def searching(self) -> bool:
        """Whether this is the search endpoint, which has limits of its own."""
        return self.answer is search.search

    @property
    def writes(self) -> bool:
        """Whether it changes records."""
        return self.method != "GET" and not self.path.pattern.endswith(("/search", "/read"))


def _route(method: str, path: str, answer: Answer, old: str = "v3") -> Route:
    pattern = re.compile(path.replace("*", "([^/]+)"))
    return Route(method, pattern, answer, (old, *_DATED))


_BATCH_PAIR = "/associations/*/*/batch"

ROUTES = (
    _route("POST", "/objects/*/search", search.search),
    _route("POST", "/objects/*/batch/read", batch.read),
    _route("POST", "/objects/*/batch/create", batch.create),
    _route("POST", "/objects/*/batch/update", batch.update),
    _route("POST", "/objects/*/batch/upsert", batch.upsert),
    _route("POST", "/objects/*/batch/archive", batch.archive),
    _route("POST", "/objects/*/merge", merging.merge),
    _route("POST", "/objects/*/gdpr-delete", merging.gdpr_delete),
    _route("GET", "/objects/*", objects.list_page),
    _route("POST", "/objects/*", objects.create),
    _route("GET", "/objects/*/*", objects.get),
    _route("PATCH", "/objects/*/*", objects.update),
    _route("DELETE", "/objects/*/*", objects.archive),
    _route("GET", "/objects/*/*/associations/*", associations.single_read, "v4"),
    _route("PUT", "/objects/*/*/associations/default/*/*", associations.single_default, "v4"),
    _route("POST", f"{_BATCH_PAIR}/read", associations.batch_read, "v4"),
    _route("POST", f"{_BATCH_PAIR}/create", associations.batch_create, "v4"),
    _route("POST", f"{_BATCH_PAIR}/archive", associations.batch_archive, "v4"),
    _route("PUT", "/objects/*/*/associations/*/*", associations.single_create, "v4"),
    _route("DELETE", "/objects/*/*/associations/*/*", associations.single_archive, "v4"),
    _route("POST", "/associations/*/*/batch/labels/archive", associations.labels_archive, "v4"),
    _route("POST", f"{_BATCH_PAIR}/associate/default", associations.batch_default, "v4"),
    _route("GET", "/associations/*/*/labels", associations.labels, "v4"),
    _route("GET", "/properties/*", metadata.properties),
    _route("GET", "/properties/*/groups", metadata.groups),
    _route("GET", "/properties/*/*", metadata.one_property),
    _route("GET", "/pipelines/*", metadata.pipelines),
    _route("GET", "/pipelines/*/*", metadata.one_pipeline),
    _route("GET", "/pipelines/*/*/audit", metadata.audit),
    _route("GET", "/pipelines/*/*/stages", metadata.stages),
    _route("GET", "/pipelines/*/*/stages/*", metadata.one_stage),
    _route("GET", "/pipelines/*/*/stages/*/audit", metadata.audit),
    _route("GET", "/owners", account.owners),
    _route("GET", "/owners/*", account.one_owner),
    _route("GET", "/imports", account.imports),
    _route("GET", "/imports/*", account.one_import),
    _route("GET", "/users", account.users),
    _route("GET", "/users/roles", account.roles),
    _route("GET", "/users/teams", account.teams),
    _route("GET", "/account-info/details", account.details),
    _route("GET", "/account-info/api-usage/daily/private-apps", account.usage),
    _route("GET", "/account-info/activity/login", account.login_activity),
    _route("GET", "/account-info/activity/security", account.security_activity),
    _route("GET", "/account-info/activity/audit-logs", account.audit_logs),
    _route("GET", "/property-validations/*", metadata.property_validations),
    _route("GET", "/crm-object-schemas/schemas", metadata.schemas),
    _route("GET", "/crm-object-schemas/schemas/*", metadata.one_schema),
)
"""The first route that fits a path answers."""


@dataclass(frozen=True, slots=True)
class Place:
    """A path read: its version, and what follows with the version taken out."""

    version: str
    path: str


def place(path: str) -> Place | None:
    """Read a path, with or without a slash at its end; None: no such API."""
    for form in _FORMS:
        if found := form.fullmatch(path.rstrip("/")):
            return Place(found["version"], f"/{found['family']}{found['rest'] or ''}")
    return None


def find(method: str, where: Place) -> tuple[Route | None, tuple[str, ...], bool]:
    """Return the route, the variable parts of the path, and whether another method would fit."""
    other = False
    for route in ROUTES:
        found = route.path.fullmatch(where.path)
        if found is None or where.version not in route.versions:
            continue
        if route.method == method:
            return route, found.groups(), False
        other = True
    return None, (), other
