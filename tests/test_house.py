"""The rooms of the package: who imports whom, what is never called, and that everything is described."""

from __future__ import annotations

import ast
import pathlib

import pytest

import gradcheck

PACKAGE = pathlib.Path(gradcheck.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = {
    ".".join(("gradcheck", *f.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): f for f in FILES
}

ROOMS = (
    "errors", "progress", "ops", "graph", "language", "arithmetic", "networks", "terms", "engines", "checking",
    "notation", "deriving", "drawing", "writing", "commands", "cli",
)  # fmt: skip
"""From the ground up: a module imports only from its own room and from those before it, types included."""


def room(module: str) -> int:
    return ROOMS.index(module.split(".")[1])


def imports(path: pathlib.Path) -> set[str]:
    """Return the modules of the package that a file imports, for types alone or not."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            base = node.module or ""
            found |= {f"{base}.{a.name}" if f"{base}.{a.name}" in MODULES else base for a in node.names}
    return {name for name in found if name.startswith("gradcheck.")}


ROOMED = {m: f for m, f in MODULES.items() if m not in ("gradcheck", "gradcheck.__main__", "gradcheck.language")}


@pytest.mark.parametrize("module", ROOMED)
def test_imports_go_downhill(module: str) -> None:
    uphill = {other for other in imports(ROOMED[module]) if room(other) > room(module)}
    assert uphill == set()


def test_no_circles_within_a_room() -> None:
    """Late imports and those for types count: a circle of any kind is a wall in the wrong place."""
    below = {module: {o for o in imports(path) if o in ROOMED and o != module} for module, path in ROOMED.items()}

    def reached(module: str) -> set[str]:
        found: set[str] = set()
        stack = [module]
        while stack:
            new = below[stack.pop()] - found
            found |= new
            stack += new
        return found

    circles = [module for module in below if module in reached(module)]
    assert circles == []


def test_a_class_has_a_name_of_its_own() -> None:
    """Two things of one name are read as one."""
    homes: dict[str, list[str]] = {}
    for module, path in MODULES.items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, []).append(module)
    assert {name: modules for name, modules in homes.items() if len(modules) > 1} == {}


def test_engines_share_nothing_but_the_graph() -> None:
    names = {"gradcheck.engines.backprop", "gradcheck.engines.symbolic", "gradcheck.engines.finite_difference"}
    for name in names:
        assert not imports(MODULES[name]) & (names - {name})


def test_graph_knows_no_op() -> None:
    assert imports(MODULES["gradcheck.graph.graph"]) == {"gradcheck.errors"}
    assert imports(MODULES["gradcheck.graph.evaluation"]) == {"gradcheck.graph.graph"}


def test_comparison_is_pure() -> None:
    assert imports(MODULES["gradcheck.checking.judge"]) == set()


def called(path: pathlib.Path) -> list[str]:
    """Return the names of the functions that are called, methods under their attribute's name."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            target = node.func
            found.append(target.id if isinstance(target, ast.Name) else getattr(target, "attr", ""))
    return found


def test_text_is_never_executed() -> None:
    banned = {"eval", "exec", "sympify", "parse_expr", "lambdify", "__import__", "system", "popen", "Popen"}
    found = {(m, name) for m, f in MODULES.items() for name in called(f) if name in banned}
    # `balls.system` and `series.system` make number systems.
    found = {(m, name) for m, name in found if name != "system"}
    assert found == {("gradcheck.arithmetic.compiling", "exec")}
    assert called(MODULES["gradcheck.arithmetic.compiling"]).count("exec") == 1


def test_nothing_is_unpickled() -> None:
    for module, path in MODULES.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
        names |= {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module}
        assert not names & {"pickle", "marshal", "shelve", "dill", "subprocess", "os.system"}, module
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "load":
                allowed = {k.arg: k.value for k in node.keywords}.get("allow_pickle")
                assert isinstance(allowed, ast.Constant), module
                assert allowed.value is False, module


@pytest.mark.parametrize("module", MODULES)
def test_everything_public_is_described(module: str) -> None:
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    missing = []
    for node in tree.body:
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef)) or node.name.startswith("_"):
            continue
        inner = [n for n in node.body if isinstance(n, ast.FunctionDef)] if isinstance(node, ast.ClassDef) else []
        missing += [n.name for n in [node, *inner] if not n.name.startswith("_") and not ast.get_docstring(n)]
    assert missing == []


def test_the_only_tolerances_are_in_one_place() -> None:
    """`isclose` and `allclose` would be a second opinion on what agreement means."""
    users = {m for m, f in MODULES.items() if {"isclose", "allclose", "approx"} & set(called(f))}
    assert users <= {"gradcheck.checking.judge"}


def test_numpy_and_sympy_stay_out_of_the_small_modules() -> None:
    heavy = {"flint", "numpy", "sympy", "mpmath", "rich"}
    for module in (
        "errors",
        "graph.graph",
        "checking.judge",
        "checking.check",
        "checking.points",
        "cli",
        "checking.forward",
        "checking.exact",
        "language.parser",
        "arithmetic.floats",
    ):
        tree = ast.parse(MODULES[f"gradcheck.{module}"].read_text(encoding="utf-8"))
        top = {a.name.partition(".")[0] for n in tree.body if isinstance(n, ast.Import) for a in n.names}
        top |= {(n.module or "").partition(".")[0] for n in tree.body if isinstance(n, ast.ImportFrom)}
        assert not top & heavy, module
