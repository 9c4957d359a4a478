"""Several requests in one: /composite and /composite/batch."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

from crmtrail.sandbox.http import Reply, Request
from crmtrail.sandbox.salesforce.calls import Call
from crmtrail.sandbox.salesforce.records import Records
from crmtrail.sandbox.salesforce.refusal import Refusal, unparsable

MAX_SUBREQUESTS = 25
MAX_QUERIES = 5
_FAILED = 400
_NAME = re.compile(r"[A-Za-z0-9_]+\Z")
_REFERENCE = re.compile(r"@\{([A-Za-z0-9_]+)\.?([^}]*)\}")
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_FORBIDDEN = frozenset({"accept", "authorization", "content-type"})
_HALTED = [
    {
        "errorCode": "PROCESSING_HALTED",
        "message": "The transaction was rolled back since another operation in the same"
        " transaction failed.",
    }
]
Serve = Callable[[Call, Request], Reply]


class _Undo(Exception):
    """Some subrequest failed and the request wants all or none."""


class Composite:
    """Answers composite requests; ``serve`` answers one subrequest."""

    def __init__(self, records: Records, serve: Serve) -> None:
        self._records = records
        self._serve = serve

    def answer(self, call: Call) -> Reply:
        """Answer POST /composite."""
        call.must_be("POST")
        order = call.members()
        subrequests = checked(order.get("compositeRequest"), MAX_SUBREQUESTS)
        answers = self.run(call, subrequests, all_or_none=order.get("allOrNone") is True)
        return Reply.of(200, {"compositeResponse": answers})

    def run(
        self, call: Call, subrequests: list[dict[str, Any]], *, all_or_none: bool
    ) -> list[dict[str, Any]]:
        """Carry out checked subrequests in order, in one transaction, and return their answers."""
        answers: list[dict[str, Any]] = []
        try:
            with self._records.unit(self._records.world.clock.now()):
                self._run(call, subrequests, answers)
                failed = any(item["httpStatusCode"] >= _FAILED for item in answers)
                if all_or_none and failed:
                    raise _Undo  # noqa: TRY301 -- leaves the transaction by intent
        except _Undo:
            answers = [_halted(item) for item in answers]
        return answers

    def _run(
        self, call: Call, subrequests: list[dict[str, Any]], answers: list[dict[str, Any]]
    ) -> None:
        bodies: dict[str, Any] = {}
        for item in subrequests:
            reference = item["referenceId"]
            try:
                target = _filled(str(item.get("url", "")), bodies)
                body = _filled(item.get("body"), bodies)
                reply = self._serve(call, _request(item, target, body, call.request))
            except Refusal as refusal:
                reply = refusal.reply()
            told = json.loads(reply.body) if reply.body else None
            if reply.status < _FAILED:
                bodies[reference] = told
            shown = {name: value for name, value in reply.headers.items() if name != "Content-Type"}
            answers.append(
                {
                    "body": told,
                    "httpHeaders": shown,
                    "httpStatusCode": reply.status,
                    "referenceId": reference,
                }
            )

    def batch(self, call: Call) -> Reply:
        """Answer POST /composite/batch: independent subrequests, each its own transaction."""
        call.must_be("POST")
        order = call.members()
        listed = order.get("batchRequests")
        if not _are_objects(listed):
            raise unparsable("batchRequests must be a list of objects")
        if len(listed) > MAX_SUBREQUESTS:
            raise _too_many(len(listed), MAX_SUBREQUESTS)
        results: list[dict[str, Any]] = []
        for item in listed:
            target = "/services/data/" + str(item.get("url", "")).lstrip("/")
            reply = self._serve(call, _request(item, target, item.get("richInput"), call.request))
            told = json.loads(reply.body) if reply.body else None
            results.append({"statusCode": reply.status, "result": told})
            if order.get("haltOnError") and reply.status >= _FAILED:
                break
        failed = any(item["statusCode"] >= _FAILED for item in results)
        return Reply.of(200, {"hasErrors": failed, "results": results})


def _too_many(count: int, most: int) -> Refusal:
    return Refusal(
        "LIMIT_EXCEEDED",
        f"The request has {count} subrequests, the limit is {most}",
    )


def _are_objects(listed: object) -> TypeGuard[list[dict[str, Any]]]:
    return isinstance(listed, list) and all(isinstance(item, dict) for item in listed)


def checked(listed: object, most: int) -> list[dict[str, Any]]:
    """Return the subrequests after the checks that refuse the whole request.

    Raises:
        Refusal: too many, a bad or repeated reference, a header that may not be there.
    """
    if not _are_objects(listed):
        raise unparsable("compositeRequest must be a list of objects")
    if len(listed) > most:
        raise _too_many(len(listed), most)
    seen = set()
    queries = 0
    for item in listed:
        reference = item.get("referenceId")
        if not isinstance(reference, str) or not _NAME.match(reference) or reference in seen:
            raise Refusal("INVALID_INPUT", f"referenceId must be unique and plain: {reference}")
        seen.add(reference)
        queries += bool(re.search(r"/(query|queryAll|composite/sobjects)\b", str(item.get("url"))))
        headers = item.get("httpHeaders") or {}
        if not isinstance(headers, dict) or _FORBIDDEN & {name.lower() for name in headers}:
            raise Refusal("INVALID_INPUT", f"header not allowed in a subrequest: {list(headers)}")
    if queries > MAX_QUERIES:
        raise Refusal(
            "LIMIT_EXCEEDED",
            f"at most {MAX_QUERIES} subrequests may be queries or collections",
        )
    return listed


def _request(item: Mapping[str, Any], target: str, body: object, outer: Request) -> Request:
    headers = {name.lower(): str(value) for name, value in (item.get("httpHeaders") or {}).items()}
    headers["authorization"] = outer.headers.get("authorization", "")
    encoded = b"" if body is None else json.dumps(body).encode()
    method = str(item.get("method", "")).upper()
    parsed = Request.parse(method, target, headers, encoded)
    return Request(parsed.method, parsed.path, parsed.query, headers, encoded, target, outer.fault)


def _filled(value: Any, bodies: Mapping[str, Any]) -> Any:
    """Put earlier answers in place of references such as @{ref.id}."""
    if isinstance(value, str):
        whole = _REFERENCE.fullmatch(value)
        if whole:
            return _looked_up(whole, bodies)
        return _REFERENCE.sub(lambda match: str(_looked_up(match, bodies)), value)
    if isinstance(value, list):
        return [_filled(item, bodies) for item in value]
    if isinstance(value, dict):
        return {key: _filled(item, bodies) for key, item in value.items()}
    return value


def _looked_up(match: re.Match[str], bodies: Mapping[str, Any]) -> Any:
    wrong = Refusal(
        "PROCESSING_HALTED", f"Invalid reference specified. No value for {match[0]} found"
    )
    if match[1] not in bodies:
        raise wrong
    value = bodies[match[1]]
    for name, number in _STEP.findall(match[2]):
        try:
            value = value[int(number)] if number else value[name]
        except (KeyError, IndexError, TypeError):
            raise wrong from None
    return value


def _halted(item: dict[str, Any]) -> dict[str, Any]:
    if item["httpStatusCode"] >= _FAILED:
        return item
    return item | {"body": _HALTED, "httpHeaders": {}, "httpStatusCode": _FAILED}
