"""Circuits as pictures: one layout for terminals and SVG, and text for other tools to lay out."""
