"""Independent ways to a gradient. They share the graph and nothing else."""
