"""The sheet of paper: it compiles, nothing leaves the page, and its numbers are those of the records."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from trace_examples import NAMED, NAMES, example, numbers

from gradcheck.deriving.records import CONSTANT, shape_of
from gradcheck.notation.latex import LATEX
from gradcheck.writing.trace.equations import Equations
from gradcheck.writing.trace.latex import PREAMBLE, body, latex
from gradcheck.writing.trace.latex_words import figures, prose, sentence, typed
from gradcheck.writing.trace.tex_width import depth, pieces, rows, width

EVERY = [*NAMED, "hostile"]

PDFLATEX = shutil.which("pdflatex")

NUMBER = r"(?:-?[\d.]+(?: \\times 10\^\{-?\d+\})?|-?\\infty)"
FORMULAS = [
    r"\frac{\partial f}{\partial x} = \frac{\partial f}{\partial q} \cdot (q \cdot (1 - q)) = 0.512144 \cdot 0.0176627",
    r"\underset{\,3 \times 2\,}{\mathit{fc1.weight}} = \begin{pmatrix} 0.5 & -0.75 \\ -1 & 0.5 \end{pmatrix}",
    r"\underbrace{1.58319}_{[4]} + \underbrace{(-0.0357615)}_{[3]} + \underbrace{0.512144}_{[2]} = 2.05957",
    r"\begin{cases} \left|x\right| & \text{if } x > 0 \\ y & \text{otherwise} \end{cases} + \operatorname{relu}(x_{1})",
    r"\operatorname{average\_pool}_{\text{kernel}=(2, 2)}(\mathit{alpha}, \mathit{beta\_of\_x}) + \sigma(w_{0})",
    r"\mathrm{e}^{-(w_{0} \cdot x_{0} + w_{1} \cdot x_{1} + w_{2})} + 3 \times 10^{20} \cdot \sqrt{x^{2} + y^{2}}",
    r"\left. \frac{\partial f}{\partial x} \right|_{[4]} = \tanh(x) \cdot \log(y) - \max(z, w) + \mathit{mmm} \cdot M",
]


def compiled(folder: Path, text: str) -> str:
    (folder / "sheet.tex").write_text(text, encoding="ascii")
    command = [PDFLATEX or "pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "sheet.tex"]
    found = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    log = found.stdout.decode("latin-1")
    assert found.returncode == 0, log[-3000:]
    assert (folder / "sheet.pdf").stat().st_size > 1000
    return log


@pytest.mark.skipif(PDFLATEX is None, reason="needs pdflatex")
def test_all_documents_compile_and_stay_on_the_page(tmp_path: Path) -> None:
    bodies = [rf"\typeout{{BEGINS {name}}}{body(example(name))}" for name in EVERY]
    log = compiled(tmp_path, PREAMBLE + "\\clearpage\n".join(bodies) + "\\end{document}\n")
    assert [part for part in log.split("BEGINS ")[1:] if "Overfull" in part] == []
    assert "Missing character" not in log


@pytest.mark.skipif(PDFLATEX is None, reason="needs pdflatex")
def test_a_document_is_complete_and_widths_are_estimated_well(tmp_path: Path) -> None:
    measured = "".join(
        rf"\setbox0\hbox{{$\displaystyle {text}$}}\typeout{{WIDTH \the\dimexpr\wd0\relax}}" for text in FORMULAS
    )
    whole = latex(example("staged"))
    log = compiled(tmp_path, whole.replace(r"\end{document}", measured + r"\end{document}"))
    points = [float(found) for found in re.findall(r"WIDTH ([\d.]+)pt", log)]
    assert len(points) == len(FORMULAS)
    for text, real in zip(FORMULAS, points, strict=True):
        assert 0.93 < width(text) * 10.95 / real < 1.3, text


def uncommented(text: str) -> str:
    return re.sub(r"\\[{}\\%]", "", text)


@pytest.mark.parametrize("name", EVERY)
def test_braces_and_environments_are_balanced(name: str) -> None:
    text = latex(example(name))
    assert text.isascii()
    level = 0
    for sign in re.findall(r"[{}]", uncommented(text)):
        level += 1 if sign == "{" else -1
        assert level >= 0
    assert level == 0
    stack = []
    for kind, environment in re.findall(r"(?<!\\)\\(begin|end)\{([a-z*]+)\}", text):
        if kind == "begin":
            stack.append(environment)
        else:
            assert stack.pop() == environment
    assert stack == []
    assert len(re.findall(r"\\left\b", text)) == len(re.findall(r"\\right\b", text))
    assert text.count("\\end{document}") == 1
    assert not re.search(r"[\ue000-\ue00f]", text)


def coloured(text: str, colour: str) -> Iterator[str]:
    """Yield the texts of all numbers in a colour."""
    for group in re.findall(rf"\\textcolor\{{{colour}\}}(\{{(?:[^{{}}]|\{{(?:[^{{}}]|\{{[^{{}}]*\}})*\}})*\}})", text):
        inside = re.sub(r"\\(?:begin|end)\{pmatrix\}", "", group[1:-1])
        if "pmatrix" in group:
            yield from (cell.strip() for row in inside.split(r"\\") for cell in row.split("&"))
        elif not inside.startswith((r"\text", "Values", "gradients")):
            yield inside


def value_of(text: str) -> float:
    assert re.fullmatch(NUMBER, text), text
    return float(re.sub(r" \\times 10\^\{(-?\d+)\}", r"e\1", text).replace(r"\infty", "inf"))


@pytest.mark.parametrize("name", [name for name in NAMED if not name.startswith("stopped")])
@pytest.mark.parametrize("colour", ["value", "gradient"])
def test_every_number_is_one_of_the_records(name: str, colour: str) -> None:
    trace = example(name)
    d = trace.derivation
    known = {value for value in numbers(trace, colour == "gradient") if value == value}
    text = body(trace)
    shown = [value_of(found) for found in coloured(text, colour)]
    # What a summary shows is no number of the records.
    exact = 10.0 ** (1 - trace.digits) / 2
    for value in shown:
        assert any(math.isclose(value, one, rel_tol=exact, abs_tol=1e-300) or value == one for one in known), value
    small = [one for one in d.quantities.values() if not shape_of(one.value) or max(shape_of(one.value)) <= 3]
    for one in small:
        found = one.gradient if colour == "gradient" else one.value
        if found is None or (isinstance(found, float) and found != found) or len(shape_of(found)) > 2:
            continue
        fixed = colour == "value" and getattr(one, "kind", "") == CONSTANT
        seed = colour == "gradient" and one.name == d.output
        for value in getattr(found, "ravel", lambda found=found: [found])():
            near = any(math.isclose(value, other, rel_tol=exact) or value == other for other in shown)
            assert near or fixed or seed, (one.name, value)


def test_the_lecture_is_what_a_teacher_would_write() -> None:
    text = body(example("lecture"))
    bare = re.sub(r"\\textcolor\{[a-z]+\}\{([^}]*)\}", r"\1", text)
    assert r"f & = (x + y) \cdot z" in bare
    assert r"at $x = -2$, $y = 5$, $z = -4$" in bare
    assert r"\stage{1} & q & = x + y = -2 + 5 = 3 && " in bare
    assert r"\frac{\partial f}{\partial z} & = \frac{\partial f}{\partial f} \cdot q = 1 \cdot 3 = \boxed{3}" in bare
    assert r"\beside{mul switches: each input gets the upstream gradient times the other}" in bare
    assert r"raise x by $0.01$ and f falls by about $0.04$" in bare
    assert "Exit status" not in bare


def test_a_fork_is_a_sum_that_names_the_stages() -> None:
    text = re.sub(r"\\textcolor\{[a-z]+\}\{([^}]*)\}", r"\1", body(example("staged")))
    total = r"\underbrace{1.58319}_{[4]} + \underbrace{(-0.0357615)}_{[3]} + \underbrace{0.512144}_{[2]}"
    assert rf"\frac{{\partial f}}{{\partial x}} & = {total}" in text
    assert r"= \boxed{2.05957}" in text
    for step in (4, 3, 2):
        assert rf"\left. \frac{{\partial f}}{{\partial x}} \right|_{{[{step}]}}" in text


def test_contributions_of_stages_that_are_not_shown_are_part_of_a_sum() -> None:
    trace = example("shallow")
    assert r"_{\text{not shown}}" in body(trace)
    assert f"{trace.derivation.hidden} stages not shown." in body(trace)


def test_remarks_say_what_was_summed_and_where_a_convention_decides() -> None:
    assert "summed over axis 0: y was broadcast" in body(example("broadcast"))
    assert "x: not differentiable here; a convention decides." in body(example("kink"))


def test_products_of_matrices_have_their_shapes() -> None:
    text = body(example("two-layer-classifier"))
    left = r"\underset{\,3 \times 3\,}{\mathit{fc1}}"
    right = r"\underset{\,3 \times 2\,}{x}\,\underset{\,2 \times 3\,}{\mathit{fc1.weight}^{\top}} + "
    assert rf"{left} & = {right}\underset{{\,3\,}}{{\mathit{{fc1.bias}}}}" in text
    assert text.count(r"\subsection*{fc1 ") == 2


def test_a_stopped_pass_says_so_and_has_no_gradients() -> None:
    text = body(example("stopped"))
    assert r"\textbf{The forward pass stops here.} log is not defined here: it needs x*y \ensuremath{>} $0$" in text
    assert r"\log(\textcolor{value}{-2}) = \text{undefined}" in text
    assert "Backward" not in text
    assert "Check" not in text


def test_a_slope_that_is_not_defined_is_said() -> None:
    trace = example("slope")
    assert trace.problem is not None
    assert sentence(trace.problem.message) in body(trace)


def test_what_was_asked_for_is_there() -> None:
    text = body(example("asked"))
    assert r"\section*{Why df/dx, the sum over 3 paths from x to f}" in text
    assert r"\section*{Forward mode" in text


def test_names_that_look_alike_are_told_apart() -> None:
    equations = Equations(example("powers of ten").derivation, 6)
    assert equations.names["x1"] == "x_{1}"
    assert equations.names["x_1"] == r"\mathit{x\_1}"
    names = Equations(example("hostile").derivation, 6).names
    assert len(set(names.values())) == len(names)


def test_a_name_that_is_too_long_gets_a_short_one() -> None:
    trace = example("hostile")
    equations = Equations(trace.derivation, 6)
    assert NAMES["f"] in equations.short.values()
    text = body(trace).replace(r"\hspace{0pt plus 1em}", "")
    assert f"stands for {'n' * 300}." in text
    assert all(width(name) < 22.1 for name in equations.names.values())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a_b & 50%", r"a\_b \& 50\%"),
        ("\\end{document}", r"\textbackslash{}end\{document\}"),
        ("x -- y ''", r"x -{}- y '{}'"),
        ("?` <", r"?{}\textasciigrave{} \ensuremath{<}"),
        ("a\nb\x1b", r"a\textbackslash{}x0ab\textbackslash{}x1b"),
        ("n" * 30, r"\hspace{0pt plus 1em}".join(["n" * 10] * 3)),
        ("中", r"\ensuremath{\mathrm{\text{U+4E2D}}}"),
    ],
)
def test_prose_shows_every_character(text: str, shown: str) -> None:
    assert prose(text) == shown


def test_numbers_in_sentences_are_set_as_numbers_and_names_are_not() -> None:
    assert figures("-4 ± 9e-16") == r"$-4$ \ensuremath{\pm} $9 \times 10^{-16}$"
    assert figures("x1 at x2e-3, 3 of 4") == "x1 at x2e-3, $3$ of $4$"
    assert sentence("of `a_b` at 2") == r"of \texttt{a\_b} at $2$"
    assert sentence("one ` alone 2") == r"one \textasciigrave{} alone $2$"
    assert typed("  a  b") == r"\hspace*{1.0em}\texttt{a\ \ b}"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a + b - c", ["a", " + b", " - c"]),
        (r"(a + b) \cdot c", ["(a + b)", r" \cdot c"]),
        (r"\frac{a + b}{c} + \left(d - e\right)", [r"\frac{a + b}{c}", r" + \left(d - e\right)"]),
        (r"\begin{cases} a + b & c \end{cases}", [r"\begin{cases} a + b & c \end{cases}"]),
        (r"x\,W + b", ["x", r"\,W", " + b"]),
    ],
)
def test_lines_break_before_operators_outside_of_groups(text: str, parts: list[str]) -> None:
    assert pieces(text) == parts


def test_a_calculation_breaks_before_its_signs_of_equality() -> None:
    assert rows(["a + b", "1 + 2", "3"], 100) == ["= a + b = 1 + 2 = 3"]
    assert rows(["a + b", "1 + 2", "3"], 5) == ["= a + b", "= 1 + 2 = 3"]
    assert rows(["aaaa + bbbb"], 4) == ["= aaaa", r"\quad {}+ bbbb"]


def test_deep_formulas_are_measured_without_recursion() -> None:
    text = LATEX.bracket("x")
    for _ in range(5000):
        text = rf"\sin({{{text}}})"
    assert width(text) > 5000
    assert depth(text) == 10001
