from support.sandbox import salesforce_client


def test_simple_salesforce_reads_and_restores(sandbox):
    server, control = sandbox
    people = control.people("salesforce")
    with salesforce_client(server, people["tokens"]["observer"]) as sf:
        found = sf.query_all("SELECT Id, Phone FROM Contact WHERE Phone != null")
        assert found["totalSize"] == len(found["records"]) > 50
        contact = found["records"][0]
    control.act(
        "salesforce",
        do="update",
        object="Contact",
        ids=[contact["Id"]],
        fields={"Phone": None},
        **{"as": {"kind": "app", "name": "Marketing Sync"}},
    )
    with salesforce_client(server, people["tokens"]["restorer"]) as sf:
        assert sf.Contact.get(contact["Id"])["Phone"] is None
        assert sf.Contact.update(contact["Id"], {"Phone": contact["Phone"]}) == 204
    told = control.truth("salesforce", "Contact", contact["Id"])
    assert told[0]["Phone"] == contact["Phone"]
