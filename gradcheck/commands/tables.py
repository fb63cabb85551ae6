"""`gradcheck ops`, `layers` and `schema`: the tables, as they are."""

from __future__ import annotations

from collections.abc import Iterable

import click


@click.command(short_help="List the ops, or show one.")
@click.argument("name", required=False)
def ops(name: str | None) -> None:
    """List the ops, or show one: its definition, gradient rules, domain and kinks."""
    from gradcheck.ops import FUNCTIONS, OPS
    from gradcheck.writing.tables import op_lines, op_list

    if name is None:
        _print(op_list())
        return
    row = FUNCTIONS.get(name) or OPS.get(name)
    if row is None:
        from gradcheck.errors import UsageError
        from gradcheck.ops.elsewhere import suggestion

        raise UsageError(f"there is no op `{name}`", hint=suggestion(name, FUNCTIONS) or "gradcheck ops lists them")
    _print(op_lines(row))


@click.command(short_help="List the layers and losses, or show one.")
@click.argument("name", required=False)
def layers(name: str | None) -> None:
    """List the layers and losses, or show one: its arguments, parameters and the program that defines it."""
    from gradcheck.networks.table import LAYERS, find
    from gradcheck.writing.tables import layer_lines, layer_list

    if name is None:
        _print(layer_list())
        return
    row = find(name)
    if row is None:
        from gradcheck.errors import UsageError, did_you_mean

        hint = did_you_mean(name, LAYERS) or "gradcheck layers lists them"
        raise UsageError(f"there is no layer `{name}`", hint=hint)
    _print(layer_lines(row))


@click.command(short_help="Print a JSON Schema of specs.")
def schema() -> None:
    """Print a JSON Schema of specs, for editors; it is made from the table of layers."""
    import json

    from gradcheck.networks.schema import schema as generated

    click.echo(json.dumps(generated(), indent=2, ensure_ascii=False))


def _print(lines: Iterable[str]) -> None:
    click.echo("\n".join(lines))
