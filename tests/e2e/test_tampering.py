"""Nine attacks on the store, twenty times each, against one checkpoint that lies elsewhere.

`crmtrail verify` and the auditor's own program have to notice all of them. What happens after the
newest checkpoint nobody can notice, and that is stated here, too.
"""

import random

import pytest

from snapshot.auditor import verify as auditor
from support.cli import Folder
from support.tampering import ATTACKS, NEEDS_A_CHECKPOINT, Intruder, lived, work_a_day

TIMES = 10
CONFIG = """\
store: {{url: "sqlite:///{folder}/crmtrail.db"}}
ledger:
  origin: acme.example/crmtrail
  anchors: [{{kind: file, path: {folder}/outside}}]
"""


class Scene:
    """A store with a past and an anchored checkpoint, to be laid out again for every attack."""

    def __init__(self, path):
        self.folder = Folder(path, CONFIG.format(folder=path))
        self.store = path / "crmtrail.db"
        self.outside = path / "outside"
        self.past = lived(self.store)
        self.folder.ok("anchor")
        self.anchored = self.store.read_bytes()
        self.key = self.folder.ok("key")["current"]
        self.size = self.folder.ok("checkpoint")["size"]

    def lay_out(self):
        for name in ("crmtrail.db-wal", "crmtrail.db-shm"):
            self.store.with_name(name).unlink(missing_ok=True)
        self.store.write_bytes(self.anchored)

    def intruder(self, seed, first=0):
        return Intruder(self.store, self.past, random.Random(seed), first)  # noqa: S311 -- a test

    def audited(self):
        asked = ("--key", self.key, "store", str(self.store), str(self.outside))
        return auditor.main(asked)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return Scene(tmp_path_factory.mktemp("tampering"))


def test_left_alone_everything_holds(scene, capsys):
    scene.lay_out()
    told = scene.folder.ok("verify", "--against", str(scene.outside))
    assert (told["ok"], told["checkpoints"], told["entries"]) == (True, 1, scene.size)
    assert scene.audited() == 0
    assert f"all {scene.size} entries" in capsys.readouterr().out


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_attack_on_what_was_anchored_is_noticed(scene, attack, capsys):
    alone = set()
    for seed in range(TIMES):
        scene.lay_out()
        ATTACKS[attack](scene.intruder(seed))
        assert scene.store.read_bytes() != scene.anchored
        ended = scene.folder.crmtrail("verify", "--against", str(scene.outside))
        assert ended.code == 5, f"seed {seed} was not noticed"
        assert ended.json["first_bad"]["why"]
        assert scene.audited() == 5, f"the auditor's program did not notice seed {seed}"
        assert capsys.readouterr().out.startswith("NO: ")
        alone.add(scene.folder.crmtrail("verify").code)
    assert alone == ({0} if attack in NEEDS_A_CHECKPOINT else {5})


@pytest.mark.parametrize("attack", sorted(NEEDS_A_CHECKPOINT))
def test_the_next_anchoring_notices_and_buries_nothing(scene, attack):
    scene.lay_out()
    ATTACKS[attack](scene.intruder(1))
    before = scene.outside.read_bytes()
    ended = scene.folder.crmtrail("anchor")
    assert ended.code == 5
    (sink,) = ended.json["sinks"]
    assert (sink["ok"], sink["altered"]) == (False, True)
    assert "ALTERED" in ended.err
    assert scene.outside.read_bytes() == before


@pytest.mark.parametrize("seed", range(TIMES))
def test_what_comes_after_the_newest_checkpoint_can_be_rewritten_unnoticed(scene, seed, capsys):
    scene.lay_out()
    work_a_day(scene.store, 8)
    scene.intruder(seed, first=scene.size).rewrite_a_value()
    assert scene.folder.ok("verify", "--against", str(scene.outside))["ok"]
    assert scene.audited() == 0
    assert "after the newest checkpoint cannot be seen" in capsys.readouterr().out
    status = scene.folder.ok("status")["ledger"]
    assert status["unanchored"] > 0, "but the status says how much that is"
    assert status["unanchored_s"] is not None
