"""Functions that a generated Python program brings along: what neither Python nor numpy has under one name."""

from __future__ import annotations

from collections.abc import Mapping

from gradcheck.notation import python_special

_POLYGAMMA = '''\
def polygamma(n, x):
    """Return the derivative of order n of digamma, by recurrence and Stirling's series (DLMF 5.15)."""
    if x <= 0 and x == math.floor(x):
        return math.nan
    if n == 0 and x < 0:
        return polygamma(0, 1.0 - x) - math.pi / math.tan(math.pi * x)
    n, total = int(n), 0.0
    while x < n + 16:
        total += math.factorial(n) / x ** (n + 1)
        x += 1.0
    total += math.factorial(n) / (2.0 * x ** (n + 1))
    for k, bernoulli in enumerate([1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6], 1):
        total += bernoulli * math.factorial(2 * k + n - 1) / (math.factorial(2 * k) * x ** (2 * k + n))
    if n == 0:
        return math.log(x) - total
    return (-1.0) ** (n + 1) * (total + math.factorial(n - 1) / x**n)
'''

NUMBERS: Mapping[str, str] = {
    "sign": '''\
def sign(x):
    """Return 1, 0 or -1."""
    return float((x > 0) - (x < 0))
''',
    "heaviside": '''\
def heaviside(x):
    """Return 0 below zero, 1/2 at zero, 1 above."""
    return 0.5 * float((x > 0) - (x < 0)) + 0.5
''',
    "polygamma": _POLYGAMMA,
    "digamma": '''\
def digamma(x):
    """Return the derivative of the logarithm of gamma."""
    return polygamma(0, x)
''',
    **python_special.SOURCES,
}
"""Name → source, for programs of single numbers."""

_SPECIAL = {
    name: f'''\
def {name}(x):
    """Return {name} of each element."""
    return each({function}, x)
'''
    for name, function in {
        "erf": "math.erf", "erfc": "math.erfc", "gamma": "math.gamma", "lgamma": "math.lgamma",
    }.items()
}  # fmt: skip

_INNER = "".join(f"    {line}\n" if line else "\n" for line in _POLYGAMMA.splitlines())
_STEPS = "stride=None, padding=None, dilation=None"
_REACH = f'kernel, {_STEPS}, edge="zero"'
_WHERE = "kernel, stride, padding, dilation"

