"""The rules: each looks at one operation and claims something, in numbers, or says nothing."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeAlias

from crmtrail.config import (
    BlankingConfig,
    MassUpdateConfig,
    RulesConfig,
    WholeRecordsConfig,
)
from crmtrail.detection.emptiness import is_blank
from crmtrail.model import (
    ActorKind,
    Field,
    FieldTally,
    Finding,
    Op,
    Operation,
    Severity,
    Token,
    readable,
    value_of,
)
from crmtrail.ports import Scene

_SAFE: Final = 1 << 53

Rule: TypeAlias = Callable[[Operation, Scene], Finding | None]


def judge(operation: Operation, scene: Scene, rules: RulesConfig) -> Finding | None:
    """Return the strongest claim about an operation; weaker ones go into its evidence.

    One operation is one incident, however many rules it breaks.
    """
    claims = [
        claim
        for claim in (
            blanking(operation, scene, rules.blanking),
            mass_update(operation, scene, rules.mass_update, rules.blanking),
            *(
                whole_records(operation, scene, settings, rule)
                for rule, settings in (
                    ("mass_delete", rules.mass_delete),
                    ("mass_merge", rules.mass_merge),
                    ("mass_create", rules.mass_create),
                )
            ),
        )
        if claim is not None
    ]
    if not claims:
        return None
    first, *others = claims
    also = {other.rule: list(other.fields) for other in others}
    return replace(first, evidence={**first.evidence, "also": also}) if also else first


def blanking(operation: Operation, scene: Scene, settings: BlankingConfig) -> Finding | None:
    """Claim that values were turned to nothing on many records."""
    if not settings.enabled or operation.op is not Op.UPDATE:
        return None
    hit = [
        tally
        for tally in _judged(operation, scene, settings.ignore_fields)
        if min(tally.blanked, operation.blanked) >= settings.min_records
    ]
    if not hit:
        return None
    names = tuple(tally.field for tally in hit)
    records = min(operation.blanked, sum(tally.blanked for tally in hit))
    return Finding(
        rule="blanking",
        operation=operation.id,
        severity=_severity(records, scene.population),
        title=f"{operation.actor} blanked {_listed(names)} {_reach(records, scene)}",
        why=_why(records, operation, settings.min_records),
        records=records,
        fields=names,
        evidence=_evidence(operation, scene, hit),
    )


def mass_update(
    operation: Operation, scene: Scene, settings: MassUpdateConfig, empty: BlankingConfig
) -> Finding | None:
    """Claim that one actor wrote the same value, or very many values, to many records."""
    if (
        not settings.enabled
        or operation.op is not Op.UPDATE
        or operation.actor.kind is ActorKind.SYSTEM
    ):
        return None
    fields = _fields(scene)
    hit = [
        tally
        for tally in _judged(operation, scene, settings.ignore_fields)
        if _is_mass(tally, operation, settings)
        and not _is_blanked(tally, fields.get(tally.field), empty)
    ]
    if not hit:
        return None
    names = tuple(tally.field for tally in hit)
    records = min(operation.records, max(tally.changed for tally in hit))
    to = f" to {value_of(hit[0].top[0][0])!r}" if _constant(hit[0], settings) else ""
    return Finding(
        rule="mass_update",
        operation=operation.id,
        severity=_severity(records, scene.population),
        title=f"{operation.actor} changed {_listed(names)}{to} {_reach(records, scene)}",
        why=_why(records, operation, settings.min_records),
        records=records,
        fields=names,
        evidence=_evidence(operation, scene, hit),
    )


_DONE: Final[Mapping[str, tuple[Op, str]]] = {
    "mass_delete": (Op.DELETE, "deleted"),
    "mass_merge": (Op.MERGE, "merged away"),
    "mass_create": (Op.CREATE, "created"),
}


def whole_records(
    operation: Operation, scene: Scene, settings: WholeRecordsConfig, rule: str
) -> Finding | None:
    """Claim that one actor deleted, merged away or created many records."""
    op, done = _DONE[rule]
    if (
        not settings.enabled
        or operation.op is not op
        or operation.actor.kind is ActorKind.SYSTEM
        or operation.records < settings.min_records
    ):
        return None
    records = operation.records
    # Those that are gone are no part of the population any more.
    population = scene.population + (0 if op is Op.CREATE else records)
    return Finding(
        rule=rule,
        operation=operation.id,
        severity=_severity(records, population),
        title=f"{operation.actor} {done} {records:,} {scene.object} records",
        why=_why(records, operation, settings.min_records),
        records=records,
        fields=(),
        evidence=_evidence(operation, scene, ()),
    )


def _judged(operation: Operation, scene: Scene, ignored: Iterable[str]) -> list[FieldTally]:
    """Return the tallies of fields that somebody writes: neither computed nor ignored."""
    fields = _fields(scene)
    passed_over = set(ignored)
    return [
        tally
        for name, tally in operation.tallies.items()
        if name not in passed_over and not (name in fields and fields[name].computed)
    ]


def _fields(scene: Scene) -> Mapping[str, Field]:
    return {} if scene.schema is None else scene.schema.fields


def _constant(tally: FieldTally, settings: MassUpdateConfig) -> bool:
    return bool(tally.top) and tally.top[0][1] >= settings.same_value_share * tally.changed


def _is_mass(tally: FieldTally, operation: Operation, settings: MassUpdateConfig) -> bool:
    # A tally counts changes, and one record may change a thousand times.
    reached = min(tally.changed, operation.records)
    same = reached >= settings.min_records and _constant(tally, settings)
    return same or reached >= settings.any_value_records


def _is_blanked(tally: FieldTally, field: Field | None, empty: BlankingConfig) -> bool:
    """Whether the mass value is nothing: then the blanking rule speaks, or deliberately not."""
    return bool(tally.top) and is_blank(tally.top[0][0], field, empty.sentinels)


def _severity(records: int, population: int) -> Severity:
    share = records / population if population else 0.0
    if records >= 1000 or (share >= 0.5 and records >= 50):  # noqa: PLR2004 -- the scale itself
        return Severity.CRITICAL
    if records >= 100 or share >= 0.1:  # noqa: PLR2004 -- the scale itself
        return Severity.HIGH
    return Severity.MEDIUM


def _listed(names: tuple[str, ...]) -> str:
    shown = 3
    if len(names) <= shown:
        return ", ".join(names)
    return ", ".join(names[:shown]) + f" and {len(names) - shown} more fields"


def _reach(records: int, scene: Scene) -> str:
    of = f" of {scene.population:,}" if scene.population >= records else ""
    return f"on {records:,}{of} {scene.object} records"


def _why(records: int, operation: Operation, threshold: int) -> str:
    seconds = (operation.ended - operation.started).total_seconds()
    return f"{records:,} records within {_span(seconds)}; the rule fires at {threshold:,}"


def _span(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 1):.0f} s"


def _shown(token: Token) -> Any:
    """Return a value as any reader of JSON can have it; others come as their exact text."""
    value = value_of(token)
    if isinstance(value, str):
        return readable(value)
    exact = value is None or (isinstance(value, int) and abs(value) < _SAFE)
    return value if exact else token


def _evidence(operation: Operation, scene: Scene, hit: Iterable[FieldTally]) -> dict[str, Any]:
    return {
        "window_s": (operation.ended - operation.started).total_seconds(),
        "population": scene.population,
        "share": round(operation.records / scene.population, 4) if scene.population else None,
        "fields": {
            tally.field: {
                "changed": tally.changed,
                "blanked": tally.blanked,
                "top": [[_shown(token), count] for token, count in tally.top[:3]],
            }
            for tally in hit
        },
    }
