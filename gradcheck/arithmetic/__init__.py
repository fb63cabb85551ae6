"""Number systems: float64, balls, series of balls, SymPy symbols, arrays of each, and graph building."""
