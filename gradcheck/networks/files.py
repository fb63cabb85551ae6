"""Which files are specs, and all networks in them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from gradcheck.errors import GradcheckError, NothingFound, Source, SpecError, SpecErrors, UsageError
from gradcheck.networks.document import MAX_BYTES, read_file
from gradcheck.networks.loading import load, matching
from gradcheck.networks.network import Network

SUFFIXES = (".yaml", ".yml")


def networks_in(
    paths: Sequence[str],
    pattern: str | None = None,
    *,
    outside: bool = False,
    standard_input: Callable[[], Source] | None = None,
) -> tuple[list[Network], list[GradcheckError]]:
    """Return the networks of all files, in order, and every mistake in any of them.

    A spec with a mistake does not hide the others; it is not among the networks.

    Args:
        paths: files, or directories, in which every YAML with a `gradcheck:` key is a spec.
        pattern: a part of the names to choose, or a pattern with * and ?; None for all.
        outside: whether specs may read arrays from outside of their folders.
        standard_input: what reads the path `-`; None if that is a file's name like others.

    Raises:
        NothingFound: if there is no spec, and nothing wrong either.
    """
    problems: list[GradcheckError] = []
    found: list[Network] = []
    for path, certain in _files(paths, problems, standard_input is not None):
        try:
            piped = path == "-" and standard_input is not None
            source = standard_input() if piped and standard_input else read_file(path)
        except GradcheckError as error:
            if certain or _mentions_key(path):
                error.source = error.source or Source("", path)
                problems.append(error)
            continue
        if not certain and not _has_key(source.text):
            continue
        networks, wrong = load(source, "." if piped else os.path.dirname(path), outside=outside, certain=certain)
        found += networks
        problems += wrong
    chosen = matching(found, pattern)
    if not chosen and not problems:
        if found:
            raise NothingFound(f"no spec fits -k {pattern}", hint=f"there are {', '.join(n.name for n in found[:20])}")
        raise NothingFound(f"no spec in {', '.join(paths)}", hint="a spec is a .yaml file with a `gradcheck: 1` key")
    return chosen, SpecErrors(problems).problems


def network_in(path: str, pattern: str | None = None, **options: Any) -> Network:
    """Return the only network in a file that fits a pattern.

    Args:
        path: as in `networks_in`.
        pattern: which of several.
        **options: as in `networks_in`.

    Raises:
        SpecErrors: everything that is wrong in the file.
        UsageError: if there are several.
        NothingFound: if there is none.
    """
    networks, problems = networks_in([path], pattern, **options)
    if problems:
        raise problems[0] if len(problems) == 1 else SpecErrors(problems)
    if len(networks) > 1:
        raise UsageError(
            f"there are {len(networks)} specs, and a trace shows one",
            hint=f"choose with -k: {', '.join(n.name for n in networks[:20])}",
        )
    return networks[0]


def _files(paths: Sequence[str], problems: list[GradcheckError], piped: bool) -> Iterator[tuple[str, bool]]:
    """Yield each file, and whether the user named it: what lies in a directory may be something else."""
    seen: set[str] = set()
    for path in paths:
        if not os.path.isdir(path):
            if (piped and path == "-") or os.path.exists(path):
                yield path, True
            else:
                problems.append(SpecError(f"there is no file or directory `{path}`", Source("", path)))
            continue
        for folder, folders, files in os.walk(path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(files):
                full = os.path.join(folder, name)
                if name.endswith(SUFFIXES) and os.path.realpath(full) not in seen:
                    seen.add(os.path.realpath(full))
                    yield full, False


def _has_key(text: str) -> bool:
    """Whether a file in a directory is meant to be a spec."""
    return re.search(r"""^\s*(?:\{\s*)?["']?gradcheck["']?\s*:""", text, re.MULTILINE) is not None


def _mentions_key(path: str) -> bool:
    """Whether a file that cannot be read as text may be a spec all the same."""
    try:
        if not os.path.isfile(path):
            return True
        with open(path, "rb") as file:
            return b"gradcheck" in file.read(MAX_BYTES).replace(b"\0", b"")
    except OSError:
        return True
