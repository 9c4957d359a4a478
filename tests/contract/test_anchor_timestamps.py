"""What time stamps promise, against an authority made of openssl."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from crmtrail.errors import AnchorFailed, VerifyFailed
from snapshot.anchors.timestamp import TimestampSink
from support.places import MEANS, MINE, an_authority, note


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def test_anybody_with_openssl_can_check_a_token(tmp_path, stack):
    place, authority = an_authority(tmp_path, stack)
    place.sink.send(note(5), MINE)
    (folder,) = (tmp_path / "tokens").iterdir()
    names = {path.suffix: str(path) for path in folder.iterdir()}
    checked = ("ts", "-verify", "-in", names[".tsr"], "-CAfile", "ca.pem", "-data")
    assert authority.run(*checked, names[".note"]).returncode == 0
    (tmp_path / "other").write_text(note(6))
    assert authority.run(*checked, str(tmp_path / "other")).returncode != 0


def test_the_same_checkpoint_is_stamped_once(tmp_path, stack):
    place, authority = an_authority(tmp_path, stack)
    for size in (5, 5, 6):
        place.sink.send(note(size), MINE)
    assert authority.asked == 2


@pytest.mark.parametrize("known", [False, True])
def test_an_answer_with_its_chain_needs_the_authority_s_certificate(tmp_path, stack, known):
    place, authority = an_authority(tmp_path, stack, chain=True)
    if known:
        ca = tmp_path / "bundle.pem"
        ca.write_bytes(authority.ca.read_bytes() + (tmp_path / "tsa" / "tsa.pem").read_bytes())
        settings = place.settings.model_copy(update={"ca_file": ca})
        sink = TimestampSink(settings, MEANS)
        sink.send(note(5), MINE)
        assert list(sink.held(MINE)) == [note(5)]
        return
    with pytest.raises(AnchorFailed, match="no time stamp that can be read") as caught:
        place.sink.send(note(5), MINE)
    assert "ca_file" in caught.value.hint


def test_a_token_over_something_else_or_of_a_stranger_is_not_kept(tmp_path, stack):
    place, authority = an_authority(tmp_path, stack)
    place.sink.send(note(5), MINE)
    (old,) = (tmp_path / "tokens").rglob("*.tsr")
    authority.moods = [old.read_bytes()]
    with pytest.raises(AnchorFailed, match="does not hold"):
        place.sink.send(note(6), MINE)
    (tmp_path / "far").mkdir()
    stranger, _ = an_authority(tmp_path / "far", stack, ca_file=authority.ca)
    with pytest.raises(AnchorFailed, match="does not hold"):
        stranger.sink.send(note(6), MINE)
    assert list(place.sink.held(MINE)) == [note(5)]


@pytest.mark.parametrize("suffix", [".note", ".tsr"])
def test_a_pair_that_was_altered_is_noticed(tmp_path, stack, suffix):
    place, _ = an_authority(tmp_path, stack)
    place.sink.send(note(5), MINE)
    place.sink.send(note(6), MINE)
    old, new = sorted((tmp_path / "tokens").rglob(f"*{suffix}"))
    new.write_bytes(old.read_bytes())
    with pytest.raises(VerifyFailed, match="does not hold"):
        list(place.sink.held(MINE))


def test_what_passes_is_tried_again_and_what_does_not_is_not(tmp_path, stack):
    place, authority = an_authority(tmp_path, stack)
    authority.moods = [503, 500]
    place.sink.send(note(5), MINE)
    assert authority.asked == 3
    authority.moods = [503] * 3
    with pytest.raises(AnchorFailed, match="answered 503"):
        place.sink.send(note(6), MINE)
    assert authority.asked == 6
    authority.moods = [403]
    with pytest.raises(AnchorFailed, match="answered 403"):
        place.sink.send(note(6), MINE)
    assert authority.asked == 7
    authority.moods = [b"<html>log in</html>"]
    with pytest.raises(AnchorFailed, match="no time stamp that can be read"):
        place.sink.send(note(6), MINE)


def test_folders_and_certificates_that_are_not_there_are_told(tmp_path, stack):
    place, authority = an_authority(tmp_path, stack)
    (tmp_path / "empty.pem").write_text("")
    signer = tmp_path / "tsa" / "tsa.pem"
    for more, words in (
        ({"folder": tmp_path / "none"}, "is it mounted"),
        ({"ca_file": tmp_path / "none.pem"}, "cannot be read"),
        ({"ca_file": tmp_path / "empty.pem"}, "holds no certificates"),
        ({"ca_file": signer}, "holds no root certificate"),
    ):
        settings = place.settings.model_copy(update=more)
        with pytest.raises(AnchorFailed, match=words):
            TimestampSink(settings, MEANS).send(note(5), MINE)
    assert authority.asked == 0
