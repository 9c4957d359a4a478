"""The exact bytes a plan's digest is taken over, and steps as text. Pure.

A line is JSON with sorted keys, no spaces, ASCII only. A step's digest is the SHA-256 of its line,
which holds some random salt. The plan's is the SHA-256 of the digests of its steps, in hex, in
order, and of its line of terms, each ended by a newline. Anybody can recompute it, and a plan that
was altered where it is stored no longer matches. A step that was forgotten, because its record was
erased, leaves its digest, so that the plan's can still be recomputed.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from crmtrail.model import Action, Plan, Ref, Step, stamp
from snapshot.triggers import GONE_REASON


def canonical(content: Mapping[str, Any]) -> bytes:
    """Return the one JSON text of some content, without its newline."""
    return json.dumps(
        content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    ).encode("ascii")


def step_line(step: Step) -> bytes:
    """Return the line of a step, without its newline."""
    return canonical(
        {
            "id": step.id,
            "record": str(step.ref),
            "action": step.action.value,
            "expect": dict(step.expect),
            "write": dict(step.write),
            "left": dict(step.left),
            "reason": step.reason,
            "salt": step.salt,
        }
    )


def step_digest(step: Step) -> bytes:
    """Return the digest of a step, 32 bytes."""
    return hashlib.sha256(step_line(step)).digest()


def is_forgotten(step: Step) -> bool:
    """Return whether nothing is left of what a step would write, nor why."""
    said = (step.salt, step.expect, step.write, step.left)
    return not any(said) and step.reason == GONE_REASON


def step_of(line: bytes) -> Step:
    """Read a step from its line."""
    content = json.loads(line)
    return Step(
        id=content["id"],
        ref=Ref.parse(content["record"]),
        action=Action(content["action"]),
        expect=content["expect"],
        write=content["write"],
        left=content["left"],
        reason=content["reason"],
        salt=content["salt"],
    )


def terms_line(plan: Plan) -> bytes:
    """Return the line of a plan's terms: everything but the digest itself."""
    return canonical(
        {
            "id": plan.id,
            "author": plan.author,
            "created": stamp(plan.created),
            "expires": stamp(plan.expires),
            "source": plan.source,
            "selection": dict(plan.selection),
            "on_conflict": plan.on_conflict.value,
            "counts": {action.value: plan.counts.get(action, 0) for action in Action},
            "api_calls": plan.api_calls,
            "approvals_required": plan.approvals_required,
            "undoes": plan.undoes,
        }
    )


class Digest:
    """A plan's digest, fed a step at a time."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, step: Step, gone: bytes | None = None) -> bytes:
        """Take in the next step and return its line, without the newline.

        Args:
            step: the step.
            gone: the digest it had, if it was forgotten; not believed if anything is left of it.
        """
        line = step_line(step)
        digest = gone if gone and is_forgotten(step) else hashlib.sha256(line).digest()
        self._hash.update(digest.hex().encode() + b"\n")
        return line

    def close(self, terms: Plan) -> str:
        """Take in the terms and return the digest in hex; the plan's own digest is not read."""
        final = self._hash.copy()
        final.update(terms_line(terms) + b"\n")
        return final.hexdigest()
