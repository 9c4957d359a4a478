"""The certificate of an erasure: what was erased, and the proof that the ledger says so.

It names no value and no person: records by the vendor's ids, counts, the reason that was given.
Its proof is a C2SP tlog-proof of the ledger's entry, which anybody checks without crmtrail.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Engine

from crmtrail.errors import Unfound
from snapshot.database import reading
from snapshot.erasing import ERASE, Export, exports_of
from snapshot.evidence import Evidence
from snapshot.leaves import Tiles, entry_at
from snapshot.ledger import inclusion_proof
from snapshot.proofs import Inclusion
from snapshot.sealed import entry_of
from snapshot.subjects import subjects_of
from snapshot.vault import Vault

_WORDS: Final = {
    "versions": "versions emptied",
    "keys": "keys destroyed",
    "operations": "summaries of operations scrubbed",
    "incidents": "incidents scrubbed",
    "steps": "plan steps scrubbed",
    "actors": "names of users taken away",
    "addresses": "addresses taken out of the index",
}


@dataclass(frozen=True, slots=True)
class Certificate:
    """What became of an erasure, as the ledger's entry ``index`` says it."""

    index: int
    at: str
    told: Mapping[str, Any]
    exports: Sequence[Export]
    proof: Inclusion
    keys: Sequence[str]

    def counts(self) -> dict[str, int]:
        """Return how much was forgotten, by kind."""
        return {name: _count(self.told[name]) for name in _WORDS}

    def shape(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "certificate": "crmtrail erasure",
            "records": self.told["records"],
            "erased_at": self.at,
            "by": self.told["by"],
            "why": self.told["why"],
            "counts": self.counts(),
            "entry": self.index,
            "proof": str(self.proof),
            "public_keys": list(self.keys),
            "exports": [
                {"entry": one.leaf, "at": one.at, "object": one.object, "to": one.to}
                for one in self.exports
            ],
        }

    def __str__(self) -> str:
        lines = [
            "Certificate of erasure",
            "",
            f"Erased at: {self.at}",
            f"By:        {self.told['by']}",
            f"Why:       {self.told['why']}",
            "Records:   " + "\n           ".join(self.told["records"]),
            "",
            *(f"{count:>9,} {_WORDS[name]}" for name, count in self.counts().items()),
            "",
            "Who changed which field when is still known; the values are not, and without their",
            "keys no copy of them can be read. They are not stored again, nor restored to the CRM.",
            f"The ledger's entry {self.index} says so. The proof below shows that it is in the",
            "ledger; `verify.py --key KEY proof FILE` checks it without crmtrail.",
        ]
        if self.exports:
            lines += ["", "Exports made earlier may hold these records. Clean them by hand:"]
            lines += [f"  {one.at}  {one.object}  to {one.to}" for one in self.exports]
        lines += ["", "Public keys:", *self.keys, "", "Proof:", "", str(self.proof)]
        return "\n".join(lines)


def certificate_of(engine: Engine, evidence: Evidence, leaf: int) -> Certificate:
    """Return the certificate of an erasure by its entry, proven to the newest checkpoint.

    Raises:
        Unfound: that entry is of no erasure.
    """
    head, note = evidence.checkpoint()
    with reading(engine) as connection:
        told = entry_at(connection, leaf)
        if told["kind"] != ERASE:
            raise Unfound(f"entry {leaf} of the ledger is no erasure")
        hashes = inclusion_proof(leaf, head.size, Tiles(connection).node_at)
        proof = Inclusion(leaf, entry_of(connection, leaf), tuple(hashes), note)
        subjects = [
            one
            for record in told["entry"]["records"]
            for one in subjects_of(connection, Vault(), str(record))
        ]
        exports = tuple(one for one in exports_of(connection, subjects) if one.leaf < leaf)
    keys = tuple(str(key) for key in evidence.ring.keys)
    return Certificate(leaf, told["at"], told["entry"], exports, proof, keys)


def _count(told: Any) -> int:
    return told if isinstance(told, int) else len(told)
