"""Which key-encryption key stands behind a row's ``kek_no``."""

from collections.abc import Iterable, Mapping

from crmtrail.errors import Mistake
from snapshot.keys.glance import Glance
from snapshot.keys.kek import KekSource
from snapshot.keys.wrapping import fingerprint

_KEKS = "SELECT kek_no, fingerprint FROM kek"


class Unlocking:
    """The key-encryption keys in memory. What they do not open makes it read the place again."""

    def __init__(self, source: KekSource, glance: Glance) -> None:
        self.source = source
        self._glance = glance
        self._held: dict[bytes, bytes] = {}
        self._by_number: dict[int, bytes] = {}

    def keks(self, numbers: Iterable[int]) -> Mapping[int, bytes]:
        """Return key-encryption keys by number; those asked for are among them.

        Raises:
            Mistake: the place holds another key, or none.
        """
        wanted = set(numbers)
        if not wanted <= self._by_number.keys():
            self._number()
        if not wanted <= self._by_number.keys():
            # Another process may have rotated them since.
            self.learn(self.source.read())
            self._number()
        if not wanted <= self._by_number.keys():
            raise Mistake(
                f"the key store is wrapped under another key-encryption key than the one in "
                f"{self.source.told}",
                hint="put the right one back; after a rotation elsewhere, take over the new one",
            )
        return self._by_number

    def learn(self, keks: Iterable[bytes]) -> None:
        """Hold more keys."""
        self._held = self._held | {fingerprint(kek): kek for kek in keks}

    def keep_only(self, keks: Iterable[bytes]) -> None:
        """Forget all others."""
        self._held, self._by_number = {}, {}
        self.learn(keks)

    def _number(self) -> None:
        rows, held = self._glance.rows(_KEKS), self._held
        self._by_number = {no: held[bytes(name)] for no, name in rows if bytes(name) in held}
