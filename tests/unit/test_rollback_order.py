"""Parents come back before their children."""

from rollback.order import ranks

NAMES = {
    "Contact": ["Account", "Contact", "User"],
    "Account": ["account", "Contact"],
    "Opportunity": ["Account"],
    "contacts-companies": ["contacts", "companies"],
    "contacts": [],
    "companies": [],
}


def ordered(*objects: str) -> list[str]:
    rank = ranks(objects, lambda name: NAMES[name])
    return sorted(rank, key=rank.__getitem__)


def test_parents_come_first():
    assert ordered("Opportunity", "Account") == ["Account", "Opportunity"]
    assert ordered("contacts-companies", "contacts", "companies")[-1] == "contacts-companies"


def test_a_ring_is_cut_at_the_first_of_the_alphabet():
    assert ordered("Opportunity", "Contact", "Account") == ["Account", "Contact", "Opportunity"]
