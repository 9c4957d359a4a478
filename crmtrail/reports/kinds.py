"""What every value of a column fits in, learnt while counting. Pure."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from crmtrail.reports.cells import Cell, Number

TRUTH: Final = "truth"
WHOLE: Final = "whole"
DECIMAL: Final = "decimal"
TEXT: Final = "text"

_DIGITS: Final = 38
"""How many digits a decimal column of Arrow holds."""
_WHOLE: Final = range(-(2**63), 2**63)


@dataclass(slots=True)
class Kind:
    """One column so far. ``before`` and ``after`` count digits around the point, at most."""

    truths: bool = False
    numbers: bool = False
    texts: bool = False
    before: int = 0
    after: int = 0
    wide: bool = False

    def see(self, cell: Cell) -> None:
        """Take in one more cell."""
        if isinstance(cell, bool):
            self.truths = True
        elif isinstance(cell, Number):
            self.numbers = True
            self._measure(Decimal(cell))
        elif cell is not None:
            self.texts = True

    def _measure(self, value: Decimal) -> None:
        # The digits are compared, not the value built: 1e400 must not make 400 of them.
        _, digits, exponent = value.as_tuple()
        power = int(exponent)
        self.after = max(self.after, -power)
        self.before = max(self.before, len(digits) + power)
        whole = power == 0 and len(digits) < _DIGITS
        self.wide = self.wide or not whole or int(value) not in _WHOLE

    def __str__(self) -> str:
        """Return the narrowest kind that holds every value exactly: ``decimal:before:after``."""
        if self.texts or self.truths + self.numbers != 1:
            return TEXT
        if self.truths:
            return TRUTH
        if not self.wide:
            return WHOLE
        if self.before + self.after <= _DIGITS:
            return f"{DECIMAL}:{self.before + self.after or 1}:{self.after}"
        return TEXT
