"""Derivatives as readable text: sums and products in a normal form, rewritten within a fixed budget."""
