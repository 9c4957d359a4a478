"""Put detection together as the store calls it: one page's change sets in, what it means out."""

from collections.abc import Sequence
from dataclasses import replace

from crmtrail.config import RulesConfig
from crmtrail.detection.operations import cluster
from crmtrail.detection.rules import judge
from crmtrail.model import ChangeSet, Finding, Operation
from crmtrail.ports import Notice, Noticed, Scene


def _claim(operation: Operation, scene: Scene, rules: RulesConfig) -> Finding | None:
    """Return what the rules claim of an operation that nobody announced, or that exceeds that."""
    claim = judge(operation, scene, rules)
    if claim is None:
        return None
    named = [one for one in scene.expected if one.names(operation)]
    beyond = {one.id: one.exceeded(operation) for one in named}
    if not all(beyond.values()):
        return None
    told = "; ".join(f"{id_}: {words}" for id_, words in beyond.items())
    if not told:
        return claim
    evidence = {**claim.evidence, "announced": list(beyond)}
    return replace(claim, why=f"{claim.why}; announced, but {told}", evidence=evidence)


def noticing(rules: RulesConfig) -> Notice:
    """Return the notice for some rules."""

    def notice(change_sets: Sequence[ChangeSet], scene: Scene) -> Noticed:
        membership, operations = cluster(
            change_sets,
            scene.operations,
            schema=scene.schema,
            burst=rules.burst,
            sentinels=rules.blanking.sentinels,
        )
        claims = (_claim(operation, scene, rules) for operation in operations)
        findings = tuple(claim for claim in claims if claim is not None)
        return Noticed(membership=membership, operations=operations, findings=findings)

    return notice
