"""The command's entry: `gradcheck`, or `python -m gradcheck`."""

from __future__ import annotations

import gc


def main() -> None:
    """Run the command."""
    # Loading SymPy makes a million objects that stay: looking through them for garbage again
    # and again would cost a tenth of the run.
    gc.set_threshold(200_000, 50, 50)
    from gradcheck.cli import main as run

    run()


if __name__ == "__main__":
    main()
