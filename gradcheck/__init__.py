"""gradcheck tells whether a gradient is right, and if not, where and why.

>>> import gradcheck
>>> gradcheck.check("(x+y)*z", at={"x": -2, "y": 5, "z": -4}).verdict
'agree'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradcheck.checking.check import check
    from gradcheck.checking.report import Check, Report
    from gradcheck.checking.settings import Settings
    from gradcheck.checking.tensor import Gradient, Tensor
    from gradcheck.checking.verify import verify
    from gradcheck.deriving.trace import Trace
    from gradcheck.deriving.tracer import trace
    from gradcheck.errors import GradcheckError

__version__ = "0.1.0"

__all__ = [
    "Check", "GradcheckError", "Gradient", "Report", "Settings", "Tensor", "Trace", "__version__",
    "check", "trace", "verify",
]  # fmt: skip

_HOMES = {
    "check": "gradcheck.checking.check",
    "verify": "gradcheck.checking.verify",
    "Check": "gradcheck.checking.report",
    "Gradient": "gradcheck.checking.tensor",
    "Report": "gradcheck.checking.report",
    "Tensor": "gradcheck.checking.tensor",
    "Settings": "gradcheck.checking.settings",
    "Trace": "gradcheck.deriving.trace",
    "trace": "gradcheck.deriving.tracer",
    "GradcheckError": "gradcheck.errors",
}


def __getattr__(name: str) -> Any:
    # Loaded on first use: the command's --help must not pay for the engines.
    if name in _HOMES:
        import importlib

        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
