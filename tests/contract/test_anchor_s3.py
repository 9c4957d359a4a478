"""What a bucket with Object Lock promises, against a server that enforces it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from crmtrail.errors import AnchorFailed
from snapshot.anchors.s3 import S3Sink
from snapshot.notes import Head
from snapshot.signing import SigningKey
from support.lax_s3 import lax_s3
from support.outside import SECRET
from support.places import MEANS, MINE, Bucket, locked_bucket, note


@pytest.fixture
def bucket(monkeypatch) -> Iterator[Bucket]:
    with locked_bucket(monkeypatch) as opened:
        yield opened


def denied(call, **asked):
    with pytest.raises(ClientError) as caught:
        call(**asked)
    return caught.value.response["Error"]["Code"]


def test_nobody_can_delete_overwrite_or_unlock_a_checkpoint(bucket):
    sink = bucket.sink()
    sink.send(note(5), MINE)
    one = {"Bucket": bucket.name, "Key": bucket.key(5)}
    head = bucket.client.head_object(**one)
    left = head["ObjectLockRetainUntilDate"] - datetime.now(UTC)
    assert head["ObjectLockMode"] == "COMPLIANCE"
    assert timedelta(days=1, hours=23) < left <= timedelta(days=2)
    version = {"VersionId": head["VersionId"]}
    crm = bucket.client
    assert denied(crm.delete_object, **one, **version) == "AccessDenied"
    assert (
        denied(crm.delete_object, **one, **version, BypassGovernanceRetention=True)
        == "AccessDenied"
    )
    shorter = {"Mode": "COMPLIANCE", "RetainUntilDate": datetime.now(UTC) + timedelta(hours=1)}
    assert denied(crm.put_object_retention, **one, **version, Retention=shorter) == "AccessDenied"
    assert denied(crm.put_object, **one, Body=b"x", IfNoneMatch="*") == "PreconditionFailed"


def test_what_hides_a_checkpoint_does_not_hide_it_from_us(bucket):
    sink = bucket.sink()
    sink.send(note(4), MINE)
    sink.send(note(5), MINE)
    bucket.put(bucket.key(5), note(5).replace("5", "6"))
    bucket.client.delete_object(Bucket=bucket.name, Key=bucket.key(5))
    bucket.client.delete_object(Bucket=bucket.name, Key=bucket.key(4))
    assert sink.newest(MINE) == note(5)
    assert list(sink.held(MINE)) == [note(4), note(5)]


@pytest.mark.parametrize("names", [1, 2, 3, 1_000])
def test_the_newest_is_found_however_the_list_is_cut(bucket, names):
    sink = bucket.sink(names=names)
    sizes = [0, 1, 2, 3, 9, 10, 11, 500, 501, 502, 10**12]
    for no, size in enumerate(sizes):
        sink.send(note(size), MINE)
        if size == 11:
            for text in "abc":
                bucket.put(bucket.key(size), text)
                bucket.put(f"{bucket.prefix}/acme.example%2Fcrmtrail/zz{text}", text)
        assert sink.newest(MINE) == note(size), no
    assert list(sink.held(MINE)) == [note(size) for size in sizes]


def test_the_same_checkpoint_is_put_once_and_another_of_its_size_is_told(bucket):
    sink = bucket.sink()
    sink.send(note(5), MINE)
    handed_over = note(5, MINE, SigningKey(MINE, bytes([1] * 32)))
    sink.send(handed_over, MINE)
    listed = bucket.client.list_object_versions(Bucket=bucket.name, Prefix=bucket.prefix)
    assert len(listed["Versions"]) == 1
    _, _, signed = note(5).partition("\n\n")
    with pytest.raises(AnchorFailed, match="another checkpoint of the same size"):
        sink.send(f"{Head(MINE, 5, bytes(32))}\n{signed}", MINE)


def test_a_bucket_without_object_lock_is_refused(bucket):
    plain = f"{bucket.name}plain"
    bucket.client.create_bucket(Bucket=plain)
    with pytest.raises(AnchorFailed, match="has no Object Lock"):
        bucket.sink(bucket=plain).send(note(5), MINE)
    assert not bucket.client.list_object_versions(Bucket=plain).get("Versions")
    with pytest.raises(AnchorFailed, match="NoSuchBucket"):
        bucket.sink(bucket=f"{bucket.name}none").send(note(5), MINE)


def test_wrong_credentials_and_no_server_are_told_without_secrets(bucket, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", f"wrong-{SECRET}")
    with pytest.raises(AnchorFailed, match="SignatureDoesNotMatch") as caught:
        bucket.sink().newest(MINE)
    assert SECRET not in str(caught.value)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(AnchorFailed, match="CredentialsError"):
        bucket.sink().newest(MINE)


@pytest.mark.parametrize("locks", [True, False])
def test_a_store_is_believed_only_if_it_says_that_the_object_is_locked(bucket, locks):
    with lax_s3(locks=locks) as (url, puts):
        sink = S3Sink(bucket.settings(endpoint_url=url), MEANS)
        if locks:
            sink.send(note(5), MINE)
        else:
            with pytest.raises(AnchorFailed, match="does not say that it is locked"):
                sink.send(note(5), MINE)
    assert [put.get("if-none-match") for put in puts] == ["*", None], "again, without conditions"
    assert {put["x-amz-object-lock-mode"] for put in puts} == {"COMPLIANCE"}
