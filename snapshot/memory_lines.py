"""Which records went on as which others, in memory: every link in a list."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from crmtrail.errors import Unfound
from crmtrail.model import Op, Ref, utc
from crmtrail.ports import Line, Succession
from snapshot.drafts import Draft
from snapshot.lineage import MERGED, RECREATED, heir_in, line


@dataclass(slots=True)
class Links:
    """All links; one counts once its heir is known."""

    known: Callable[[Ref], bool]
    links: dict[tuple[Ref, Ref], Succession] = field(default_factory=dict)

    def learn(self, drafts: Iterable[Draft]) -> None:
        """Note what removals tell of merges."""
        for draft in drafts:
            made, heir = draft.change_set, heir_in(draft.note)
            if made.op is Op.MERGE and heir not in {None, made.ref.id}:
                new = Ref(made.ref.source, made.ref.object, str(heir))
                link = Succession(made.ref, new, MERGED, made.at)
                self.links.setdefault((made.ref, new), link)

    def succeed(self, old: Ref, new: Ref, at: datetime) -> bool:
        """Note that a record was made anew; return whether that was news."""
        for ref in (old, new):
            if not self.known(ref):
                raise Unfound(f"{ref} is not in the store")
        if (old, new) in self.links:
            return False
        self.links[old, new] = Succession(old, new, RECREATED, utc(at))
        return True

    def heirs(self, refs: Collection[Ref]) -> dict[Ref, Ref]:
        """Return, for those of some records that were made anew, what they are now."""
        went = {
            link.record: link.heir
            for link in sorted(self.links.values(), key=lambda one: one.at)
            if link.kind == RECREATED
        }
        found: dict[Ref, Ref] = {}
        for ref in refs:
            now = ref
            while now in went:
                now = went[now]
            if now != ref:
                found[ref] = now
        return found

    def line_of(self, ref: Ref) -> Line:
        """Return the records that are one line with a record."""

        def links_of(refs: Collection[Ref]) -> Iterable[Succession]:
            return [
                link
                for (old, new), link in self.links.items()
                if (old in refs or new in refs) and self.known(new)
            ]

        return line(ref, links_of)
