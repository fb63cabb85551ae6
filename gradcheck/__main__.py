"""The command's entry: `gradcheck`, or `python -m gradcheck`."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Run the command."""
    # Loading SymPy makes a million objects that stay: looking through them for garbage again
    # and again would cost a tenth of the run.
    gc.set_threshold(200_000, 50, 50)
    try:
        from gradcheck.cli import main as run

        run()
    except KeyboardInterrupt:
        # Pressed while modules were still being loaded.
        sys.exit(130)


if __name__ == "__main__":
    main()
