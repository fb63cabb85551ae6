"""Special functions that a generated Python program brings along, of single numbers: name → source."""

from __future__ import annotations

from collections.abc import Mapping

SOURCES: Mapping[str, str] = {
    "betaln": '''\
def betaln(x, y):
    """Return log|gamma(x)*gamma(y)/gamma(x + y)|; of large operands by Stirling's series (DLMF 5.11.1)."""
    x, y = max(x, y), min(x, y)
    z = x + y
    if x < 10 or y <= 0:
        return math.lgamma(x) + math.lgamma(y) - math.lgamma(z)
    total = math.lgamma(y) + y - y * math.log(z) - (x - 0.5) * math.log1p(y / x)
    for k, bernoulli in enumerate([1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6], 1):
        total += bernoulli / (2 * k * (2 * k - 1)) * (x ** (1 - 2 * k) - z ** (1 - 2 * k))
    return total
''',
    "erfcx": '''\
def erfcx(x):
    """Return exp(x^2)*erfc(x); where erfc is small by its continued fraction (DLMF 7.9.1)."""
    if x < 2:
        return math.exp(x**2) * math.erfc(x) if x > -26.6 else math.inf
    tail = x
    for n in range(100, 0, -1):
        tail = x + n / 2 / tail
    return 1 / (math.sqrt(math.pi) * tail)
''',
    "erfc_tail": '''\
def erfc_tail(y):
    """Return where erfc is y, from 0 to 1/2: Newton's method on its logarithm, from the right."""
    x = math.sqrt(-math.log(y))
    for _ in range(20):
        x += math.log(math.erfc(x) / y) * math.erfc(x) * math.sqrt(math.pi) / 2 * math.exp(x**2)
    return x
''',
    "erfinv": '''\
def erfinv(x):
    """Return where erf is x: Newton's method, from the left; near 1 and -1 by what is missing."""
    if abs(x) >= 0.5:
        return math.copysign(erfc_tail(1.0 - abs(x)), x)
    y = math.sqrt(math.pi) / 2 * x
    for _ in range(20):
        y -= (math.erf(y) - x) * math.sqrt(math.pi) / 2 * math.exp(y**2)
    return y
''',
    "erfcinv": '''\
def erfcinv(x):
    """Return where erfc is x."""
    if 0.5 < x < 1.5:
        return erfinv(1.0 - x)
    return erfc_tail(x) if x < 1 else -erfc_tail(2.0 - x)
''',
    "sinc": '''\
def sinc(x):
    """Return sin(pi*x)/(pi*x): 1 at zero, and zero at every other whole number."""
    r = math.remainder(x, 2.0)
    r = math.copysign(1.0, r) - r if abs(r) > 0.5 else r
    return math.sin(math.pi * r) / (math.pi * x) if x else 1.0
''',
    "iv": '''\
def iv(n, x):
    """Return the modified Bessel function of a whole order, by its power series (DLMF 10.25.2)."""
    n, term, k = abs(int(n)), 1.0, 0
    for j in range(n):
        term *= x / 2 / (j + 1)
    total = term
    while abs(term) > 1e-17 * abs(total):
        k += 1
        term *= (x / 2) ** 2 / (k * (n + k))
        total += term
    return total
''',
    "scaled_bessel": '''\
def scaled_bessel(n, x):
    """Return exp(-|x|)*iv(n, x) for n = 0 or 1; of large x by Hankel's expansion (DLMF 10.40.1)."""
    if abs(x) < 30:
        return math.exp(-abs(x)) * iv(n, x)
    term = total = 1.0
    for k in range(1, 30):
        term *= ((2 * k - 1) ** 2 - 4 * n**2) / (8 * k * abs(x))
        total += term
    total /= math.sqrt(2 * math.pi * abs(x))
    return -total if n == 1 and x < 0 else total
''',
    "i0e": '''\
def i0e(x):
    """Return exp(-|x|)*iv(0, x)."""
    return scaled_bessel(0, x)
''',
    "i1e": '''\
def i1e(x):
    """Return exp(-|x|)*iv(1, x)."""
    return scaled_bessel(1, x)
''',
}

_INNER = {"erfc_tail": "y", "scaled_bessel": "n, x"}
"""Functions that no formula calls, only others of these."""

_ARGUMENTS = {"iv": "n, x", "betaln": "x, y"}


def _of_each(name: str, source: str) -> str:
    """Return the source of a function of arrays around one of numbers."""
    if name in _INNER:
        return source
    args = _ARGUMENTS.get(name, "x")
    inner = "".join(f"    {line}\n" if line else "\n" for line in source.splitlines())
    return (
        f'def {name}({args}):\n    """Return {name} of each element."""\n\n{inner}\n    return each({name}, {args})\n'
    )


ARRAYS: Mapping[str, str] = {name: _of_each(name, source) for name, source in SOURCES.items()}
"""The same for arrays."""
