"""Batches: read, create, update, upsert, archive. Results come in no particular order."""

from collections.abc import Sequence
from typing import Any

from crmtrail.sandbox.http import Reply
from crmtrail.sandbox.hubspot import objects
from crmtrail.sandbox.hubspot.object_types import ObjectType, object_type
from crmtrail.sandbox.hubspot.portal import Call, Portal, writing
from crmtrail.sandbox.hubspot.records import Record
from crmtrail.sandbox.hubspot.refusal import Refusal, invalid
from crmtrail.sandbox.hubspot.render import Renderer, Wanted
from crmtrail.sandbox.hubspot.validate import Checked, refusal
from crmtrail.sandbox.hubspot.values import iso

_MOST = 100
_MOST_WITH_HISTORY = 50

Input = dict[str, Any]


def _answer(
    portal: Portal,
    call: Call,
    results: list[dict[str, Any]],
    errors: Sequence[dict[str, Any]],
    status: int = 200,
) -> Reply:
    """Shuffle results; errors make it a 207, except in 2026-09, which folds them into the 200."""
    now = portal.store.now()
    portal.world.random(f"shuffle/{now}/{len(results)}").shuffle(results)
    body: dict[str, Any] = {"status": "COMPLETE", "results": results}
    if errors:
        status = 200 if call.version == "2026-09" else 207
        body |= {"numErrors": len(errors), "errors": list(errors)}
    return Reply.of(status, body | {"startedAt": iso(now), "completedAt": iso(now)})


def _missing(kind: ObjectType, ids: Sequence[str], traces: Sequence[str] = ()) -> dict[str, Any]:
    context = {"ids": list(ids)} | ({"objectWriteTraceId": list(traces)} if traces else {})
    return {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "message": f"Could not get some {kind.label} objects, they may be deleted or not exist. "
        "Check that ids are valid.",
        "context": context,
    }


def _refused(given: Input) -> dict[str, Any]:
    """Return the error of an input that the half-batch fault leaves out."""
    context = {"ids": [str(given["id"])]} if "id" in given else {}
    return {
        "status": "error",
        "category": "VALIDATION_ERROR",
        "message": "The record could not be written.",
        "context": context | _trace_context(given),
    }


def _trace_context(given: Input) -> dict[str, list[str]]:
    trace = given.get("objectWriteTraceId")
    return {"objectWriteTraceId": [str(trace)]} if trace else {}


def _split(call: Call, inputs: list[Input]) -> tuple[list[Input], list[dict[str, Any]]]:
    """Return the inputs to carry out, and errors for those the fault leaves out."""
    if not call.half:
        return inputs, []
    return inputs[::2], [_refused(given) for given in inputs[1::2]]


def _key(given: Input) -> str:
    key = given.get("id")
    if not isinstance(key, (str, int)) or key == "":
        raise invalid("Some required fields were not set: [id]")
    return str(key)


def _refuse_repeats(keys: list[str]) -> None:
    repeated = sorted({key for key in keys if keys.count(key) > 1})
    if repeated:
        raise invalid(f"Duplicate IDs found in batch input: [{', '.join(repeated)}]")


def read(portal: Portal, call: Call) -> Reply:
    """POST /objects/{type}/batch/read: 100 inputs, 50 when history is wanted."""
    kind = object_type(call.parts[0])
    body = call.body()
    wanted = Wanted.of_body(body)
    inputs = call.inputs(_MOST)
    if wanted.history and len(inputs) > _MOST_WITH_HISTORY:
        raise invalid(
            "The maximum number of inputs supported in a batch request for property histories "
            f"is {_MOST_WITH_HISTORY}"
        )
    portal.store.purge_bin()
    keys = list(dict.fromkeys(_key(given) for given in inputs))
    found = _by_key(portal, kind, keys, body.get("idProperty"))
    archived = call.flag("archived")
    alive = {key: rec for key, rec in found.items() if (rec.archived is not None) == archived}
    distinct = {record.id: record for record in alive.values()}
    results = Renderer(portal, call, kind, wanted).show(list(distinct.values()))
    missing = [key for key in keys if key not in alive]
    return _answer(portal, call, results, [_missing(kind, missing)] if missing else [])


def _by_key(
    portal: Portal, kind: ObjectType, keys: list[str], id_property: str | None
) -> dict[str, Record]:
    if not id_property or id_property == "hs_object_id":
        found = portal.store.many(kind, [int(key) for key in keys if key.isdigit()])
        return {key: found[int(key)] for key in keys if key.isdigit() and int(key) in found}
    pairs = ((key, objects.find(portal, kind, key, id_property)) for key in keys)
    return {key: record for key, record in pairs if record is not None}


