"""Which of the records that HubSpot shows are those that were sent. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from connectors.hubspot.halving import Input
from connectors.hubspot.posts import Made
from connectors.hubspot.readings import plain
from connectors.hubspot.shapes import Thing, when


def paired(inputs: Sequence[Input], results: Sequence[Made]) -> dict[str, Made | None]:
    """Return which result is which input's; HubSpot keeps no order.

    By trace id, where HubSpot tells it; else by the values, where only one pair fits.
    """
    traces = {one.body["objectWriteTraceId"]: one for one in inputs}
    found: dict[str, Made | None] = {}
    rest: list[Made] = []
    for made in results:
        one = traces.get(made.trace or "")
        if one is None:
            rest.append(made)
        else:
            found[one.key] = made
    left = [one for one in inputs if one.key not in found]
    if len(left) == len(rest) == 1:
        return found | {left[0].key: rest[0]}
    by_id = {str(made.id): made for made in rest}
    matches = {one.key: fits(one.body["properties"], rest) for one in left}
    for key, ids in matches.items():
        if ids and (id_ := sole(ids, matches.values())) is not None:
            found[key] = by_id[id_]
    return found


def fits(values: Mapping[str, str], things: Iterable[Thing]) -> list[str]:
    """Return the records that hold all of some values; a property not told decides nothing."""
    return [str(thing.id) for thing in things if values and _holds(thing, values)]


def sole(ids: Sequence[str], others: Iterable[Sequence[str]]) -> str | None:
    """Return the one record that fits, if it fits nothing else."""
    if len(ids) != 1:
        return None
    return ids[0] if sum(ids[0] in each for each in others) == 1 else None


def alike(one: str | None, other: str) -> bool:
    """Whether HubSpot may have made one text of another: by case, spaces, or spelling a moment."""
    if one is None:
        return False
    if one.strip().casefold() == other.strip().casefold():
        return True
    try:
        if float(one) == float(other):
            return True
    except ValueError:
        pass
    then = when(other)
    return then is not None and when(one) == then


def _holds(thing: Thing, values: Mapping[str, str]) -> bool:
    told = {name: text for name, text in values.items() if name in thing.properties}
    return bool(told) and all(
        alike(plain(thing.properties[name]), text) for name, text in told.items()
    )
