import pytest

from crmtrail.sandbox.salesforce import ids

# Ids seen in recorded answers of real orgs.
REAL = [
    "003q000000KvQ1tAAF",
    "a00D0000008pQRAIA2",
    "750Tn000004ZoR3IAK",
    "0050900000Bf63SAAR",
    "0AT5j00002GVrfnGAD",
    "0Ym5j000019nwonCAA",
]


@pytest.mark.parametrize("id_", REAL)
def test_the_check_characters_are_those_of_real_ids(id_):
    assert ids.to18(id_[:15]) == id_
    assert ids.normal(id_[:15]) == ids.normal(id_) == id_


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "003q000000KvQ1tAAA",
        "003Q000000KvQ1tAAF",
        "003q000000KvQ1",
        "003q000000KvQ1t!!",
        None,
        7,
    ],
)
def test_malformed_ids_are_told_apart(wrong):
    assert ids.normal(wrong) is None


def test_numbered_ids_differ_only_by_case_where_they_must():
    made = {ids.numbered("003", number) for number in range(1, 5000)}
    assert len(made) == 4999
    assert all(ids.normal(id_) == id_ and ids.prefix(id_) == "003" for id_ in made)
