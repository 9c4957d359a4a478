"""Graphs of records: /composite/graph, each graph whole or not at all."""

import re
from typing import Any

from crmtrail.sandbox.http import Reply
from crmtrail.sandbox.salesforce.calls import Call
from crmtrail.sandbox.salesforce.composite import Composite, checked
from crmtrail.sandbox.salesforce.refusal import Refusal, not_found, unparsable

OLDEST = 50.0
MAX_NODES = 500
_FAILED = 400
_NAME = re.compile(r"[A-Za-z0-9_]+\Z")
_ON_RECORDS = re.compile(r"/services/data/v\d+\.0/sobjects/[^/]+(/.+)?\Z")


class Graphs:
    """Answers for graphs; ``composite`` carries out the nodes of one."""

    def __init__(self, composite: Composite) -> None:
        self._composite = composite

    def answer(self, call: Call) -> Reply:
        """Answer POST /composite/graph."""
        call.must_be("POST")
        if float(call.version) < OLDEST:
            raise not_found()
        graphs = _read(call.members().get("graphs"))
        return Reply.of(200, {"graphs": [self._one(call, *graph) for graph in graphs]})

    def _one(self, call: Call, id_: str, nodes: list[dict[str, Any]]) -> dict[str, Any]:
        answers = self._composite.run(call, nodes, all_or_none=True)
        good = all(item["httpStatusCode"] < _FAILED for item in answers)
        return {
            "graphId": id_,
            "graphResponse": {"compositeResponse": answers},
            "isSuccessful": good,
        }


def _read(listed: object) -> list[tuple[str, list[dict[str, Any]]]]:
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise unparsable("graphs must be a list of objects")
    graphs: list[tuple[str, list[dict[str, Any]]]] = []
    for graph in listed:
        id_ = graph.get("graphId")
        known = [name for name, _ in graphs]
        if not isinstance(id_, str) or not _NAME.match(id_) or id_ in known:
            raise Refusal("INVALID_INPUT", f"graphId must be unique and plain: {id_}")
        graphs.append((id_, checked(graph.get("compositeRequest"), MAX_NODES)))
    nodes = [node for _, listed_nodes in graphs for node in listed_nodes]
    if len(nodes) > MAX_NODES:
        raise Refusal(
            "LIMIT_EXCEEDED", f"{len(nodes)} nodes in the payload, the limit is {MAX_NODES}"
        )
    for node in nodes:
        if not _ON_RECORDS.match(str(node.get("url"))):
            raise Refusal("INVALID_INPUT", f"a graph holds records only: {node.get('url')}")
    return graphs
