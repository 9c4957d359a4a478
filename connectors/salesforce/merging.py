"""Undoing a merge of Accounts, Contacts or Leads: the steps, from what was recorded before. Pure.

A merge moves the losers to the recycle bin and hangs their children on the winner. Undeleting a
loser brings the record back, but the children stay with the winner. So an un-merge has three parts,
in this order:

1. undelete the losers; they keep their ids;
2. hang the children back on the loser that each had before, where nobody moved it since;
3. set the winner's fields as they were before the merge took values over.

Source: "merge()" of the SOAP API Developer Guide.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from connectors.salesforce.ids import to18
from crmtrail.errors import Mistake
from crmtrail.model import Ref, Tokens, Write, token_of

MERGED: Final = frozenset({"Account", "Contact", "Individual", "Lead"})
"""The objects that Salesforce merges; a person account is an Account."""


@dataclass(frozen=True, slots=True)
class Child:
    """A record that hung on a loser: its lookup field, and the parent then and now, by id."""

    ref: Ref
    field: str
    before: str
    now: str | None


@dataclass(frozen=True, slots=True)
class Unmerge:
    """The steps, to be carried out in this order; a later one needs the earlier.

    Attributes:
        undelete: the losers.
        children: new parents, by the children's object.
        winner: the winner's fields; none where nothing is to be put back.
        left: children that are left alone, each with the reason in plain words.
    """

    undelete: Sequence[Write]
    children: Mapping[str, Sequence[Write]]
    winner: Sequence[Write]
    left: Mapping[Ref, str]


def unmerge(
    winner: Ref, losers: Sequence[Ref], children: Sequence[Child], fields: Tokens, *, key: str
) -> Unmerge:
    """Return the steps that undo a merge.

    Args:
        winner: the record that stayed.
        losers: the records that were merged into it.
        children: what hung on the losers before the merge, and where it hangs now.
        fields: the winner's values from before the merge that differ now.
        key: begins the key of each step.

    Raises:
        Mistake: Salesforce merges no such object, or the records do not fit together.
    """
    _check(winner, losers)
    ids = {to18(loser.id) for loser in losers}
    again: dict[str, dict[Ref, dict[str, str]]] = {}
    left: dict[Ref, str] = {}
    for child in children:
        if to18(child.before) not in ids:
            left[child.ref] = f"its {child.field} was none of the merged records"
        elif to18(child.now or "") != to18(winner.id):
            left[child.ref] = f"its {child.field} was set anew since the merge"
        else:
            # One record may hang on losers by several fields: it is written once.
            fields_of = again.setdefault(child.ref.object, {}).setdefault(child.ref, {})
            fields_of[child.field] = token_of(to18(child.before))
    return Unmerge(
        undelete=[Write(loser, {}, f"{key}.undelete.{loser.id}") for loser in losers],
        children={
            name: [Write(ref, parents, f"{key}.child.{ref.id}") for ref, parents in each.items()]
            for name, each in again.items()
        },
        winner=[Write(winner, dict(fields), f"{key}.winner")] if fields else [],
        left=left,
    )


def _check(winner: Ref, losers: Sequence[Ref]) -> None:
    if winner.object not in MERGED:
        raise Mistake(
            f"Salesforce does not merge records of {winner.object}",
            hint=f"it merges {', '.join(sorted(MERGED))}",
        )
    if not losers:
        raise Mistake(f"nothing was merged into {winner}")
    for loser in losers:
        if (loser.source, loser.object) != (winner.source, winner.object):
            raise Mistake(f"{loser} cannot have been merged into {winner}")
        if to18(loser.id) == to18(winner.id):
            raise Mistake(f"{winner} cannot have been merged into itself")
