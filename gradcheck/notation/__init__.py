"""Formulas written out: one printer, and a table a notation (board, LaTeX, Python, JavaScript)."""
