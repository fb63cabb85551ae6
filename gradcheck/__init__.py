"""gradcheck tells whether a gradient is right, and if not, where and why.

>>> import gradcheck
>>> gradcheck.check("(x+y)*z", at={"x": -2, "y": 5, "z": -4}).verdict
'agree'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradcheck.checking import Settings, check
    from gradcheck.errors import GradcheckError
    from gradcheck.results import Check, Gradient, Report
    from gradcheck.tracing.trace import Trace
    from gradcheck.tracing.tracer import trace
    from gradcheck.verdicts import SpecResult, TensorResult, Verification
    from gradcheck.verifying import verify

__version__ = "0.1.0"

__all__ = [
    "Check", "GradcheckError", "Gradient", "Report", "Settings", "SpecResult", "TensorResult", "Trace",
    "Verification", "__version__", "check", "trace", "verify",
]  # fmt: skip

_HOMES = {
    "check": "gradcheck.checking",
    "Settings": "gradcheck.checking",
    "GradcheckError": "gradcheck.errors",
    "Check": "gradcheck.results",
    "Gradient": "gradcheck.results",
    "Report": "gradcheck.results",
    "SpecResult": "gradcheck.verdicts",
    "TensorResult": "gradcheck.verdicts",
    "Verification": "gradcheck.verdicts",
    "Trace": "gradcheck.tracing.trace",
    "trace": "gradcheck.tracing.tracer",
    "verify": "gradcheck.verifying",
}


def __getattr__(name: str) -> Any:
    # Loaded on first use: the command's --help must not pay for the engines.
    if name in _HOMES:
        import importlib

        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
