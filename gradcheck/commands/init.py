"""`gradcheck init`: a spec to begin with, or one made from a printed torch model."""

from __future__ import annotations

import click


@click.command()
@click.option(
    "--from-repr", "model", metavar="FILE", help="A file with a pasted print(model); `-` reads standard input."
)
def init(model: str | None) -> None:
    """Print a commented spec to begin with.

    \b
    gradcheck init > net.yaml
    gradcheck init --from-repr model.txt > net.yaml
    """  # noqa: D301 - click reads the backspace as "keep these lines"
    if model is None:
        from gradcheck.networks.starter import starter

        click.echo(starter(), nl=False)
        return
    import sys

    from gradcheck.networks.document import MAX_BYTES, decode, read_file
    from gradcheck.networks.from_model import from_model
    from gradcheck.networks.table import LAYERS

    source = decode(sys.stdin.buffer.read(MAX_BYTES + 1), "<stdin>") if model == "-" else read_file(model)
    click.echo(from_model(source, LAYERS), nl=False)
