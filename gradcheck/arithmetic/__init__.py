"""Number systems: float64, decimals, multiple precision, arrays of each, and graph building."""
