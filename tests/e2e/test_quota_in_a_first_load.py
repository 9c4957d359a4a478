"""The API quota is spent in the middle of a first load: the run ends, and a later one goes on."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.cli import Ended, Folder
from support.salesforce_rig import SalesforceRig, salesforce_rig

DAY = 25 * 3600
"""More than the rolling 24 hours that Salesforce counts over."""

SPENT = 14


@dataclass
class Load:
    """An org of some 400 contacts in pages of 50, and a folder to sync them from."""

    rig: SalesforceRig
    folder: Folder

    def sync(self) -> Ended:
        return self.folder.crmtrail("sync", "sf:Contact")

    def left(self, calls: int, *, most: int = 1000) -> None:
        """Leave so many calls of the day's quota."""
        self.rig.act(do="quota", max=most, used=most - calls)

    def answered(self, *words: str) -> Counter[str]:
        """Count the requests that were answered, by what was asked for."""
        asked = self.rig.sandbox.requests(crm="salesforce")
        return Counter(
            f"{one['method']} {one['target']}"
            for one in asked
            if one["status"] < 300 and all(word in one["target"] for word in words)
        )

    def pages(self) -> Counter[str]:
        return self.answered("queryAll", "FROM+Contact+") + self.answered("/results?")

    def records(self) -> dict[str, int]:
        (found,) = self.folder.ok("status")["sources"][0]["objects"]
        return {"records": found["records"], "versions": found["versions"]}

    def kept(self) -> dict[str, Any]:
        """Return the last name of every live record in the store, by id."""
        path = self.folder.path / "contacts.jsonl"
        self.folder.ok("export", "sf:Contact", "--format", "jsonl", "--to", str(path))
        rows = map(json.loads, path.read_text().splitlines())
        path.unlink()
        return {row["record"].split(":")[2]: row["fields"]["LastName"] for row in rows}

    def truth(self) -> dict[str, Any]:
        found = self.rig.sandbox.truth("salesforce", "Contact")
        return {one["Id"]: one["LastName"] for one in found if not one["deleted"]}


@pytest.fixture
def org() -> Iterator[SalesforceRig]:
    with salesforce_rig() as rig:
        made = [{"fields": {"LastName": f"N{number}"}} for number in range(300)]
        rig.act(do="create", object="Contact", records=made)
        rig.act(do="shrink_pages", rows=50)
        rig.act(do="bulk", page_rows=50, polls=0)
        yield rig


def load_of(rig: SalesforceRig, path: Path, *, bulk: bool, free: int = 0) -> Load:
    config = f"""\
store: {{url: "sqlite:///{path}/store.db"}}
sources:
  sf:
    kind: salesforce
    base_url: {rig.server.url}
    auth: {{method: token, token: "{rig.people["tokens"]["observer"]}"}}
    objects: [Contact]
    history_months: 0
    bulk_above: {100 if bulk else 1_000_000}
budget: {{leave_free: {free}, reserve_for_restores: 0}}
"""
    return Load(rig, Folder(path, config))


def spent(load: Load, words: str) -> int:
    """Sync until the quota ends it; return how many records were kept."""
    ended = load.sync()
    assert ended.code == SPENT, ended
    (run,) = ended.json["runs"]
    assert run["state"] == "failed"
    assert words in run["error"]["message"]
    assert "resumes" in run["error"]["hint"]
    assert ended.err.count("error:") == 1
    assert load.folder.ok("verify")["ok"]
    standing = load.records()
    assert standing["records"] == standing["versions"] == len(load.kept()) == run["created"]
    return standing["records"]


def gone_on(load: Load) -> None:
    """Let a day pass, sync to the end, and look that nothing is lost and nothing invented."""
    load.rig.turn(DAY)
    ended = load.sync()
    assert ended.code == 0, ended
    assert ended.json["runs"][0]["gaps"] == []
    assert load.kept() == load.truth()
    standing = load.records()
    assert standing["records"] == standing["versions"] == len(load.truth())
    assert load.folder.ok("verify")["ok"]


@pytest.mark.parametrize("calls", [5, 7, 11, 12])
def test_what_was_read_is_kept_and_no_page_is_read_twice(
    org: SalesforceRig, tmp_path: Path, calls: int
) -> None:
    load = load_of(org, tmp_path, bulk=False)
    load.left(calls)
    assert 50 <= spent(load, "has no API calls left") < len(load.truth())
    before = load.pages()
    assert sum(before.values()) > 1
    gone_on(load)
    pages = load.pages()
    assert set(pages.values()) == {1}, "each page was read once"
    assert len(pages) == 9
    assert len(pages) > len(before)


@pytest.mark.parametrize("calls", [5, 9, 12])
def test_a_bulk_load_goes_on_with_its_job(org: SalesforceRig, tmp_path: Path, calls: int) -> None:
    load = load_of(org, tmp_path, bulk=True)
    load.left(calls)
    assert spent(load, "has no API calls left") < len(load.truth())
    gone_on(load)
    jobs = load.answered("/jobs/query")
    assert [jobs[one] for one in jobs if one.startswith("POST")] == [1], "one job"
    results = load.answered("/results?")
    assert len(results) == 8
    assert set(results.values()) == {1}, "each page of results was read once"
    assert [jobs[one] for one in jobs if one.startswith("DELETE")] == [1], "it is thrown away"


@pytest.mark.parametrize(
    ("calls", "bulk"), [(1, False), (2, False), (6, False), (3, True), (4, True), (8, True)]
)
def test_a_page_cut_in_the_middle_is_the_only_one_read_again(
    org: SalesforceRig, tmp_path: Path, calls: int, *, bulk: bool
) -> None:
    """A page may need more requests than one: the people in it, the count at the start."""
    load = load_of(org, tmp_path, bulk=bulk)
    load.left(calls)
    spent(load, "has no API calls left")
    gone_on(load)
    assert sorted(load.pages().values())[-2:] in ([1, 1], [1, 2])


@pytest.mark.parametrize("bulk", [False, True])
def test_the_share_of_others_is_left_to_them_in_the_middle_of_a_load(
    org: SalesforceRig, tmp_path: Path, *, bulk: bool
) -> None:
    load = load_of(org, tmp_path, bulk=bulk, free=20)
    load.left(30, most=100)  # ten calls until a fifth is left
    assert 0 < spent(load, "20 % are left free for others") < len(load.truth())
    asked = org.sandbox.requests(crm="salesforce")
    assert all(one["status"] < 300 for one in asked), "the org never had to refuse"
    assert 10 <= len(asked) <= 12
    again = load.sync()
    assert again.code == SPENT, "it is still spent"
    assert len(org.sandbox.requests(crm="salesforce")) - len(asked) <= 3, "one look, no more"
    gone_on(load)
    assert set(load.pages().values()) == {1}


def test_other_objects_are_not_hammered_after_the_quota_is_spent(
    org: SalesforceRig, tmp_path: Path
) -> None:
    load = load_of(org, tmp_path, bulk=False)
    load.left(5)
    ended = load.folder.crmtrail("sync", "sf:Contact", "sf:Account", "sf:Opportunity")
    assert ended.code == SPENT
    refused = [one for one in org.sandbox.requests(crm="salesforce") if one["status"] == 403]
    assert len(refused) == 3, "one request for each object, none of them repeated"
