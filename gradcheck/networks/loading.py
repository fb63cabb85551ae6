"""From files to networks: all specs of a file, or all mistakes in it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from fnmatch import fnmatchcase

from gradcheck.errors import GradcheckError, Source
from gradcheck.networks.build import Builder
from gradcheck.networks.document import documents
from gradcheck.networks.network import Network
from gradcheck.networks.spec import SpecReader
from gradcheck.networks.tree import Map, Node


def load(
    source: Source, folder: str = ".", *, outside: bool = False, certain: bool = True
) -> tuple[list[Network], list[GradcheckError]]:
    """Build every spec in a text.

    Args:
        source: the text of one or more YAML documents.
        folder: the spec's folder, from which it may read files.
        outside: whether it may read files elsewhere too.
        certain: whether this is meant to be a spec; otherwise what has no `gradcheck` key is passed over.

    Returns:
        the networks, and everything that is wrong; networks of documents with mistakes are left out.
    """
    roots, problems, flawed = documents(source)
    doubtful = [roots[k] for k in flawed]
    if not certain:
        if roots and not any(map(_is_spec, roots)):
            return [], []
        roots = [root for root in roots if _is_spec(root)]
    found = []
    base = os.path.splitext(os.path.basename(source.name))[0]
    for k, root in enumerate(roots):
        name = base if len(roots) == 1 else f"{base}-{k + 1}"
        network = _network(root, name, folder, outside, problems)
        if network is not None and root not in doubtful:
            found.append(network)
    return found, problems


def _is_spec(root: Node) -> bool:
    return isinstance(root, Map) and "gradcheck" in root.items


def _network(root: Node, name: str, folder: str, outside: bool, problems: list[GradcheckError]) -> Network | None:
    if not isinstance(root, Map) or not _is_spec(root):
        problems.append(root.error("this is not a spec", "a spec begins with gradcheck: 1"))
        return None
    start = len(problems)
    reader = SpecReader(root, folder, outside)
    spec = reader.read()
    problems.extend(reader.problems)
    broken = len(problems) > start
    network = Builder(spec, problems).network(name)
    return None if broken or len(problems) > start else network


def matching(networks: Iterable[Network], pattern: str | None) -> list[Network]:
    """Return the networks whose file or name fits a pattern of -k: part of it, or with * and ?."""
    if pattern is None:
        return list(networks)
    wide = pattern if any(c in pattern for c in "*?[") else f"*{pattern}*"
    return [n for n in networks if fnmatchcase(n.name, wide) or fnmatchcase(f"{n.source.name}::{n.name}", wide)]
