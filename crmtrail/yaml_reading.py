"""Read YAML strictly: what would be passed over in silence is refused in one line."""

import re
from collections.abc import Hashable
from typing import Any, Final

import yaml

from crmtrail.errors import Mistake

_QUOTED: Final = re.compile(r"'([^']*)'")
_TELLING: Final = 3
"""From so many letters on a quotation could be of a secret."""


class _Strict(yaml.SafeLoader):
    """Refuses a key that is written twice, of which YAML would keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 -- the signature of yaml
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen and key.value != "<<":
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key.value} stands there twice", problem_mark=key.start_mark
                )
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def read_yaml(text: str) -> Any:
    """Return what a YAML text holds.

    Raises:
        Mistake: it is no YAML, or a mapping has a key twice; says where and why, without quoting
            what could be a secret.
    """
    try:
        return yaml.load(text, _Strict)  # noqa: S506 -- a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark, problem = error.problem_mark, error.problem or "it cannot be read"
        where = f" at line {mark.line + 1}" if mark else ""
        raise Mistake(f"the config is not valid YAML{where}: {_discreet(problem)}") from None
    except yaml.reader.ReaderError as error:
        raise Mistake(
            f"the config is not valid YAML: it holds the character {error.character:#06x}"
        ) from None


def _discreet(problem: str) -> str:
    """Take the words of the file out; signs and yaml's own names like '<stream end>' stay."""

    def replace(match: re.Match[str]) -> str:
        is_ours = len(match[1]) >= _TELLING and not match[1].startswith("<")
        return "(a word)" if is_ours else match[0]

    return _QUOTED.sub(replace, problem)
