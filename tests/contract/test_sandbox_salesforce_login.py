"""The org's ways to log in, and what it says to whoever may not."""

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from support.salesforce_org import DATA

JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LOGIN = "https://login.salesforce.com"
STAMP = "<u:getServerTimestamp/>"


def client(org, role="restorer"):
    return org.control.people("salesforce")["clients"][role]


def token(org, form, **more):
    return org.http.post(f"{org.server.url}/services/oauth2/token", data=form, timeout=10, **more)


def assertion(org, *, key=None, **claims):
    known = client(org)
    now = int(org.server.world.clock.now().timestamp())
    told = {"iss": known["client_id"], "sub": known["username"], "aud": LOGIN, "exp": now + 180}
    signed = jwt.encode(told | claims, key or known["private_key"], algorithm="RS256")
    return token(org, {"grant_type": JWT, "assertion": signed})


def name(org, opened):
    bearer = {"Authorization": f"Bearer {opened}"}
    return org.raw("GET", "/services/oauth2/userinfo", headers=bearer).json().get("name")


def soap(org, opened):
    body = (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"'
        ' xmlns:u="urn:partner.soap.sforce.com"><e:Header><u:SessionHeader><u:sessionId>'
        f"{opened}</u:sessionId></u:SessionHeader></e:Header><e:Body>{STAMP}</e:Body></e:Envelope>"
    )
    return org.http.post(f"{org.server.url}/services/Soap/u/60.0", data=body, timeout=10)


def test_a_signed_assertion_opens_a_session_of_its_subject(org):
    told = assertion(org).json()
    assert name(org, told["access_token"]) == "CRM Restorer"
    assert "refresh_token" not in told
    org.http.post(
        f"{org.server.url}/services/oauth2/revoke", data={"token": told["access_token"]}, timeout=10
    )
    dead = {"Authorization": f"Bearer {told['access_token']}"}
    assert org.raw("GET", "/limits", headers=dead).status_code == 401


@pytest.mark.parametrize(
    ("claims", "error", "description"),
    [
        ({"sub": "nobody@acme.example"}, "invalid_grant", "user hasn't approved this consumer"),
        ({"sub": "priya.raman@acme.example"}, "invalid_grant",
         "user hasn't approved this consumer"),
        ({"exp": 1_000_000_000}, "invalid_grant", "expired authorization code"),
        ({"exp": 99_000_000_000}, "invalid_grant", "invalid assertion"),
        ({"aud": "https://elsewhere.example"}, "invalid_grant", "audience is invalid"),
        ({"iss": "3MVG9.stranger"}, "invalid_client_id", "client identifier invalid"),
    ],
)  # fmt: skip
def test_an_assertion_with_a_wrong_claim(org, claims, error, description):
    answer = assertion(org, **claims)
    assert answer.status_code == 400
    assert answer.json() == {"error": error, "error_description": description}


def test_an_assertion_signed_with_another_key(org):
    strange = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    answer = assertion(org, key=strange)
    assert answer.json()["error_description"] == "invalid assertion"
    junk = token(org, {"grant_type": JWT, "assertion": "a.b.c"})
    assert junk.json()["error"] == "invalid_grant"


def test_client_credentials_in_the_header_or_the_body(org):
    known = client(org, "observer")
    pair = (known["client_id"], known["client_secret"])
    form = {"grant_type": "client_credentials"}
    for answer in (
        token(org, form, auth=pair),
        token(org, form | {"client_id": pair[0], "client_secret": pair[1]}),
    ):
        assert name(org, answer.json()["access_token"]) == "CRM Observer"
    wrong = token(org, form, auth=(pair[0], "wrong"))
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    wrong = token(org, form | {"client_id": pair[0], "client_secret": "wrong"})
    assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_client")
    strange = token(org, {"grant_type": "password"}, auth=pair)
    assert (strange.status_code, strange.json()["error"]) == (400, "unsupported_grant_type")


def refresh(org, known, text=None):
    form = {name: known[name] for name in ("client_id", "client_secret", "refresh_token")}
    form |= {"grant_type": "refresh_token"} | ({} if text is None else {"refresh_token": text})
    return token(org, form)


def test_a_refresh_token_lasts_unless_it_rotates(org):
    known = client(org)
    first = refresh(org, known).json()["access_token"]
    assert "refresh_token" not in refresh(org, known).json()
    org.act("rotate_refresh_tokens")
    told = refresh(org, known).json()
    assert name(org, told["access_token"]) == "CRM Restorer"
    ended = org.raw("GET", "/limits", headers={"Authorization": f"Bearer {first}"})
    assert ended.json()[0]["errorCode"] == "INVALID_SESSION_ID"
    spent = refresh(org, known)
    assert (spent.status_code, spent.json()["error_description"]) == (
        400, "expired access/refresh token",
    )  # fmt: skip
    assert client(org)["refresh_token"] == told["refresh_token"]
    assert refresh(org, known, told["refresh_token"]).status_code == 200


def test_the_org_moves(org):
    known = client(org)
    port = org.server.url.rpartition(":")[2]
    there = f"http://localhost:{port}"
    org.act("move_instance", url=there, leave=True)
    told = refresh(org, known).json()
    assert told["instance_url"] == there
    bearer = {"Authorization": f"Bearer {told['access_token']}"}
    assert org.http.get(f"{there}{DATA}/limits", headers=bearer, timeout=10).status_code == 200
    assert org.raw("GET", "/limits", headers=bearer).status_code == 401
    assert org.control.people("salesforce")["instance"] == there


def test_tokens_in_jwt_format_work_on_rest_and_not_on_soap(org):
    opaque = refresh(org, client(org)).json()["access_token"]
    assert soap(org, opaque).status_code == 200
    org.act("token_format", jwt=True)
    dotted = refresh(org, client(org)).json()["access_token"]
    assert dotted.count(".") == 2
    assert name(org, dotted) == "CRM Restorer"
    refused = soap(org, dotted)
    assert refused.status_code == 500
    assert "<sf:exceptionCode>INVALID_SESSION_ID</sf:exceptionCode>" in refused.text


def test_a_wrong_token_without_json_is_refused_in_xml(org):
    answer = org.raw(
        "POST", "/sobjects/Account", data=b"Name",
        headers={"Authorization": "Bearer wrong", "Content-Type": "text/csv"},
    )  # fmt: skip
    assert answer.status_code == 401
    assert answer.headers["Sfdc-OAuth-Error"] == "LOGIN_OAUTH_INVALID_TOKEN"
    assert "<faultcode>LOGIN_OAUTH_INVALID_TOKEN</faultcode>" in answer.text
    org.control.fault("unauthorized", xml=True)
    assert org.raw("GET", "/limits").text == answer.text


def test_sessions_end_at_chosen_requests(org):
    org.control.fault("unauthorized", crm="salesforce", path="limits", skip=1, times=2)
    statuses = [org.raw("GET", "/limits").status_code for _ in range(4)]
    assert statuses == [200, 401, 401, 200]
    org.control.fault("unauthorized", path="Soap")
    assert soap(org, org.tokens["observer"]).status_code == 500


def test_the_gateway_in_front_of_the_org(org):
    org.control.fault("edge")
    refused = org.raw("GET", "/limits")
    assert (refused.status_code, refused.headers["Content-Type"]) == (420, "text/html")
    org.control.fault("cut_short")
    with pytest.raises(OSError, match=r"IncompleteRead|Connection broken"):
        org.raw("GET", "/limits", headers={"Accept-Encoding": "identity"})
    assert org.raw("GET", "/limits").status_code == 200
