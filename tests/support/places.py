"""One place of each kind that keeps checkpoints, to be tested: how to break it, and mend it."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest

from crmtrail.anchor_config import (
    CrmAnchor,
    FileAnchor,
    GitAnchor,
    MessageAnchor,
    S3Anchor,
    TimestampAnchor,
)
from crmtrail.clock import SystemClock
from crmtrail.model import NULL, Answer, Field, FieldType, Schema, Verdict
from snapshot.anchors.crm import CrmSink
from snapshot.anchors.file import FileSink
from snapshot.anchors.git import GitSink
from snapshot.anchors.message import MessageSink
from snapshot.anchors.s3 import S3Sink
from snapshot.anchors.sink import Means
from snapshot.anchors.timestamp import TimestampSink
from snapshot.notes import Head
from snapshot.signing import KeyRing, SigningKey
from support.memory_connector import MemoryConnector, Ticking
from support.outside import SECRET, USER, Authority, http_server, s3_client, s3_of_the_session
from support.restoring import ADA

MINE = "acme.example/crmtrail"
OTHER = "acme.example/crmtrail-two"
TOKEN = "canary-token-of-the-chat"
RECORD = "sf:Account:001A"
SHORT = 255
NUMBERS = count()


def note(size, origin=MINE, *others):
    ring = KeyRing(SigningKey(origin, bytes(32)))
    return str(ring.sign(str(Head(origin, size, size.to_bytes(32))), *others))


def git(path, *arguments):
    done = subprocess.run(
        ["git", "-C", str(path), *arguments],  # noqa: S607 -- the git of the PATH is meant
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def nowhere(source, *, restoring=False):
    raise AssertionError("only the anchor in the CRM asks for the CRM")


MEANS = Means(SystemClock(), nowhere)


@dataclass(frozen=True)
class Opening:
    """Gives out the CRM, as each of the two identities sees it."""

    reading: MemoryConnector
    writing: MemoryConnector

    def __call__(self, source, *, restoring=False):
        assert source == "sf"
        return self.writing if restoring else self.reading


@dataclass
class Place:
    """One place: its sink, how to break it and mend it, and what it can do."""

    settings: Any
    sink: Any
    breaking: Any
    told: str
    means: Means = MEANS
    shared: bool = True
    """Whether two ledgers can share it."""
    secrets: tuple[str, ...] = ()


def file_sink(folder):
    return FileSink(FileAnchor(kind="file", path=folder / "checkpoints"), MEANS)


def git_sink(folder, **more):
    if not more:
        git(folder, "init", "--quiet", str(folder / "repo"))
    return GitSink(GitAnchor(kind="git", path=folder / "repo", **more), MEANS)


def a_file(folder, stack):
    def breaking():
        (folder / "checkpoints").unlink()
        (folder / "checkpoints").mkdir()
        return (folder / "checkpoints").rmdir

    settings = FileAnchor(kind="file", path=folder / "checkpoints")
    return Place(settings, file_sink(folder), breaking, str(folder))


def a_repository(folder, stack):
    def breaking():
        lock = folder / "repo" / ".git" / "index.lock"
        lock.touch()
        return lock.unlink

    settings = GitAnchor(kind="git", path=folder / "repo")
    return Place(settings, git_sink(folder), breaking, str(folder))


def a_message(folder, stack):
    box = Box()
    url = stack.enter_context(http_server(box.take)).removeprefix("http://")
    settings = MessageAnchor(kind="message", to="auditors", apprise_url=f"json://{url}/{TOKEN}")

    def breaking():
        box.status = 500
        return lambda: setattr(box, "status", 200)

    told = "message:auditors"
    return Place(settings, MessageSink(settings, MEANS), breaking, told, secrets=(TOKEN, url))


@dataclass
class Box:
    """Takes messages as JSON."""

    status: int = 200
    taken: list[dict] = field(default_factory=list)

    def take(self, _headers, body):
        if self.status == 200:
            self.taken.append(json.loads(body))
        return self.status, b""


def an_authority(folder, stack, *, chain=False, **more):
    authority = stack.enter_context(Authority(folder / "tsa", chain=chain).serving())
    (folder / "tokens").mkdir()
    named = {"url": authority.url, "folder": folder / "tokens", "ca_file": authority.ca} | more
    settings = TimestampAnchor(kind="timestamp", **named)

    def breaking():
        authority.moods[:] = [404]
        return authority.moods.clear

    sink = TimestampSink(settings, MEANS, sleep=lambda _: None)
    return Place(settings, sink, breaking, authority.url), authority


def a_timestamp(folder, stack):
    return an_authority(folder, stack)[0]


def a_crm(folder, stack, *, length=SHORT, value=NULL, **more):
    described = Field("Proof__c", FieldType.TEXT, max_length=length, **more)
    schema = Schema("sf", "Account", {"Proof__c": described})
    crm = MemoryConnector(schema, Ticking())
    crm.create("001A", {"Proof__c": value}, ADA)
    settings = CrmAnchor(kind="crm", source="sf", record=RECORD, field="Proof__c")

    def breaking():
        crm.refusals = {"001A": Answer("checkpoint", Verdict.REFUSED, "RULE", "not today")}
        return crm.refusals.clear

    means = Means(SystemClock(), Opening(crm, crm))
    return Place(settings, CrmSink(settings, means), breaking, "RULE", means, shared=False), crm


@contextmanager
def locked_bucket(monkeypatch: pytest.MonkeyPatch) -> "Iterator[Bucket]":
    """Give a bucket with Object Lock, and put its credentials into the environment."""
    url = s3_of_the_session()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", USER)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/none")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/none")
    client = s3_client(url)
    with suppress(client.exceptions.BucketAlreadyOwnedByYou):
        client.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    yield Bucket("locked", url, client, prefix=f"test/{next(NUMBERS)}")
    client.close()


@dataclass
class Bucket:
    """A bucket with Object Lock, and a prefix in it for one test."""

    name: str
    url: str
    client: Any
    prefix: str

    def settings(self, **more):
        return S3Anchor(
            kind="s3",
            bucket=more.pop("bucket", self.name),
            prefix=self.prefix,
            endpoint_url=more.pop("endpoint_url", self.url),
            region="us-east-1",
            retain_days=more.pop("retain_days", 2),
            **more,
        )

    def sink(self, *, names=1_000, **more):
        return S3Sink(self.settings(**more), MEANS, names=names)

    def key(self, size, origin="acme.example%2Fcrmtrail"):
        return f"{self.prefix}/{origin}/{size:020d}.note"

    def put(self, key, text):
        return self.client.put_object(Bucket=self.name, Key=key, Body=text.encode())["VersionId"]


def a_bucket(bucket):
    def breaking():
        key = bucket.key(2)
        _, _, signed = note(2).partition("\n\n")
        version = bucket.put(key, f"{Head(MINE, 2, bytes(32))}\n{signed}")
        return lambda: bucket.client.delete_object(Bucket=bucket.name, Key=key, VersionId=version)

    settings = bucket.settings()
    return Place(settings, S3Sink(settings, MEANS), breaking, bucket.name, secrets=(SECRET,))


KINDS = {
    "file": a_file,
    "git": a_repository,
    "message": a_message,
    "s3": a_bucket,
    "timestamp": a_timestamp,
    "crm": lambda folder, stack: a_crm(folder, stack)[0],
}