ARRAYS: Mapping[str, str] = {
    "each": '''\
def each(function, *x):
    """Apply a function of numbers to each element; NaN where it has no value."""

    def attempt(*numbers):
        try:
            return function(*map(float, numbers))
        except (ArithmeticError, ValueError):
            return math.nan

    return np.vectorize(attempt, otypes=[float])(*x)
''',
    **_SPECIAL,
    "polygamma": f'''\
def polygamma(n, x):
    """Return the derivative of order n of digamma, of each element."""

{_INNER}
    return each(polygamma, n, x)
''',
    "digamma": '''\
def digamma(x):
    """Return the derivative of the logarithm of gamma, of each element."""
    return polygamma(0.0, x)
''',
    **python_special.ARRAYS,
    "unbroadcast": '''\
def unbroadcast(g, x):
    """Add g up over the axes along which x was repeated."""
    g = g + np.zeros_like(x)
    g = np.sum(g, axis=tuple(range(np.ndim(g) - np.ndim(x))))
    repeated = tuple(k for k, n in enumerate(np.shape(x)) if n == 1)
    return np.sum(g, axis=repeated, keepdims=True)
''',
    "logsumexp": '''\
def logsumexp(x, axis=None, keepdims=False):
    """Return log(sum(exp(x))) without overflow."""
    largest = np.max(x, axis=axis, keepdims=True)
    result = largest + np.log(np.sum(np.exp(x - largest), axis=axis, keepdims=True))
    return result if keepdims else np.squeeze(result, axis=axis)
''',
    "softmax": '''\
def softmax(x, axis=-1):
    """Return exp(x) / sum(exp(x)) without overflow."""
    powers = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return powers / np.sum(powers, axis=axis, keepdims=True)
''',
    "log_softmax": '''\
def log_softmax(x, axis=-1):
    """Return log(softmax(x)) without overflow."""
    shifted = x - np.max(x, axis=axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))
''',
    "count": '''\
def count(x, axis):
    """Return how many elements of x lie along several axes."""
    return math.prod(np.shape(x)[k] for k in axis)
''',
    "prod_others": '''\
def prod_others(x, axis=None):
    """Return for each element the product of the others in its group; right at zeros too."""
    axes = tuple(range(np.ndim(x))) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    moved = np.moveaxis(x, axes, range(len(axes)))
    flat = moved.reshape(-1, *moved.shape[len(axes) :])
    one = np.ones_like(flat[:1])
    before = np.cumprod(np.concatenate([one, flat[:-1]]), axis=0)
    after = np.cumprod(np.concatenate([one, flat[:0:-1]]), axis=0)[::-1]
    return np.moveaxis((before * after).reshape(moved.shape), range(len(axes)), axes)
''',
    "head": '''\
def head(g, x, axis=0):
    """Return the first part of g along an axis, as long as x."""
    return np.split(g, [np.shape(x)[axis]], axis=axis)[0]
''',
    "tail": '''\
def tail(g, y, axis=0):
    """Return the last part of g along an axis, as long as y."""
    return np.split(g, [np.shape(g)[axis] - np.shape(y)[axis]], axis=axis)[1]
''',
    "put": '''\
def put(g, x, index):
    """Return zeros like x with g at an index, added up where an element was picked twice."""
    result = np.zeros(np.shape(x))
    np.add.at(result, index, g)
    return result
''',
    "unselect": '''\
def unselect(g, x, axis, index):
    """Add what flows back from each chosen position to the position it was taken from."""
    result = np.zeros(np.shape(x))
    np.add.at(np.moveaxis(result, axis, 0), list(index), np.moveaxis(g, axis, 0))
    return result
''',
    "unlookup": '''\
def unlookup(g, x, i):
    """Add what flows back from each row that was looked up to its row of the table x."""
    result = np.zeros(np.shape(x))
    np.add.at(result, i.astype(int), g)
    return result
''',
    "inv": '''\
def inv(x):
    """Return the inverse of a matrix, or the reciprocal of a number."""
    return np.linalg.inv(x) if np.ndim(x) else 1.0 / x
''',
    "cholesky": '''\
def cholesky(x):
    """Return the lower triangular factor of the symmetric part of x."""
    return np.linalg.cholesky((x + np.swapaxes(x, -1, -2)) / 2)
''',
    "cofactor": '''\
def cofactor(x):
    """Return the slopes of the determinant, by singular values; right for singular matrices too."""
    left, size, right = np.linalg.svd(x)
    others = np.where(np.eye(np.shape(x)[-1], dtype=bool), 1.0, size[..., None, :]).prod(axis=-1)
    sign = np.rint(np.linalg.det(left) * np.linalg.det(right))
    return sign[..., None, None] * ((left * others[..., None, :]) @ right)
''',
    "undiag": '''\
def undiag(g, x):
    """Return zeros like x with g on the diagonal."""
    result = np.zeros(np.shape(x))
    np.fill_diagonal(result, g)
    return result
''',
    "blocks": '''\
def blocks(g, x, y):
    """Return a Kronecker product with the axes of its factors apart."""
    return np.reshape(g, [n for pair in zip(np.shape(x), np.shape(y)) for n in pair])
''',
    "cumprod_slopes": '''\
def cumprod_slopes(g, x, axis=None):
    """Return what flows back through a running product; right at zeros too."""
    flat, back = (np.ravel(one) if axis is None else np.moveaxis(one, axis, 0) for one in (x, g))
    result, behind, before = np.empty(np.shape(flat)), 0.0, 1.0
    for k in reversed(range(len(flat))):
        behind = back[k] + (flat[k + 1] * behind if k + 1 < len(flat) else 0.0)
        result[k] = behind
    for k in range(len(flat)):
        result[k] *= before
        before = before * flat[k]
    return result.reshape(np.shape(x)) if axis is None else np.moveaxis(result, 0, axis)
''',
    "unpad": '''\
def unpad(g, x, width):
    """Return what lies within the padding."""
    around = np.broadcast_to(width, (np.ndim(x), 2))
    return g[tuple(slice(before, before + n) for n, (before, _) in zip(np.shape(x), around))]
''',
    "window_places": f'''\
def window_places(shape, {_REACH}):
    """Return index arrays that take windows out of an array; index -1 is the zero beyond the edge."""
    rank, grid = len(kernel), []
    stride, dilation = stride or (1,) * rank, dilation or (1,) * rank
    padding = padding or ((0, 0),) * rank
    for k, length in enumerate(shape):
        count = (length + sum(padding[k]) - dilation[k] * (kernel[k] - 1) - 1) // stride[k] + 1
        first = np.arange(count)[:, None] * stride[k] - padding[k][0]
        places = first + np.arange(kernel[k]) * dilation[k]
        inside = (places >= 0) & (places < length)
        nearest = places[np.arange(count), inside.argmax(axis=1)][:, None]
        places = np.where(inside, places, -1 if edge == "zero" else nearest)
        axes = [1] * (2 * rank)
        axes[k], axes[rank + k] = places.shape
        grid.append(places.reshape(axes))
    return tuple(grid)
''',
    "windows": f'''\
def windows(x, {_REACH}):
    """Take windows out of the last axes of x: first their places, then the places within a window."""
    lead = np.ndim(x) - len(kernel)
    padded = np.pad(x, [(0, 0)] * lead + [(0, 1)] * len(kernel))
    return padded[(..., *window_places(np.shape(x)[lead:], {_WHERE}, edge))]
''',
    "unwindow": f'''\
def unwindow(g, x, {_REACH}):
    """Add what flows back from each place of each window to the element of x it was taken from."""
    lead = np.ndim(x) - len(kernel)
    places = window_places(np.shape(x)[lead:], {_WHERE}, edge)
    padded = np.zeros([n if k < lead else n + 1 for k, n in enumerate(np.shape(x))])
    np.add.at(padded, (..., *places), g)
    return padded[(..., *[slice(0, -1)] * len(kernel))]
''',
    "fold": f'''\
def fold(x, size, {_REACH}):
    """Add windows up at the places they would be taken from."""
    lead = np.shape(x)[: np.ndim(x) - 2 * len(size)]
    return unwindow(x, np.zeros([*lead, *size]), {_WHERE}, edge)
''',
    "average_pool": f'''\
def average_pool(x, {_REACH}):
    """Return the mean of each window."""
    return np.mean(windows(x, {_WHERE}, edge), axis=tuple(range(-len(kernel), 0)))
''',
    "max_pool": f'''\
def max_pool(x, {_REACH}):
    """Return the largest element of each window."""
    return np.max(windows(x, {_WHERE}, edge), axis=tuple(range(-len(kernel), 0)))
''',
    "average_unpool": f'''\
def average_unpool(g, x, {_REACH}):
    """Share what flows back to each window out among its elements."""
    inner = tuple(range(-len(kernel), 0))
    shared = np.expand_dims(g, inner) * np.ones(kernel) / math.prod(kernel)
    return unwindow(shared, x, {_WHERE}, edge)
''',
    "max_unpool": f'''\
def max_unpool(g, x, out, {_REACH}):
    """Give what flows back to each window to its largest element; equal ones share it."""
    inner = tuple(range(-len(kernel), 0))
    largest = windows(x, {_WHERE}, edge) == np.expand_dims(out, inner)
    shared = np.expand_dims(g, inner) * largest / np.sum(largest, axis=inner, keepdims=True)
    return unwindow(shared, x, {_WHERE}, edge)
''',
    "grouped_windows": f'''\
def grouped_windows(x, groups, {_REACH}):
    """Return windows of a picture, batch × groups × channels × places × window, and letters for its last axes."""
    rank = len(kernel)
    columns = windows(x, {_WHERE}, edge)
    shape = np.shape(columns)
    channels = shape[-2 * rank - 1]
    grouped = columns.reshape(*shape[: -2 * rank - 1], groups, channels // groups, *shape[-2 * rank :])
    return grouped, "ijk"[:rank], "uvw"[:rank]
''',
    "conv_map": f'''\
def conv_map(x, W, {_STEPS}):
    """Correlate each picture with each filter."""
    kernel = np.shape(W)[2:]
    groups = np.shape(x)[-len(kernel) - 1] // np.shape(W)[1]
    columns, place, inner = grouped_windows(x, groups, {_WHERE})
    filters = W.reshape(groups, -1, *np.shape(W)[1:])
    maps = np.einsum(f"...gc{{place}}{{inner}},gfc{{inner}}->...gf{{place}}", columns, filters)
    rank = len(kernel)
    return maps.reshape(*np.shape(maps)[: -rank - 2], np.shape(W)[0], *np.shape(maps)[-rank:])
''',
    "conv": f'''\
def conv(x, W, b, {_STEPS}):
    """Correlate each picture with each filter and add a number for each filter."""
    return conv_map(x, W, stride, padding, dilation) + b.reshape(-1, *[1] * (np.ndim(W) - 2))
''',
    "conv_input": f'''\
def conv_input(g, W, x, {_STEPS}):
    """Spread what flows back to a convolution over its input, through the filters."""
    kernel = np.shape(W)[2:]
    rank, groups = len(kernel), np.shape(x)[-len(kernel) - 1] // np.shape(W)[1]
    columns, place, inner = grouped_windows(x, groups, {_WHERE})
    filters = W.reshape(groups, -1, *np.shape(W)[1:])
    maps = g.reshape(*np.shape(g)[: -rank - 1], groups, -1, *np.shape(g)[-rank:])
    spread = np.einsum(f"...gf{{place}},gfc{{inner}}->...gc{{place}}{{inner}}", maps, filters)
    spread = spread.reshape(*np.shape(x)[:-rank], *np.shape(columns)[-2 * rank :])
    return unwindow(spread, x, {_WHERE})
''',
    "conv_weight": f'''\
def conv_weight(g, x, {_STEPS}, *, kernel, groups=1):
    """Correlate what flows back to a convolution with its input: the filters' gradient, for each picture."""
    rank = len(kernel)
    columns, place, inner = grouped_windows(x, groups, {_WHERE})
    maps = g.reshape(*np.shape(g)[: -rank - 1], groups, -1, *np.shape(g)[-rank:])
    weights = np.einsum(f"...gf{{place}},...gc{{place}}{{inner}}->...gfc{{inner}}", maps, columns)
    lead = np.shape(g)[: -rank - 1]
    return weights.reshape(*lead, np.shape(g)[-rank - 1], *np.shape(weights)[-rank - 1 :])
''',
}  # fmt: skip
"""Name → source, for programs of arrays."""
