"""gradcheck tells whether a gradient is right, and if not, where and why.

>>> import gradcheck
>>> gradcheck.check("(x+y)*z", at={"x": -2, "y": 5, "z": -4}).verdict
'agree'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradcheck.checking.expressions import Settings, check
    from gradcheck.checking.results import Check, Gradient, Report
    from gradcheck.checking.verdicts import SpecResult, TensorResult, Verification
    from gradcheck.checking.verifying import verify
    from gradcheck.deriving.trace import Trace
    from gradcheck.deriving.tracer import trace
    from gradcheck.errors import GradcheckError

__version__ = "0.1.0"

__all__ = [
    "Check", "GradcheckError", "Gradient", "Report", "Settings", "SpecResult", "TensorResult", "Trace",
    "Verification", "__version__", "check", "trace", "verify",
]  # fmt: skip

_HOMES = {
    "check": "gradcheck.checking.expressions",
    "Settings": "gradcheck.checking.expressions",
    "GradcheckError": "gradcheck.errors",
    "Check": "gradcheck.checking.results",
    "Gradient": "gradcheck.checking.results",
    "Report": "gradcheck.checking.results",
    "SpecResult": "gradcheck.checking.verdicts",
    "TensorResult": "gradcheck.checking.verdicts",
    "Verification": "gradcheck.checking.verdicts",
    "Trace": "gradcheck.deriving.trace",
    "trace": "gradcheck.deriving.tracer",
    "verify": "gradcheck.checking.verifying",
}


def __getattr__(name: str) -> Any:
    # Loaded on first use: the command's --help must not pay for the engines.
    if name in _HOMES:
        import importlib

        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
