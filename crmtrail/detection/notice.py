"""Put detection together as the store calls it: one page's change sets in, what it means out."""

from collections.abc import Sequence

from crmtrail.config import RulesConfig
from crmtrail.detection.operations import cluster
from crmtrail.detection.rules import judge
from crmtrail.model import ChangeSet
from crmtrail.ports import Notice, Noticed, Scene


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
        claims = (judge(operation, scene, rules) for operation in operations)
        findings = tuple(claim for claim in claims if claim is not None)
        return Noticed(membership=membership, operations=operations, findings=findings)

    return notice
