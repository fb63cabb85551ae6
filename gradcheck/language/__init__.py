"""Text to graph: the expression language and the values of --at."""