def _shown(
    portal: Portal, call: Call, record: Record, checked: Checked, given: Input
) -> dict[str, Any]:
    shown = objects.written(portal, call, record, checked)
    if portal.switches.trace_echo and (trace := given.get("objectWriteTraceId")):
        shown["objectWriteTraceId"] = trace
    return shown


def create(portal: Portal, call: Call) -> Reply:
    """POST /objects/{type}/batch/create: one bad input fails all, unless all carry trace ids."""
    kind = object_type(call.parts[0])
    objects.may_write(call, kind)
    inputs, errors = _split(call, call.inputs(_MOST))
    if kind.name == "line_items":
        inputs = _merge_identical(inputs)
    traced = all(given.get("objectWriteTraceId") for given in inputs)
    by = writing(portal, call)
    results = []
    for given in inputs:
        try:
            checked = objects.check_new(portal, call, kind, given.get("properties"))
        except Refusal as refused:
            if not traced:
                raise
            context = refused.context | _trace_context(given)
            errors.append(refused.body() | {"context": context})
            continue
        record = objects.make(portal, kind, checked, given.get("associations") or [], by)
        results.append(_shown(portal, call, record, checked, given))
    return _answer(portal, call, results, errors, 201)


def _merge_identical(inputs: list[Input]) -> list[Input]:
    """Identical line items become one, without a word."""
    kept: list[Input] = []
    for given in inputs:
        if all(given.get("properties") != other.get("properties") for other in kept):
            kept.append(given)
    return kept


def update(portal: Portal, call: Call) -> Reply:
    """POST /objects/{type}/batch/update: a bad value fails all, a missing id only itself."""
    kind = object_type(call.parts[0])
    objects.may_write(call, kind)
    inputs, errors = _split(call, call.inputs(_MOST))
    _refuse_repeats([_key(given) for given in inputs])
    ready: list[tuple[Record, Checked, Input]] = []
    lost: list[Input] = []
    flaws = []
    for given in inputs:
        record = objects.find(portal, kind, _key(given), given.get("idProperty"))
        if record is None or record.archived is not None:
            lost.append(given)
            continue
        checked = objects.check_change(portal, call, record, given.get("properties"))
        if checked.flaws and portal.switches.update_in_part and given.get("objectWriteTraceId"):
            errors.append(refusal(checked.flaws).body() | {"context": _trace_context(given)})
            continue
        flaws += checked.flaws
        ready.append((record, checked, given))
    Checked(flaws=flaws).require()
    by = writing(portal, call)
    results = []
    for record, checked, given in ready:
        objects.refuse_taken(portal, kind, checked, record)
        portal.writer.change(record, checked.values, by)
        results.append(_shown(portal, call, record, checked, given))
    return _answer(portal, call, results, errors + _lost(kind, lost))


def _lost(kind: ObjectType, inputs: list[Input]) -> list[dict[str, Any]]:
    """Return one error for each traced input and one for all the others together."""
    traced = [given for given in inputs if given.get("objectWriteTraceId")]
    rest = [_key(given) for given in inputs if not given.get("objectWriteTraceId")]
    errors = [_missing(kind, [_key(given)], [str(given["objectWriteTraceId"])]) for given in traced]
    return errors + ([_missing(kind, rest)] if rest else [])


def upsert(portal: Portal, call: Call) -> Reply:
    """POST /objects/{type}/batch/upsert, by a unique property."""
    kind = object_type(call.parts[0])
    objects.may_write(call, kind)
    inputs, errors = _split(call, call.inputs(_MOST))
    _refuse_repeats([_key(given) for given in inputs])
    by = writing(portal, call)
    results = []
    for given in inputs:
        name = given.get("idProperty")
        record = objects.find(portal, kind, _key(given), name)
        new = record is None or record.archived is not None
        if record is None or record.archived is not None:
            if not name or name == "hs_object_id":
                errors.append(_missing(kind, [_key(given)]))
                continue
            fresh = {name: _key(given)} | (given.get("properties") or {})
            checked = objects.check_new(portal, call, kind, fresh)
            record = objects.make(portal, kind, checked, [], by)
        else:
            checked = objects.check_change(portal, call, record, given.get("properties")).require()
            objects.refuse_taken(portal, kind, checked, record)
            portal.writer.change(record, checked.values, by)
        results.append(_shown(portal, call, record, checked, given) | {"new": new})
    return _answer(portal, call, results, errors)


def archive(portal: Portal, call: Call) -> Reply:
    """POST /objects/{type}/batch/archive; unknown ids are passed over in silence."""
    kind = object_type(call.parts[0])
    objects.may_write(call, kind)
    inputs, errors = _split(call, call.inputs(_MOST))
    by = writing(portal, call)
    keys = [int(_key(given)) for given in inputs if _key(given).isdigit()]
    for record in portal.store.many(kind, keys).values():
        portal.writer.archive(record, by)
    return _answer(portal, call, [], errors) if errors else Reply(204)
