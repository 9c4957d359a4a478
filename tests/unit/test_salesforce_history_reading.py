"""History rows are read whole, whatever the pages do, with few requests."""

import json
import re
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from connectors.salesforce.answers import Delay
from connectors.salesforce.client import Rows
from connectors.salesforce.history_reading import Shelf
from connectors.salesforce.history_sources import Shape, Source
from crmtrail.errors import Unavailable

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
IDS = [f"001{number:012}AAA" for number in range(900)]
FIELD = Source("AccountHistory", Shape.FIELD, "AccountId", "CreatedDate", ("Id", "CreatedDate"))
ARCHIVE = Source("FieldHistoryArchive", Shape.ARCHIVE, "ParentId", "CreatedDate", ("HistoryId",))
STAMP = "%Y-%m-%dT%H:%M:%S.000+0000"


class Org:
    """Answers history queries from rows, in pages of a size of its own."""

    base_url = "https://acme.my.salesforce.com/services/data/v60.0/"

    def __init__(self, parent="AccountId", *, per_record=3, most=2000):
        self.asked = []
        self.most = most
        self.too_many = 10**6
        self.rows = [
            {
                "Id": f"017{no * per_record + turn:012}AAA",
                parent: id_,
                "CreatedDate": (NOON - timedelta(minutes=turn)).strftime(STAMP),
            }
            for no, id_ in enumerate(IDS)
            for turn in range(per_record)
        ]
        self.parent = parent

    def query(self, text, *, deleted=True):
        self.asked.append((text, deleted))
        listed = set(re.findall(r"'(001\w+)'", text.split("ORDER")[0]))
        if " IN (" in text or "FieldHistoryType" in text:
            found = [row for row in self.rows if row[self.parent] in listed]
        else:
            found = [r for r in self.rows if min(listed) <= r[self.parent] <= max(listed)]
        if len({row[self.parent] for row in found}) > self.too_many:
            raise Delay("too slow", code="QUERY_TIMEOUT")
        key = (self.parent, "Id") if f"ORDER BY {self.parent}" in text else ("CreatedDate", "Id")
        found = sorted(
            (r for r in found if self._later(r, text, key)), key=lambda r: [r[k] for k in key]
        )
        page = [{k: msgspec.Raw(json.dumps(v).encode()) for k, v in r.items()} for r in found]
        return Rows(page[: self.most], done=len(page) <= self.most)

    def _later(self, row, text, key):
        after = re.search(r"\((\w+) > ('?)([^ ']+)\2 OR .* Id > '(\w+)'", text)
        window = re.search(r"CreatedDate >= (\S+) AND CreatedDate < (\S+)", text)
        at = row["CreatedDate"].replace("+0000", "Z")
        if window and not window[1] <= at < window[2]:
            return False
        if after is None:
            return True
        return (row[key[0]].replace("+0000", "Z"), row["Id"]) > (after[3], after[4])


def read(org, ids, source=FIELD, *, since=NOON - timedelta(days=1), all_between=False):
    shelf = Shelf(org, source, "Account", since, NOON)
    found = shelf.read(ids, all_between=all_between)
    return {id_: len({bytes(row["Id"]) for row in rows}) for id_, rows in found.items()}


@pytest.mark.parametrize("all_between", [False, True])
@pytest.mark.parametrize("most", [2000, 170])
def test_every_row_of_every_record_is_read(all_between, most):
    org = Org(most=most)
    assert read(org, IDS, all_between=all_between) == dict.fromkeys(IDS, 3)


def test_records_in_a_row_cost_a_request_for_every_2000_rows():
    org = Org()
    read(org, IDS, all_between=True)
    assert len(org.asked) == 2


def test_rows_of_other_records_are_left_out():
    few = IDS[:1000:2]
    assert set(read(Org(), few, all_between=True)) == set(few)


def test_fewer_records_are_asked_for_where_salesforce_gives_up():
    org = Org()
    org.too_many = 120
    assert read(org, IDS) == dict.fromkeys(IDS, 3)


def test_giving_up_on_one_record_is_told():
    org = Org()
    org.too_many = 0
    with pytest.raises(Unavailable, match="too slow"):
        read(org, IDS[:1])


def test_only_what_is_older_than_18_months_is_asked_of_all_rows():
    org = Org()
    read(org, IDS[:1])
    read(org, IDS[:1], since=NOON - timedelta(days=700))
    assert [deleted for _, deleted in org.asked] == [False, True]


@pytest.mark.parametrize("most", [2000, 10, 1])
def test_an_archive_is_read_whole_without_an_order(most):
    org = Org("ParentId", most=most)
    assert read(org, IDS[:40], ARCHIVE) == dict.fromkeys(IDS[:40], 3)
    assert not any("ORDER BY" in text for text, _ in org.asked)
