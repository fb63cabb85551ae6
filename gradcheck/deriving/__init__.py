"""The derivation of a gradient at a point, as records: stages, local derivatives, contributions."""
