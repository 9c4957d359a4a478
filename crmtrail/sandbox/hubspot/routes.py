"""Which path leads where, in v3, v4 and the dated versions."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from crmtrail.sandbox.http import Reply
from crmtrail.sandbox.hubspot import (
    account,
    account_limits,
    association_labels,
    associations,
    batch,
    consent,
    journal,
    lists,
    merging,
    metadata,
    objects,
    pipeline_writes,
    property_groups,
    property_writes,
    rules,
    search,
)
from crmtrail.sandbox.hubspot.portal import Call, Portal

Answer = Callable[[Portal, Call], Reply]

_DATED = ("2026-03", "2026-09")
_FAMILIES = "objects|properties|property-validations|pipelines|owners|imports|lists|limits"
_JOURNALS = "(?:journal|journal-local|subscriptions)"
_FORMS = tuple(
    re.compile(form)
    for form in (
        rf"/crm/(?P<version>v3)/(?P<family>{_FAMILIES})(?P<rest>/.*)?",
        r"/crm/(?P<version>v4)/(?P<family>objects|associations)(?P<rest>/.*)?",
        r"/crm/(?P<family>associations)/(?P<version>v4)(?P<rest>/.*)?",
        rf"/crm/(?P<family>{_FAMILIES}|associations)/(?P<version>2026-0[39])(?P<rest>/.*)?",
        r"/(?P<family>crm-object-schemas|account-info)/(?P<version>v3|2026-0[39])(?P<rest>/.*)?",
        r"/(?P<family>communication-preferences)/(?P<version>v4|2026-0[39])(?P<rest>/.*)?",
        rf"/(?P<family>webhooks-journal/{_JOURNALS})/(?P<version>2026-0[39])(?P<rest>/.*)?",
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
        """Whether it changes anything."""
        return self.method != "GET" and not self.path.pattern.endswith(("/search", "/read"))


def _route(method: str, path: str, answer: Answer, old: str = "v3") -> Route:
    pattern = re.compile(path.replace("*", "([^/]+)"))
    return Route(method, pattern, answer, (old, *_DATED))


_BATCH_PAIR = "/associations/*/*/batch"

_FEED = "/webhooks-journal/subscriptions"
_PAGES = "/webhooks-journal/journal(?:-local)?"
_JOURNAL = (
    _route("POST", _FEED, journal.subscribe),
    _route("GET", _FEED, journal.subscriptions),
    _route("GET", f"{_FEED}/*", journal.one_subscription),
    _route("DELETE", f"{_FEED}/*", journal.unsubscribe),
    _route("DELETE", f"{_FEED}/portals/*", journal.unsubscribe_portal),
    _route("GET", f"{_PAGES}/earliest", journal.earliest),
    _route("GET", f"{_PAGES}/latest", journal.latest),
    _route("GET", f"{_PAGES}/offset/*/next", journal.following),
    _route("GET", f"{_PAGES}/batch/earliest/*", journal.batch_earliest),
    _route("GET", f"{_PAGES}/batch/latest/*", journal.batch_latest),
    _route("GET", f"{_PAGES}/batch/*/next/*", journal.batch_following),
    _route("POST", f"{_PAGES}/batch/read", journal.batch_read),
)

_CONFIGURED = "/associations/definitions/configurations"
_LABELS = (
    _route("GET", f"{_CONFIGURED}/all", association_labels.configurations, "v4"),
    _route("GET", f"{_CONFIGURED}/*/*", association_labels.configurations, "v4"),
    _route("POST", f"{_CONFIGURED}/*/*/batch/create", association_labels.configure, "v4"),
    _route("POST", f"{_CONFIGURED}/*/*/batch/update", association_labels.configure, "v4"),
    _route("GET", "/associations/*/*/labels", association_labels.labels, "v4"),
    _route("POST", "/associations/*/*/labels", association_labels.define, "v4"),
    _route("PUT", "/associations/*/*/labels", association_labels.rename, "v4"),
    _route("DELETE", "/associations/*/*/labels/*", association_labels.drop, "v4"),
)

_STATUSES = "/communication-preferences/statuses"
_CONSENT = (
    _route("GET", "/communication-preferences/definitions", consent.definitions, "v4"),
    _route("POST", f"{_STATUSES}/batch/read", consent.batch_read, "v4"),
    _route("POST", f"{_STATUSES}/batch/write", consent.batch_write, "v4"),
    _route("GET", f"{_STATUSES}/*", consent.read, "v4"),
    _route("POST", f"{_STATUSES}/*", consent.write, "v4"),
)

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
    *_LABELS,
    _route("POST", "/properties/*/batch/read", property_writes.batch_read),
    _route("POST", "/properties/*/batch/create", property_writes.batch_create),
    _route("POST", "/properties/*/batch/archive", property_writes.batch_archive),
    _route("POST", "/properties/*", property_writes.create),
    _route("PATCH", "/properties/*/*", property_writes.update),
    _route("DELETE", "/properties/*/*", property_writes.archive),
    _route("POST", "/pipelines/*", pipeline_writes.create),
    _route("PATCH", "/pipelines/*/*", pipeline_writes.update),
    _route("PUT", "/pipelines/*/*", pipeline_writes.replace),
    _route("DELETE", "/pipelines/*/*", pipeline_writes.archive),
    _route("POST", "/pipelines/*/*/stages", pipeline_writes.create_stage),
    _route("PATCH", "/pipelines/*/*/stages/*", pipeline_writes.update_stage),
    _route("PUT", "/pipelines/*/*/stages/*", pipeline_writes.replace_stage),
    _route("DELETE", "/pipelines/*/*/stages/*", pipeline_writes.archive_stage),
    _route("GET", "/lists", lists.several),
    _route("POST", "/lists", lists.create),
    _route("POST", "/lists/search", lists.search),
    _route("GET", "/lists/*", lists.one),
    _route("DELETE", "/lists/*", lists.delete),
    _route("PUT", "/lists/*/restore", lists.restore),
    _route("GET", "/lists/*/memberships", lists.memberships),
    _route("PUT", "/lists/*/memberships/add", lists.add),
    _route("PUT", "/lists/*/memberships/remove", lists.remove),
    _route("GET", "/limits/records", account_limits.records),
    _route("GET", "/limits/custom-properties", account_limits.custom_properties),
    _route("GET", "/limits/calculated-properties", account_limits.calculated_properties),
    _route("GET", "/limits/custom-object-types", account_limits.custom_objects),
    _route("GET", "/limits/pipelines", account_limits.pipelines),
    _route("GET", "/limits/associations/labels", account_limits.association_labels),
    _route("GET", "/limits/associations/records/from", account_limits.association_sources),
    _route("GET", "/limits/associations/records/*/to", account_limits.association_targets),
    _route("GET", "/limits/associations/records/*/*", account_limits.association_records),
    _route("GET", "/properties/*", metadata.properties),
    _route("GET", "/properties/*/groups", property_groups.listed),
    _route("POST", "/properties/*/groups", property_groups.create),
    _route("GET", "/properties/*/groups/*", property_groups.one),
    _route("PATCH", "/properties/*/groups/*", property_groups.update),
    _route("DELETE", "/properties/*/groups/*", property_groups.archive),
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
    _route("GET", "/imports/*/errors", account.import_errors),
    _route("POST", "/imports/*/cancel", account.import_cancelled),
    _route("GET", "/users", account.users),
    _route("GET", "/users/roles", account.roles),
    _route("GET", "/users/teams", account.teams),
    _route("GET", "/users/*", account.one_user),
    _route("GET", "/account-info/details", account.details),
    _route("GET", "/account-info/api-usage/daily/private-apps", account.usage),
    _route("GET", "/account-info/activity/login", account.login_activity),
    _route("GET", "/account-info/activity/security", account.security_activity),
    _route("GET", "/account-info/activity/audit-logs", account.audit_logs),
    _route("GET", "/property-validations/*", rules.validations),
    _route("GET", "/property-validations/*/*", rules.validations_of),
    _route("GET", "/property-validations/*/*/rule-type/*", rules.validation_of_type),
    _route("GET", "/crm-object-schemas/schemas", metadata.schemas),
    _route("GET", "/crm-object-schemas/schemas/*", metadata.one_schema),
    *_JOURNAL,
    *_CONSENT,
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
