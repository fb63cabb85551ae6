"""Terms as text of the language, with as few brackets as it allows."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from gradcheck.ops import OPS, REDUCTIONS
from gradcheck.terms.term import CONSTANT, NAME, NUMBER, PRODUCT, SUM, Term, addends, factors, scaled

COMPARED, ADDED, NEGATED, MULTIPLIED, RAISED, WHOLE = range(6)
"""How tightly a piece of text binds."""

SIGNS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
SPELLINGS = {op: name for name, op in REDUCTIONS.items()}

ODD = 1000
"""Denominator from which nobody meant a fraction."""

PLACES = 35
"""Decimal places that are written; the constants of SELU have 31."""


def write(term: Term, decimals: bool = False) -> str:
    """Return a term as text; with `decimals` numbers that end are written with a point."""
    return _Writer(decimals).piece(term)[0]


class _Writer:
    def __init__(self, decimals: bool) -> None:
        self.decimals = decimals

    def bracketed(self, term: Term, needs: int) -> str:
        text, binds = self.piece(term)
        return text if binds >= needs else f"({text})"

    def piece(self, term: Term) -> tuple[str, int]:
        """Return the text of a term, and how tightly it binds."""
        if term.op in (NAME, CONSTANT):
            return term.data, WHOLE
        if term.op in (NUMBER, PRODUCT) or (term.op == SUM and len(term.args) == 1):
            return self.product(*scaled(term))
        if term.op == SUM:
            return self.sum(term), ADDED
        if term.op in SIGNS:
            left, right = (self.bracketed(one, ADDED) for one in term.args)
            return f"{left} {SIGNS[term.op]} {right}", COMPARED
        if term.op == "matmul":
            chain = term.args[0].op == "matmul"
            left = self.bracketed(term.args[0], MULTIPLIED if chain else RAISED)
            return f"{left} @ {self.bracketed(term.args[1], RAISED)}", MULTIPLIED
        if term.op == "pow":
            return f"{self.bracketed(term.args[0], WHOLE)}^{self.bracketed(term.args[1], WHOLE)}", RAISED
        return self.call(term), WHOLE

    def sum(self, term: Term) -> str:
        """Write a sum, beginning with something that has no sign in front of it."""
        parts = sorted(addends(term), key=lambda part: part[0] < 0)
        result = ""
        for k, one in parts:
            text, binds = self.product(abs(k), one)
            text = text if binds > ADDED else f"({text})"
            result += f"{' - ' if k < 0 else ' + '}{text}" if result else f"{'-' if k < 0 else ''}{text}"
        return result

    def product(self, k: Fraction, term: Term) -> tuple[str, int]:
        """Write a number times a term: what has negative powers stands below the line."""
        k, parts = _turned(k, factors(term))
        up = sorted([(b, e) for b, e in parts if e > 0], key=_rank)
        down = sorted([(b, -e) for b, e in parts if e < 0], key=_rank)
        number, below = self.number(abs(k))
        if not parts and not below:
            return f"{'-' if k < 0 else ''}{number}", NEGATED if k < 0 else WHOLE
        above = [*([number] if number != "1" or not up else [])]
        count = len(above) + len(up)
        # Minus one times a product of matrices needs no brackets: -A @ B is (-A) @ B.
        lone = count == 1 and not down and not below and (k > 0 or up[0][0].op == "matmul")
        above += [self.raised(base, e, MULTIPLIED if lone else RAISED) for base, e in up]
        under = [*([below] if below else []), *(self.raised(base, e, RAISED) for base, e in down)]
        text = "*".join(above)
        if under:
            text += "/" + (under[0] if len(under) == 1 else f"({'*'.join(under)})")
        if k < 0:
            return f"-{text}", NEGATED
        return text, MULTIPLIED if under or count > 1 else self.alone(up)

    def alone(self, up: Sequence[tuple[Term, Fraction]]) -> int:
        """Return how tightly a single power binds."""
        base, e = up[0]
        if e == 1:
            return self.piece(base)[1]
        return WHOLE if e == Fraction(1, 2) else RAISED

    def raised(self, base: Term, e: Fraction, needs: int) -> str:
        if e == 1:
            return self.bracketed(base, needs)
        if e == Fraction(1, 2):
            return f"sqrt({self.piece(base)[0]})"
        return f"{self.bracketed(base, WHOLE)}^{e if e.denominator == 1 else f'({e})'}"

    def number(self, k: Fraction) -> tuple[str, str]:
        """Return a positive number as what stands above and below the line."""
        if k.denominator == 1:
            return str(k.numerator), ""
        digits = _digits(k) if self.decimals or k.denominator >= ODD else None
        if digits is not None:
            return digits, ""
        return str(k.numerator), str(k.denominator)

    def call(self, term: Term) -> str:
        how: dict[str, Any] = dict(term.data)
        if term.op == "getitem":
            return f"{self.bracketed(term.args[0], WHOLE)}[{_index(how['index'])}]"
        if term.op == "transpose" and how["axes"] is None:
            return f"{self.bracketed(term.args[0], WHOLE)}.T"
        if term.op == "transpose" and how["axes"] == _last_two_exchanged(len(term.shape)):
            return f"{self.bracketed(term.args[0], WHOLE)}.mT"
        row = OPS[term.op]
        args = list(term.args)
        while args and row.defaults.get(row.args[len(args) - 1]) == self.piece(args[-1])[0]:
            args.pop()
        texts = [self.piece(one)[0] for one in args]
        if row.made:
            return f"{term.op}({', '.join(map(str, how['shape']))})"
        texts += [f"{key}={how[key]}" for key, usual in row.params.items() if key in how and how[key] != usual]
        return f"{SPELLINGS.get(term.op, term.op)}({', '.join(texts)})"


def _last_two_exchanged(count: int) -> tuple[int, ...]:
    return (*range(count - 2), count - 1, count - 2)


def _turned(k: Fraction, parts: list[tuple[Term, Fraction]]) -> tuple[Fraction, list[tuple[Term, Fraction]]]:
    """Return -(x - y) as y - x."""
    for place, (base, e) in enumerate(parts):
        if k < 0 and e == 1 and base.op == SUM and len(base.args) > 1 and any(n < 0 for n in base.data):
            turned = Term(SUM, base.args, tuple(-n for n in base.data), base.shape)
            return -k, [*parts[:place], (turned, e), *parts[place + 1 :]]
    return k, parts


def _rank(part: tuple[Term, Fraction]) -> tuple[int, str]:
    """Return where a factor stands: names by the alphabet, then their powers; sums last."""
    base, e = part
    if base.op in (NAME, CONSTANT):
        return (0 if base.op == CONSTANT else 1 if e == 1 else 2), base.data
    return (4 if base.op == SUM else 3), ""


def _digits(k: Fraction) -> str | None:
    """Return a number as a decimal, if it is one that ends."""
    for places in range(1, PLACES):
        if (k * 10**places).denominator == 1:
            whole, rest = divmod((k * 10**places).numerator, 10**places)
            return f"{whole}.{rest:0{places}}"
    return None


def _index(index: tuple[Any, ...]) -> str:
    return ", ".join(map(_part, index))


def _part(part: Any) -> str:
    if isinstance(part, slice):
        ends = ["" if end is None else str(end) for end in (part.start, part.stop)]
        return ":".join(ends if part.step is None else [*ends, str(part.step)])
    return "..." if part is Ellipsis else str(part)
