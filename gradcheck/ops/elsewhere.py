"""Functions that NumPy, SciPy, PyTorch and JAX have and gradcheck has not: no other name stands for them."""

from __future__ import annotations

from collections.abc import Iterable

from gradcheck.errors import did_you_mean

_SPECIAL = """
bdtr ber betainc betaincc betaincinv binom boxcox boxcox1p btdtr chdtr cosdg cotdg dawsn diric ellipe ellipj
ellipk erfi euler exp1 expi expn exprel factorial fdtr gammainc gammaincc gammaincinv gammasgn gdtr huber ive i2
inv_boxcox j0 j1 jn jv jve k0 k0e k1 k1e kl_div kn kolmogi kv kve lambertw legendre multigammaln nbdtr ndtri_exp
owens_t pdtr poch powm1 pseudo_huber radian rgamma shichi sici sindg spence stdtr struve tandg y0 y1 yn yv zeta
zetac bessel_j0 bessel_j1 bessel_y0 bessel_y1 igamma igammac mvlgamma
"""

_ELEMENTWISE = """
angle conj conjugate copysign deg2rad degrees divmod fmod frac frexp imag invert isclose isfinite isinf isnan
ldexp lerp logical_and logical_not logical_or logical_xor mod modf nan_to_num nextafter polar rad2deg radians
real remainder rsub signbit sinpi spacing trunc fix addcdiv addcmul
"""

_ACTIVATIONS = """
glu rrelu softmin sparse_plus sparse_sigmoid squareplus threshold
"""

_ON_ARRAYS = """
addbmm addmm addmv addr adjoint all allclose any argmax argmin argsort argwhere aminmax baddbmm chain_matmul
choose cond cov cross cummax cummin cumprod det diag diagonal diff dropout eig einsum eye fliplr flipud ger
gumbel_softmax histc interp inverse kron logcumsumexp logdet logspace lstm lu matrix_power median mode msort
multi_dot nanmean nanmedian nansum normal normalize ones pad pinv polyval pdist qr quantile ravel renorm repeat
resize rms_norm roll select slogdet sort split squeeze stack std_mean svd take tensordot tile trace tri tril
triu unsqueeze vander var_mean vdot vecdot vmap zeros
"""

ELSEWHERE = frozenset(" ".join((_SPECIAL, _ELEMENTWISE, _ACTIVATIONS, _ON_ARRAYS)).split())
"""A name that gradcheck has after all is found before anybody asks here."""

MISSING = "other libraries have this function, gradcheck has not; `gradcheck ops` lists those it has"


def suggestion(word: str, known: Iterable[str]) -> str | None:
    """Return a hint for a function that is not there: never that another library's name means another function."""
    return MISSING if word in ELSEWHERE else did_you_mean(word, known)
