"""A derivation written out: one function a format."""
