"""The commands: options and streams, and nothing of mathematics. A module a command."""
