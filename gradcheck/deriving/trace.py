"""What a trace shows: the derivation, the check beside it, and the answers to what was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gradcheck.notation.numbers import DIGITS

if TYPE_CHECKING:
    from gradcheck.checking.report import Report
    from gradcheck.deriving.forward_mode import ForwardMode
    from gradcheck.deriving.paths import Paths
    from gradcheck.deriving.records import Derivation
    from gradcheck.errors import GradcheckError


class Asked(NamedTuple):
    """What a trace shall show.

    Attributes:
        expand: whether groups are opened into their gates.
        focus: show only the paths to this quantity; None for everything.
        depth: show only so many gates (layers) before the output; None for all.
        digits: significant digits of numbers.
        why: the input whose paths are asked for; None for none.
        forward: whether the gradients shall be derived by forward mode too.
    """

    expand: bool = False
    focus: str | None = None
    depth: int | None = None
    digits: int = DIGITS
    why: str | None = None
    forward: bool = False


class Trace(NamedTuple):
    """A derivation and what belongs to it.

    Attributes:
        derivation: the stages.
        report: the comparison of backprop with the other engines; None if there is none.
        meaning: one sentence that was tested ("raise x by 0.01 and f falls by about 0.04"); "" if none holds.
        digits: significant digits of numbers.
        paths: the sum over paths to one input, where it was asked for (--why).
        passes: the same gradients by forward mode, where it was asked for (--order forward).
        problem: why there is no value or no gradient here; None if there is.
    """

    derivation: Derivation
    report: Report | None
    meaning: str
    digits: int
    paths: Paths | None = None
    passes: ForwardMode | None = None
    problem: GradcheckError | None = None
