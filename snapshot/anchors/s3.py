"""Anchor in S3 with Object Lock: one object for each checkpoint, which nobody deletes in time.

Locked in the mode COMPLIANCE, a version of an object can neither be overwritten nor deleted, nor
its lock be shortened, not even by the account's root user (Amazon S3 User Guide, "Locking objects
with Object Lock"). A delete marker or a newer version only hides it; it is read by version here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final, TypeAlias
from urllib.parse import quote

from crmtrail.anchor_config import S3Anchor
from crmtrail.errors import AnchorFailed
from snapshot.anchors.sink import Means, lacking
from snapshot.proofs import head_of

_KEY: Final = re.compile(r"(\d{20})\.note")
_TOP: Final = 10**20 - 1
"""The largest size that a key can name."""
_MOST_BYTES: Final = 65_536
_NO_LOCK: Final = {
    "ObjectLockConfigurationNotFoundError",
    "InvalidRequest",
    "NoSuchObjectLockConfiguration",
}
_TAKEN: Final = {"PreconditionFailed", "ConditionalRequestConflict"}

_Page: TypeAlias = tuple[list[tuple[str, str]], bool]


@dataclass(frozen=True, slots=True)
class _Listed:
    """Versions of notes behind a key, in the order of sizes; ``more``: the list goes on."""

    versions: tuple[tuple[int, str], ...]
    more: bool


class S3Sink:
    """`snapshot.anchors.sink.Sink` over one prefix of a bucket, by the usual AWS credentials."""

    readable = True

    def __init__(self, settings: S3Anchor, means: Means, *, names: int = 1_000) -> None:
        """``names`` is how many one request lists: a thousand at most."""
        self._settings = settings
        self._clock = means.clock
        self._names = names
        self.name = settings.name

    def newest(self, origin: str) -> str | None:
        """Return the checkpoint of the most entries.

        Raises:
            AnchorFailed: the bucket cannot be read.
        """
        largest = self._largest(origin)
        return None if largest is None else self._note(origin, largest)

    def held(self, origin: str) -> Iterator[str]:
        """Yield every checkpoint, by size: one request each, and one for a thousand names.

        Raises:
            AnchorFailed: the bucket cannot be read.
        """
        after = -1
        while True:
            listed = self._listed(origin, after)
            sizes = sorted({size for size, _ in listed.versions})
            for size in sizes:
                yield self._note(origin, size)
            if not listed.more or not sizes:
                return
            after = sizes[-1]

    def send(self, note: str, origin: str) -> None:
        """Put a checkpoint under lock and key. Durable on return.

        Raises:
            AnchorFailed: the bucket refused, has no Object Lock, or did not lock the object; or
                another checkpoint of this size is there.
        """
        self._check_lock()
        size = head_of(note).size
        key = self._key(origin, size)
        until = self._clock.now() + timedelta(days=self._settings.retain_days)
        put = {
            "Bucket": self._settings.bucket,
            "Key": key,
            "Body": note.encode(),
            "ContentType": "text/plain; charset=utf-8",
            "ObjectLockMode": "COMPLIANCE",
            "ObjectLockRetainUntilDate": until,
        }
        try:
            done = self._call("put_object", **put, IfNoneMatch="*")
        except _Refused as error:
            if error.code in _TAKEN:
                self._compare(self._note(origin, size), note)
                return
            if error.code != "NotImplemented":
                raise
            done = self._call("put_object", **put)
        self._check_locked(key, done.get("VersionId", ""), until)

    def _compare(self, there: str, note: str) -> None:
        """Accept a checkpoint that says the same, whoever signed it beside us."""
        if head_of(there) != head_of(note):
            raise AnchorFailed(f"{self.name} holds another checkpoint of the same size")

    def _check_lock(self) -> None:
        try:
            told = self._call("get_object_lock_configuration", Bucket=self._settings.bucket)
        except _Refused as error:
            if error.code not in _NO_LOCK:
                raise
            told = {}
        if told.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") != "Enabled":
            raise AnchorFailed(
                f"the bucket {self._settings.bucket} has no Object Lock: what is put there can be"
                " deleted",
                hint="make the bucket with Object Lock enabled, or use one that has it",
            )

    def _check_locked(self, key: str, version: str, until: datetime) -> None:
        """Hear from the store itself that it locks: some take the wish and do nothing."""
        told = self._call("head_object", Bucket=self._settings.bucket, Key=key, VersionId=version)
        locked_to: datetime | None = told.get("ObjectLockRetainUntilDate")
        is_long = locked_to is not None and locked_to >= until - timedelta(minutes=1)
        if told.get("ObjectLockMode") != "COMPLIANCE" or not is_long:
            raise AnchorFailed(
                f"{self.name} took the checkpoint, but does not say that it is locked",
                hint="the credentials need s3:PutObjectRetention and s3:GetObjectRetention",
            )

    def _largest(self, origin: str) -> int | None:
        """Return the largest size, in a number of requests that grows with its logarithm.

        S3 lists upwards only. So the list is entered further and further up, then in between.
        """
        listed = self._listed(origin, -1)
        above: int | None = None
        while listed.more:
            low = listed.versions[-1][0]
            middle = min(2 * low + 1, _TOP) if above is None else (low + above) // 2
            ahead = self._listed(origin, middle)
            if ahead.versions:
                listed = ahead
            elif middle == low:
                break  # all that is left to list are further versions of the largest
            else:
                above = middle
        return listed.versions[-1][0] if listed.versions else None

    def _note(self, origin: str, size: int) -> str:
        """Return a checkpoint as it was first put: later versions prove nothing."""
        key = self._key(origin, size)
        versions = [
            version for page, _ in self._pages(key, None) for name, version in page if name == key
        ]
        if not versions:
            raise AnchorFailed(f"{self.name} no longer holds {key}")
        asked = {"Bucket": self._settings.bucket, "Key": key, "VersionId": versions[-1]}
        got = self._call("get_object", **asked)
        with got["Body"] as body:
            text: bytes = body.read(_MOST_BYTES)
        return text.decode(errors="replace")

    def _listed(self, origin: str, after: int) -> _Listed:
        """List what is behind the key of a size; what is none of ours is passed over."""
        folder = self._folder(origin)
        marker = f"{folder}0" if after < 0 else self._key(origin, after)
        ours: list[tuple[int, str]] = []
        for page, more in self._pages(folder, marker):
            for name, version in page:
                if match := _KEY.fullmatch(name.removeprefix(folder)):
                    ours.append((int(match[1]), version))
            if ours:
                return _Listed(tuple(ours), more)
        return _Listed((), False)

    def _pages(self, prefix: str, marker: str | None) -> Iterator[_Page]:
        """Yield keys and version ids, newest version first, a request's worth at a time."""
        asked = {"Bucket": self._settings.bucket, "Prefix": prefix, "MaxKeys": self._names}
        if marker is not None:
            asked["KeyMarker"] = marker
        while True:
            told = self._call("list_object_versions", **asked)
            more = bool(told.get("IsTruncated"))
            yield [(one["Key"], one["VersionId"]) for one in told.get("Versions", ())], more
            if not more:
                return
            asked["KeyMarker"] = told["NextKeyMarker"]
            asked["VersionIdMarker"] = told.get("NextVersionIdMarker", "")

    def _folder(self, origin: str) -> str:
        return f"{self._settings.prefix}/{quote(origin, safe='')}/"

    def _key(self, origin: str, size: int) -> str:
        return f"{self._folder(origin)}{size:020d}.note"

    def _call(self, method: str, **asked: Any) -> Any:
        """Send one request.

        Raises:
            AnchorFailed: it failed; the words hold no key and no signature.
        """
        client = self._client
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 -- optional

        try:
            return getattr(client, method)(**asked)
        except ClientError as error:
            told = error.response.get("Error", {})
            raise _Refused(self.name, method, str(told.get("Code", "?"))) from None
        except BotoCoreError as error:
            # Its words may hold the whole URL.
            raise AnchorFailed(
                f"{self.name} cannot be reached: {type(error).__name__} on {method}",
                hint="check the credentials (usual AWS chain), region and endpoint_url",
            ) from None

    @cached_property
    def _client(self) -> Any:
        try:
            from boto3.session import Session  # noqa: PLC0415 -- optional, and dear to import
            from botocore.config import Config  # noqa: PLC0415 -- as above
            from botocore.exceptions import BotoCoreError  # noqa: PLC0415 -- as above
        except ImportError:
            raise lacking("boto3", "s3") from None
        patience = Config(
            connect_timeout=10, read_timeout=30, retries={"mode": "standard", "max_attempts": 3}
        )
        try:
            return Session().client(
                "s3",
                endpoint_url=self._settings.endpoint_url or None,
                region_name=self._settings.region or None,
                config=patience,
            )
        except (BotoCoreError, ValueError) as error:
            raise AnchorFailed(
                f"{self.name} cannot be used: {type(error).__name__}",
                hint="check the AWS profile, region and endpoint_url",
            ) from None


class _Refused(AnchorFailed):
    """The store answered, and said no."""

    def __init__(self, name: str, method: str, code: str) -> None:
        super().__init__(f"{name} refused {method}: {code}")
        self.code = code
