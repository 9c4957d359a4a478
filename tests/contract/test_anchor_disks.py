"""What a file and a git repository promise beside what every anchor does."""

import resource

import pytest

from crmtrail.anchor_config import FileAnchor, GitAnchor
from crmtrail.errors import AnchorFailed
from snapshot.anchors.file import FileSink
from snapshot.anchors.git import GitSink
from snapshot.notes import notes_in
from support.places import MEANS, MINE, file_sink, git, git_sink, note

# --- files ---------------------------------------------------------------------------------------


def test_a_file_keeps_every_checkpoint_and_the_same_one_once(tmp_path):
    sink = file_sink(tmp_path)
    for size in (1, 2, 2, 3):
        sink.send(note(size), MINE)
    text = (tmp_path / "checkpoints").read_text()
    assert text == "".join(f"{note(size)}\n" for size in (1, 2, 3))
    assert [each for _, each in notes_in(text)] == [note(1), note(2), note(3)]


@pytest.mark.parametrize("before", [note(1), note(1).rstrip("\n"), note(1)[:50], "a heading\n"])
def test_a_checkpoint_begins_on_a_fresh_line_whatever_is_before_it(tmp_path, before):
    (tmp_path / "checkpoints").write_text(before)
    sink = file_sink(tmp_path)
    sink.send(note(2), MINE)
    text = (tmp_path / "checkpoints").read_text()
    assert text.startswith(before)
    assert [each for _, each in notes_in(text)][-1] == note(2)
    assert sink.newest(MINE) == note(2)


def test_the_newest_is_found_in_a_long_file(tmp_path):
    sink = file_sink(tmp_path)
    many = "".join(f"{note(size)}\n" for size in range(1, 2_000))
    (tmp_path / "checkpoints").write_text(many)
    assert len(many) > 2 * 65_536
    assert sink.newest(MINE) == note(1_999)


def test_no_folder_is_made_where_a_share_is_not_mounted(tmp_path):
    sink = FileSink(FileAnchor(kind="file", path=tmp_path / "mnt" / "checkpoints"), MEANS)
    with pytest.raises(AnchorFailed, match="is it mounted"):
        sink.send(note(1), MINE)
    assert not (tmp_path / "mnt").exists()


@pytest.mark.parametrize("room", [0, 10])
def test_a_full_disk_leaves_the_file_as_it_was(tmp_path, room):
    sink = file_sink(tmp_path)
    sink.send(note(1), MINE)
    before = (tmp_path / "checkpoints").read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + room, hard))
    try:
        with pytest.raises(AnchorFailed, match="cannot be written"):
            sink.send(note(2), MINE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "checkpoints").read_bytes() == before


# --- git -----------------------------------------------------------------------------------------


def test_each_checkpoint_is_one_commit_and_the_same_one_none(tmp_path):
    sink = git_sink(tmp_path)
    for size in (1, 2, 2, 3):
        sink.send(note(size), MINE)
    titles = git(tmp_path / "repo", "log", "--format=%an %s").splitlines()
    assert titles == [f"crmtrail {MINE}: {size} entries" for size in (3, 2, 1)]
    assert git(tmp_path / "repo", "show", "HEAD~1:acme.example_crmtrail.checkpoint") == note(2)


def test_nothing_else_in_the_repository_is_committed(tmp_path):
    sink = git_sink(tmp_path)
    repo = tmp_path / "repo"
    (repo / "staged").write_text("work in progress")
    git(repo, "add", "staged")
    (repo / "loose").write_text("a draft")
    sink.send(note(1), MINE)
    sink.send(note(2), MINE)
    listed = git(repo, "ls-tree", "--name-only", "HEAD").split()
    assert listed == ["acme.example_crmtrail.checkpoint"]
    assert git(repo, "status", "--short").splitlines() == ["A  staged", "?? loose"]


def test_it_is_pushed_even_if_the_push_before_failed(tmp_path):
    git_sink(tmp_path)
    repo, far = tmp_path / "repo", tmp_path / "far.git"
    git(repo, "remote", "add", "origin", str(far))
    sink = git_sink(tmp_path, remote="origin")
    with pytest.raises(AnchorFailed, match="git push"):
        sink.send(note(1), MINE)
    git(tmp_path, "init", "--quiet", "--bare", str(far))
    sink.send(note(1), MINE)
    head = git(repo, "rev-parse", "HEAD")
    assert git(far, "rev-parse", git(repo, "branch", "--show-current").strip()) == head


@pytest.mark.parametrize("where", ["none", "plain", "repo/within"])
def test_what_is_no_repository_of_its_own_is_refused(tmp_path, where):
    git_sink(tmp_path)
    if where != "none":
        (tmp_path / where).mkdir(exist_ok=True)
    sink = GitSink(GitAnchor(kind="git", path=tmp_path / where), MEANS)
    with pytest.raises(AnchorFailed):
        sink.send(note(1), MINE)
    assert git(tmp_path / "repo", "status", "--short") == ""


def test_a_git_of_somebody_else_is_not_written_to(tmp_path, monkeypatch):
    other = tmp_path / "other"
    git(tmp_path, "init", "--quiet", str(other))
    sink = git_sink(tmp_path)
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    sink.send(note(1), MINE)
    assert sink.newest(MINE) == note(1)
    assert list(other.iterdir()) == [other / ".git"]


def test_a_missing_git_is_told(tmp_path, monkeypatch):
    sink = git_sink(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AnchorFailed, match="not installed"):
        sink.send(note(1), MINE)
