"""The questions of `crmtrail init`, where a person is there to answer them."""

from collections.abc import Callable
from typing import Any

import click

from crmtrail.cli.drafting import URLS, Draft, sound_address
from crmtrail.cli.logins import (
    KEYS,
    METHODS,
    NONE,
    SECRET,
    Login,
    checked,
    login_for,
    may_lack,
    variable_of,
)
from crmtrail.errors import Mistake

_MEANS = {
    "jwt": "a key of the app, no password and no browser: best for a service",
    "client_credentials": "the app's secret; the app stands for one user",
    "refresh_token": "made once with a browser",
    "token": "a bare access token",
}
_WORDS = {
    "client_id": "The app's consumer key (client id), or the variable that it is in",
    "username": "The username to log in as",
    "key_file": "The file with the private key",
}
_ADDRESSES = {"salesforce": "https://acme.my.salesforce.com"}


def asked() -> list[Draft]:
    """Ask which CRMs there are, and how crmtrail logs in to them. Asks for no secret.

    Raises:
        Mistake: there is none.
    """
    drafts = []
    if click.confirm("Do you use Salesforce?", default=True, err=True):
        drafts.append(_source("sf", "salesforce"))
    if click.confirm("Do you use HubSpot?", default=True, err=True):
        drafts.append(_source("hs", "hubspot"))
    if not drafts:
        raise Mistake("there is nothing to sync without a CRM")
    return drafts


def _source(name: str, kind: str) -> Draft:
    url = URLS[kind] or click.prompt(
        "Its My Domain",
        default=_ADDRESSES[kind],
        value_proc=_again(lambda text: sound_address(kind, _with_scheme(text))),
        err=True,
    )
    auth = _login(name, kind, None)
    if click.confirm("A second identity, used for restores alone?", default=False, err=True):
        return Draft(name, kind, url, auth, _login(name, kind, auth))
    return Draft(name, kind, url, auth)


def _login(name: str, kind: str, beside: Login | None) -> Login:
    methods = METHODS[kind]
    if beside is None:
        for method in methods:
            click.echo(f"  {method}: {_MEANS[method]}", err=True)
    method = click.prompt(
        "How does crmtrail log in?",
        type=click.Choice(methods),
        default=beside.method if beside else methods[0],
        show_choices=False,
        err=True,
    )
    usual = login_for(name, kind, method, {}, beside=beside)
    told = {
        key: _variable(name, key, usual.values[key], optional=may_lack(kind, method, key))
        if key in SECRET
        else _value(name, kind, method, key, usual.values[key])
        for key in KEYS[method]
    }
    return login_for(name, kind, method, told, beside=beside)


def _variable(name: str, key: str, usual: str, *, optional: bool) -> str:
    def proc(text: str) -> str:
        if optional and text == NONE:
            return NONE
        name_ = text.removeprefix("$").strip("{}")
        return f"${{{variable_of(name, key, f'${{{name_}}}')}}}"

    words = f"The variable that will hold the {key.replace('_', ' ')}"
    words += f" ({NONE} if the app has none)" if optional else ""
    variable: str = click.prompt(
        words, default=usual.strip("${}"), value_proc=_again(proc), err=True
    )
    return variable


def _value(name: str, kind: str, method: str, key: str, usual: str) -> str:
    def proc(text: str) -> str:
        checked(name, kind, method, {key: text})
        return text

    told: str = click.prompt(_WORDS[key], default=usual, value_proc=_again(proc), err=True)
    return told


def _again(proc: Callable[[str], str]) -> Callable[[str], Any]:
    """Return the same, asking once more where the answer cannot be meant."""

    def asking(text: str) -> str:
        try:
            return proc(text.strip())
        except Mistake as error:
            raise click.UsageError(f"{error}; {error.hint}" if error.hint else str(error)) from None

    return asking


def _with_scheme(text: str) -> str:
    return text if "://" in text else f"https://{text}"
