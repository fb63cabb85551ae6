"""The computation graph: nodes, shapes, and evaluation as one loop in any arithmetic."""
