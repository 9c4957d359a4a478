"""Describes for the price of few requests: 25 in one, and only those that changed.

Source: "Composite" and "sObject Describe" of the REST API Developer Guide. A composite request
takes 25 parts and counts as one call. A part with If-Modified-Since is answered by 304 where the
object's metadata did not change.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import msgspec

from connectors.salesforce.answers import Answer, Refusal, understand
from connectors.salesforce.client import Client
from connectors.salesforce.schema import Describe, Known, know
from crmtrail.errors import CrmtrailError, PermissionMissing, Unavailable
from crmtrail.ports import Clock

MOST = 25
"""How many parts a composite request takes."""

_FRESH = timedelta(seconds=60)
"""How long a describe that came along with another one is good for."""

_ABSENT = timedelta(hours=1)
"""How long an object that is not there is not asked for along with others."""

_WHOLE = timedelta(hours=24)
"""After so long a describe is asked for whatever its Last-Modified says: nothing documented
promises that it moves when a permission does."""


class _Part(msgspec.Struct, rename="camel"):
    """The answer to one part of a composite request."""

    http_status_code: int
    reference_id: str
    body: msgspec.Raw = msgspec.Raw(b"null")
    http_headers: dict[str, Any] | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, by their names in lower case."""
        return {name.lower(): str(value) for name, value in (self.http_headers or {}).items()}


class _Composite(msgspec.Struct, rename="camel"):
    composite_response: list[_Part]


@dataclass(frozen=True, slots=True)
class _Heard:
    """What was heard of one object at ``at``: its describe, or why there is none.

    ``modified`` is its Last-Modified as told, ``whole_at`` when it last came whole. ``waits``:
    it came along with another one, and nobody has asked for it since.
    """

    at: datetime
    known: Known | None = None
    error: CrmtrailError | None = None
    modified: str = ""
    whole_at: datetime | None = None
    waits: bool = True


class Describing:
    """The describes of one org, as far as they were asked for.

    ``others`` names the objects that will be asked for too, in that order.
    """

    def __init__(self, client: Client, clock: Clock, others: Callable[[], Sequence[str]]) -> None:
        self._client = client
        self._clock = clock
        self._others = others
        self._heard: dict[str, _Heard] = {}
        self._most = MOST
        self._composite = True

    def known(self, object_: str) -> Known | None:
        """Return an object as last described; None where it never was. Sends no request."""
        heard = self._heard.get(object_)
        return heard.known if heard else None

    def learn(self, object_: str) -> Known:
        """Return an object as of now, or of the last minute where it came along with another.

        Raises:
            Refusal: there is no such object, or the identity cannot see it.
        """
        heard = self._heard.get(object_)
        if heard is None or not heard.waits or self._age(heard) > _FRESH:
            self._ask([object_, *self._along(object_)])
        return self._served(object_)

    def again(self, object_: str) -> Known:
        """Return an object as of now, whatever was heard of it before."""
        self._single(object_)
        return self._served(object_)

    def _served(self, object_: str) -> Known:
        heard = self._heard.get(object_)
        if heard is None:
            raise Unavailable(f"Salesforce answered no describe of {object_}")
        self._heard[object_] = replace(heard, waits=False)
        if heard.error is not None:
            raise heard.error
        if heard.known is None:
            raise Unavailable(f"Salesforce answered no describe of {object_}")
        return heard.known

    def _age(self, heard: _Heard) -> timedelta:
        return self._clock.now() - heard.at

    def _along(self, object_: str) -> Sequence[str]:
        """Return which describes to take along: of what is asked for next, and is not fresh."""
        others = list(dict.fromkeys(self._others()))
        if object_ not in others:
            return []
        here = others.index(object_)
        following = others[here + 1 :] + others[:here]
        return [one for one in following if self._is_due(one)][: MOST - 1]

    def _is_due(self, object_: str) -> bool:
        heard = self._heard.get(object_)
        return heard is None or self._age(heard) > (_ABSENT if heard.error else _FRESH)

    def _since(self, object_: str) -> str:
        """Return the Last-Modified to ask against; empty where the whole describe is wanted."""
        heard = self._heard.get(object_)
        if heard is None or heard.known is None or heard.whole_at is None:
            return ""
        return heard.modified if self._clock.now() - heard.whole_at <= _WHOLE else ""

    def _ask(self, objects: Sequence[str]) -> None:
        """Describe the first of some objects, and the others along with it where that works."""
        asked = objects[: self._most]
        if not self._composite or (len(asked) == 1 and not self._since(asked[0])):
            self._single(asked[0])
            return
        try:
            answer = self._client.ask("composite", _Composite, self._order(asked))
        except (Refusal, PermissionMissing):
            # An org may serve describes and refuse composite requests.
            self._composite = False
            self._single(asked[0])
            return
        except Unavailable:
            # It may have been too much at once; whoever tries again asks for less.
            self._composite = len(asked) > 1
            self._most = max(1, self._most // 5)
            raise
        self._most = min(MOST, self._most * 5)
        self._note(asked, answer)

    def _order(self, objects: Sequence[str]) -> bytes:
        root = urlsplit(self._client.base_url).path
        parts = []
        for number, name in enumerate(objects):
            part: dict[str, Any] = {
                "method": "GET",
                "url": f"{root}sobjects/{name}/describe",
                "referenceId": f"d{number}",
            }
            if since := self._since(name):
                part["httpHeaders"] = {"If-Modified-Since": since}
            parts.append(part)
        return msgspec.json.encode({"allOrNone": False, "compositeRequest": parts})

    def _note(self, asked: Sequence[str], answer: _Composite) -> None:
        told = {part.reference_id: part for part in answer.composite_response}
        for number, name in enumerate(asked):
            part = told.get(f"d{number}")
            heard = None if part is None else self._understood(name, part)
            if heard is not None:
                self._heard[name] = heard
            elif number == 0:
                self._single(name)

    def _understood(self, name: str, part: _Part) -> _Heard | None:
        """Return what a part says; None where it says nothing of the object itself."""
        now, before = self._clock.now(), self._heard.get(name)
        if part.http_status_code == HTTPStatus.NOT_MODIFIED and before is not None:
            return replace(before, at=now, waits=True)
        if part.http_status_code == HTTPStatus.OK:
            try:
                told = msgspec.json.decode(part.body, type=Describe)
            except msgspec.MsgspecError:
                return None
            modified = part.headers.get("last-modified", "")
            known = know(self._client.source, told, name)
            return _Heard(now, known, modified=modified, whole_at=now)
        if part.http_status_code != HTTPStatus.NOT_FOUND:
            return None
        content = msgspec.json.decode(part.body)
        found = Answer(
            self._client.source,
            part.http_status_code,
            content,
            part.headers,
            self._client.told_at,
        )
        return _Heard(now, error=understand(found, writing=False))

    def _single(self, name: str) -> None:
        """Describe one object in a request of its own.

        Raises:
            Refusal: there is no such object, or the identity cannot see it.
        """
        path = f"sobjects/{name}/describe"
        try:
            told = self._client.get(path, Describe)
        except Refusal as refusal:
            if refusal.is_absence:
                self._heard[name] = _Heard(self._clock.now(), error=refusal)
            raise
        now = self._clock.now()
        known = know(self._client.source, told, name)
        self._heard[name] = _Heard(now, known, modified=self._client.modified, whole_at=now)
