"""Text to graph in one pass, by operator precedence, without recursion.

    program    = statement { (";" | newline) statement }
    statement  = [ name "=" ] expression          the last statement is the output
    expression = comparison > sum > product > negation > power, as in Python's grammar
    postfix    = value { ".T" | ".mT" | ".name(" arguments ")" | "[" index "]" }
    value      = number | name | name "(" arguments ")" | "(" expression ")"

Two stacks, one of operands and one of pending operators and open brackets: nesting costs
memory, never the interpreter's stack.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, NoReturn

from gradcheck.errors import LanguageError, Source, did_you_mean
from gradcheck.graph.graph import NONE, Graph, Params
from gradcheck.language import static
from gradcheck.language.calls import Bracket, Call
from gradcheck.language.static import WORDS
from gradcheck.language.tokens import (  # fmt: skip
    ASSIGN,
    BINARY,
    CALL,
    COMPARISON,
    CONSTANTS,
    FOREIGN,
    NAME,
    NEGATION,
    NEWLINE,
    NUMBER,
    OTHER,
    POWER,
    PYTHON_WORDS,
    SYMBOL,
    TOKEN,
    TRANSPOSED,
    WORD,
    is_name,
)
from gradcheck.ops import EINSUM, FUNCTIONS, OPS, REDUCTIONS, VARIADIC
from gradcheck.ops.op import Op

BRACKET = 0
"""Precedence of an open bracket: no operator reduces past it."""

MAX_DIGITS = 4000
"""Digits of a literal: float64 has no use for more, and big integers cost quadratic time."""


def parse(
    source: Source,
    variables: Collection[str] = (),
    *,
    static_names: Mapping[str, Any] | None = None,
    internal: bool = False,
    functions: Mapping[str, Op] | None = None,
    dotted: Callable[[str], bool] | None = None,
) -> Graph:
    """Parse `source` to a graph.

    Args:
        source: the user's text.
        variables: names that are variables even where a constant has the same name (e, pi).
        static_names: values of names inside static arguments (`axis=axis` in an op's rule).
        internal: whether ops meant for rules alone may be called.
        functions: ops that can be called beside those of the language, by name.
        dotted: says of a name with dots (`fc1.weight`) whether it is one variable; without it
            there are no such names.

    Raises:
        LanguageError: with the place and what was expected there.
    """
    known = OPS | FUNCTIONS if internal else FUNCTIONS
    reader = _Parser(source, variables, static_names or {}, {**known, **functions} if functions else known)
    reader.dotted = dotted
    return reader.program()


class _Parser:
    dotted: Callable[[str], bool] | None = None

    def __init__(
        self, source: Source, variables: Collection[str], names: Mapping[str, Any], functions: Mapping[str, Op]
    ) -> None:
        self.source = source
        self.text = source.text
        self.graph = Graph(source)
        self.variables = variables
        self.static_names = names
        self.functions = functions
        self.literals: dict[str, int] = {}
        self.nodes: list[int] = []
        self.starts: list[int] = []
        self.end = 0
        self.pending: list[tuple[int, Any, int]] = []
        self.brackets: list[Bracket | Call] = []
        self.reduce = _reducer(self.graph, self.pending, self.nodes, self.starts)

    def fail(self, message: str, start: int, end: int, hint: str | None = None) -> NoReturn:
        raise LanguageError(message, self.source, (start, end), hint)

    def token(self, pos: int) -> re.Match[str]:
        """Return the token at `pos`; at the end of the text, one without a kind."""
        match = TOKEN.match(self.text, pos)
        assert match is not None
        return match

    def program(self) -> Graph:
        """Read statements to the end of the text."""
        graph, pos, last = self.graph, 0, -1
        named: set[int] = set()
        while True:
            match = self.token(pos)
            if match.lastindex == NEWLINE:
                pos = match.end()
                continue
            if match.lastindex is None:
                break
            if last >= 0 and last not in named:
                self.fail(
                    "this expression is not the last one, so its value is lost",
                    graph.start[last], graph.end[last], "name it, as in `q = x + y; q*z`",
                )  # fmt: skip
            name = None
            if match.lastindex == ASSIGN:
                name, name_at = match[NAME], match.start(NAME)
                pos = match.end(ASSIGN)
            pos = self.expression(pos)
            if name is not None:
                self.check_stage_name(name, name_at)
            last = self.nodes.pop()
            self.starts.pop()
            if name is not None:
                if last in named or graph.left[last] < 0:
                    # Two names for one node would be one name in every report.
                    last = graph.gate("identity", [last], (), (name_at, pos, name_at))
                graph.stages[name] = last
                named.add(last)
        if last < 0:
            self.fail("there is no expression", 0, 1, 'give one, as in "(x+y)*z"')
        graph.output = last
        return graph

    def check_stage_name(self, name: str, at: int) -> None:
        graph = self.graph
        if not is_name(name):
            self.fail(f"`{name}` is not a name", at, at + len(name))
        if name in graph.stages:
            self.fail(f"`{name}` is already defined", at, at + len(name), "give each stage its own name")
        if name in graph.inputs:
            self.fail(
                f"`{name}` was already used as a variable", at, at + len(name),
                "define a stage before the lines that use it",
            )  # fmt: skip

    def expression(self, pos: int) -> int:
        """Read one expression from `pos`; leave its node on the stack and return where it ends."""
        text, match_token, known, literals = self.text, TOKEN.match, self.graph.inputs, self.literals
        nodes, starts, pending, brackets, reduce = self.nodes, self.starts, self.pending, self.brackets, self.reduce
        functions = self.functions
        pending.append((BRACKET, None, pos))
        operand_next = True
        while True:
            match = match_token(text, pos)
            assert match is not None
            kind = match.lastindex
            # The commonest tokens stay in this loop: operands seen before, infix operators, brackets.
            if operand_next:
                if kind in (NAME, NUMBER):
                    word, (start, pos) = match[kind], match.span(kind)
                    if kind == NAME:
                        node = known.get(word, NONE)
                        if node < 0 and word == "T" and self.transposes():
                            _, pos = self.replace_top("transpose", (), pending.pop()[2], pos)
                            operand_next = False
                            continue
                        if node < 0 or (self.dotted is not None and text.startswith(".", pos)):
                            node, pos = self.longest_name(word, start, pos)
                    else:
                        node = literals.get(word, NONE)
                        if node < 0:
                            node = self.number(word, start, pos)
                    nodes.append(node)
                    starts.append(start)
                    operand_next = False
                    continue
                if kind == CALL and (function := functions.get(match[NAME])) is not None:
                    start, pos = match.start(NAME), match.end(CALL)
                    call = Call(function, match[NAME], start, start, pos - 1, len(nodes))
                    brackets.append(call)
                    pending.append((BRACKET, call, start))
                    if function.made or function is EINSUM:
                        operand_next, pos = self.written(call, pos)
                    continue
                if kind == SYMBOL and match[SYMBOL] == "(":
                    start, pos = match.span(SYMBOL)
                    frame = Bracket(start)
                    brackets.append(frame)
                    pending.append((BRACKET, frame, start))
                    continue
            elif kind == SYMBOL and match[SYMBOL] == ")" and brackets:
                if pending[-1][0] != BRACKET:
                    reduce(BRACKET, pos)
                operand_next, pos = self.close(brackets[-1], match.start(SYMBOL), match.end())
                continue
            elif kind == SYMBOL and (infix := BINARY.get(match[SYMBOL])) is not None:
                op, precedence = infix
                if precedence != POWER:
                    if pending[-1][0] >= precedence:
                        reduce(precedence, pos)
                    if precedence == COMPARISON:
                        self.check_chain(match, pos)
                start, pos = match.span(SYMBOL)
                pending.append((precedence, op, start))
                operand_next = True
                continue
            if kind is None or (kind == NEWLINE and not brackets):
                break
            if kind == NEWLINE:
                if match[NEWLINE] == ";":
                    self.unclosed()
                pos = match.end()
            elif operand_next:
                operand_next, pos = self.operand(match, kind)
            else:
                self.end = pos
                operand_next, pos = self.operator(match, kind)
        if brackets:
            self.unclosed()
        if operand_next:
            place = match.start(kind) if kind else len(text)
            self.fail("the expression ends where a value should follow", place, place + 1)
        reduce(BRACKET, pos)
        pending.pop()
        self.end = pos
        return match.start(kind) if kind else len(text)

    def transposes(self) -> bool:
        """Return whether a T behind a power sign is no variable, so that A^T is a transpose."""
        mentioned = self.pending[-1][0] == POWER and bool(self.variables)
        return mentioned and "T" not in self.variables and "T" not in self.graph.stages

    def unclosed(self) -> NoReturn:
        frame = self.brackets[-1]
        self.fail("this bracket is never closed", frame.opened, frame.opened + 1, "add `)`")

    def open(self, frame: Call) -> None:
        self.brackets.append(frame)
        self.pending.append((BRACKET, frame, frame.at))

    def operand(self, match: Any, kind: int) -> tuple[bool, int]:
        """Take a value, or what may precede one; return whether a value is still to come."""
        group = NAME if kind in (CALL, ASSIGN) else kind
        word, (start, pos) = match[group], match.span(group)
        if kind == CALL:
            self.unknown_function(word, start, pos)
        frame = self.brackets[-1] if self.brackets and self.pending[-1][0] == BRACKET else None
        if kind == ASSIGN and frame is not None:
            return self.keyword(word, start, match.end(ASSIGN))
        if kind == ASSIGN:
            self.nodes.append(self.name(word, start, pos))
            self.starts.append(start)
            return False, pos
        if kind == OTHER:
            self.fail(f"unexpected character `{word}`", start, start + 1, FOREIGN.get(word))
        if word in "-−":
            self.pending.append((NEGATION, "neg", start))
            return True, pos
        if word == "+":
            return True, pos
        if word == ")" and isinstance(frame, Call) and (len(self.nodes) == frame.base or frame.params):
            return self.close(frame, start, pos)
        hints = {"[": "give arrays with --at x=[1,2,3]", "=": "write `==` to compare"}
        self.fail(f"expected a value, found `{word}`", start, pos, hints.get(word))

    def unknown_function(self, word: str, start: int, end: int) -> NoReturn:
        if word in self.graph.inputs or word in self.graph.stages or len(word) == 1:
            hint: str | None = f"for a product write {word}*(…)"
        else:
            hint = did_you_mean(word, {name for name, op in self.functions.items() if not op.internal})
        self.fail(f"unknown function `{word}`", start, end, hint)

    def number(self, word: str, start: int, end: int) -> int:
        node = self.literals.get(word)
        if node is None:
            if len(word) > MAX_DIGITS:
                self.fail(f"a number of {len(word)} characters", start, end, f"the limit is {MAX_DIGITS}")
            value = float(word)
            if value == math.inf:
                self.fail("this number is too large for float64", start, end, "the limit is about 1.8e308")
            if value == 0 and word.lower().partition("e")[0].strip("0."):
                self.fail("this number is too small for float64", start, end, "the limit is about 5e-324")
            node = self.literals[word] = self.graph.constant(word, (start, end, start))
        return node

    def longest_name(self, word: str, start: int, end: int) -> tuple[int, int]:
        """Return the node of the name at `start`, with as many dotted parts as belong to it, and its end."""
        if self.dotted is not None and (match := _DOTTED.match(self.text, start)):
            parts = match[0].split(".")
            for count in range(len(parts), 1, -1):
                whole = ".".join(parts[:count])
                if self.dotted(whole) and not _CALLED.match(self.text, start + len(whole)):
                    end = start + len(whole)
                    node = self.graph.stages.get(whole)
                    return self.graph.input(whole, (start, end, start)) if node is None else node, end
        return self.name(word, start, end), end

    def name(self, word: str, start: int, end: int) -> int:
        graph = self.graph
        if word in self.static_names:
            return self.number(str(self.static_names[word]), start, end)
        node = graph.inputs.get(word)
        if node is None:
            node = graph.stages.get(word)
        if node is None:
            if word in CONSTANTS and word not in self.variables:
                node = self.literals.get(CONSTANTS[word])
                if node is None:
                    node = self.literals[CONSTANTS[word]] = graph.constant(CONSTANTS[word], (start, end, start))
                return node
            if not is_name(word):
                self.fail(f"`{word}` is not a name", start, end, FOREIGN.get(word[-1]))
            if word[0] == "π" and len(word) > 1 and word not in self.variables:
                hint = f"write π*{word[1:]}, or give the name a value"
                self.fail(f"`{word}` can be read as π*{word[1:]} or as one name", start, end, hint)
            node = graph.input(word, (start, end, start))
        return node

    def operator(self, match: Any, kind: int) -> tuple[bool, int]:
        """Take what may follow a value, infix operators aside; return whether a value must come next."""
        group = NAME if kind in (CALL, ASSIGN) else kind
        word, (start, pos) = match[group], match.span(group)
        if kind == SYMBOL:
            return self.postfix(word, start, pos)
        if word == TRANSPOSED:
            return self.replace_top("transpose", (), start, pos)
        if kind == OTHER:
            self.fail(f"unexpected character `{word}`", start, start + 1, FOREIGN.get(word))
        left = self.text[self.starts[-1] : self.end]
        left = left if len(left) <= 20 else "…"
        hint = f"write {left}({word})" if left in FUNCTIONS else f"write {left}*{word}"
        if word[0] == "π" and len(word) > 1:
            hint = f"write {left}*π*{word[1:]}"
        elif left.endswith(TRANSPOSED):
            apart = f", or {left} @ {' @ '.join(word)}" if 1 < len(word) < 4 and word.isalpha() else ""
            hint = f"write {left} @ {word}{apart}"
        if word in PYTHON_WORDS or left in PYTHON_WORDS:
            hint = "conditions are written where(condition, a, b)"
        elif left.isdigit() and (word[0] == "_" or word in "eE" or (left == "0" and word[0] in "xXbBoO")):
            hint = "numbers are written 1000, 0.5 or 1e-3"
        self.fail(f"expected an operator before `{word}`", start, start + len(word), hint)

    def check_chain(self, match: Any, end: int) -> None:
        if self.graph.ops[self.nodes[-1]] in _COMPARISONS and self.text[end - 1] != ")":
            self.fail("comparisons do not chain", match.start(SYMBOL), match.end(SYMBOL), "nest two `where`")

    def postfix(self, word: str, start: int, pos: int) -> tuple[bool, int]:
        if word in "),":
            self.reduce(BRACKET, self.end)
            frame = self.pending[-1][1]
            if frame is None:
                hint = "remove it, or open a bracket" if word == ")" else "separate stages with `;`"
                self.fail(f"`{word}` without an open bracket", start, pos, hint)
            if word == ",":
                if isinstance(frame, Bracket):
                    self.fail("a list of values is not a value", start, pos, "remove the comma")
                return self.next_argument(frame, pos)
            return self.close(frame, start, pos)
        if word == "(":
            left = self.text[self.starts[-1] : self.end]
            left = left if len(left) <= 20 else "(…)"
            self.fail("expected an operator before `(`", start, pos, f"for a product write {left}*(…)")
        if word == "[" and (named := _AT_NAME.match(self.text, pos)) and named[1] not in {*self.static_names, *WORDS}:
            node = self.name(named[1], *named.span(1))
            self.nodes[-1] = self.graph.gate(
                "lookup", [self.nodes[-1], node], (), (self.starts[-1], named.end(), start)
            )
            return False, named.end()
        if word == "[":
            index, pos = static.index(self.source, pos, self.static_names)
            return self.replace_top("getitem", (("index", index),), start, pos)
        if word == ".":
            return self.attribute(start, pos)
        self.fail(f"unexpected `{word}`", start, pos, "write `==` to compare" if word == "=" else None)

    def attribute(self, start: int, pos: int) -> tuple[bool, int]:
        match = self.token(pos)
        kind = match.lastindex
        if kind in (NAME, CALL, ASSIGN) and match.start(NAME) == pos:
            word, end = match[NAME], match.end(NAME)
            if kind != CALL and word in ("T", "mT"):
                return self.replace_top("transpose" if word == "T" else "mT", (), start, end)
            op = self.functions.get(word)
            if kind == CALL and op is not None:
                opened = match.start(CALL)
                frame = Call(op, word, self.starts[-1], pos, opened, len(self.nodes) - 1)
                self.open(frame)
                return self.next_argument(frame, opened + 1)
            if kind == CALL:
                self.unknown_function(word, pos, end)
        self.fail("expected .T or a method such as .dot( after `.`", start, start + 1)

    def next_argument(self, frame: Call, pos: int) -> tuple[bool, int]:
        """Go on after a `,` (or a method's bracket); beyond its operands a call takes literals."""
        match = self.token(pos)
        kind = match.lastindex
        if kind == SYMBOL and match[SYMBOL] == ")":
            return self.close(frame, match.start(SYMBOL), match.end())
        op = frame.op
        full = op.made or (len(self.nodes) - frame.base == len(op.args) and op.name not in VARIADIC)
        if not full or not op.params or kind == ASSIGN:
            return True, pos
        values: list[Any] = []
        while True:
            value, pos = static.value(self.source, pos, self.static_names)
            values.append(value)
            match = self.token(pos)
            if match.lastindex != SYMBOL or match[SYMBOL] not in ",)":
                self.fail("expected `,` or `)` here", pos, pos + 1)
            pos = match.end()
            if match[SYMBOL] == ")" or self.token(pos).lastindex == ASSIGN:
                break
        names = list(op.params)
        if names[0] in ("shape", "axes") and not isinstance(values[0], tuple):
            values = [tuple(values)]
        if len(values) > len(names):
            frame.wrong_count(self.source, len(op.args) + len(values))
        frame.params.update(zip(names, values, strict=False))
        if match[SYMBOL] == ")":
            return self.close(frame, match.start(SYMBOL), match.end())
        return True, pos

    def written(self, frame: Call, pos: int) -> tuple[bool, int]:
        """Go on after the bracket of a call that begins with what is written out: a shape, or subscripts."""
        if frame.op.made:
            return self.next_argument(frame, pos)
        frame.params["subscripts"], pos = static.value(self.source, pos, self.static_names)
        match = self.token(pos)
        if match.lastindex != SYMBOL or match[SYMBOL] not in ",)":
            self.fail("expected `,` and an operand here", pos, pos + 1)
        if match[SYMBOL] == ")":
            return self.close(frame, match.start(SYMBOL), match.end())
        return True, match.end()

    def keyword(self, word: str, start: int, equals: int) -> tuple[bool, int]:
        """Read `name=value` inside a call; the value must be written out (or, in a rule, bound)."""
        frame, end = self.brackets[-1], start + len(word)
        if isinstance(frame, Bracket):
            self.fail("`=` inside brackets", start, end, "write `==` to compare")
        op = frame.op
        reduced = OPS.get(REDUCTIONS.get(op.name, ""))
        known = [*op.params, *(reduced.params if reduced else {}), *op.named]
        if word not in known:
            shown = ", ".join(known) or "no named arguments"
            self.fail(f"`{frame.spelling}` has no argument `{word}`", start, end, f"it takes {shown}")
        value, pos = static.value(self.source, equals, self.static_names)
        if word in frame.params:
            self.fail(f"`{word}` is given twice", start, end)
        frame.params[word] = value
        match = self.token(pos)
        if match.lastindex == SYMBOL and match[SYMBOL] == ")":
            return self.close(frame, match.start(SYMBOL), match.end())
        if match.lastindex == SYMBOL and match[SYMBOL] == ",":
            return True, match.end()
        self.fail("expected `,` or `)` here", pos, pos + 1)

    def close(self, frame: Bracket | Call, start: int, pos: int) -> tuple[bool, int]:
        """Close a bracket: a plain one widens its value, a call becomes a gate."""
        self.pending.pop()
        self.brackets.pop()
        if isinstance(frame, Bracket):
            self.starts[-1] = frame.start
            return False, pos
        op, base = frame.op, frame.base
        if len(op.args) == 1 == len(self.nodes) - base and not op.params:
            self.starts[-1] = frame.start
            self.nodes[-1] = self.graph.add(op.name, self.nodes[-1], NONE, frame.start, pos, frame.at)
            return False, pos
        given = self.nodes[base:]
        del self.nodes[base:], self.starts[base:]
        span = (frame.start, pos, frame.at)
        self.nodes.append(frame.gate(self.graph, given, span, self.number))
        self.starts.append(frame.start)
        return False, pos

    def replace_top(self, op: str, params: Params, at: int, pos: int) -> tuple[bool, int]:
        """Apply a postfix op to the value on top of the stack."""
        if not params:
            params = tuple(sorted(OPS[op].params.items()))
        start = self.starts[-1]
        self.nodes[-1] = self.graph.gate(op, [self.nodes[-1]], params, (start, pos, at))
        return False, pos


def _reducer(graph: Graph, pending: list[tuple[int, Any, int]], nodes: list[int], starts: list[int]) -> Any:
    """Return the function that makes gates of pending operators; bound names keep it fast."""
    add_op, add_left, add_right, add_start, add_end, add_at = graph.append
    ops = graph.ops

    def reduce(precedence: int, end: int) -> None:
        """Make gates of the operators that bind at least as tightly as `precedence`; they end at `end`."""
        while pending[-1][0] >= precedence and pending[-1][0] != BRACKET:
            _, op, at = pending.pop()
            if op == "neg":
                starts[-1] = at
                add_right(NONE)
            else:
                add_right(nodes.pop())
                starts.pop()
            add_left(nodes[-1])
            nodes[-1] = len(ops)
            add_op(op)
            add_start(starts[-1])
            add_end(end)
            add_at(at)

    return reduce


_DOTTED = re.compile(r"\w+(?:\.\w+)+")
_AT_NAME = re.compile(rf"[ \t]*({WORD})[ \t]*\]")
_CALLED = re.compile(r"[ \t]*\(")

_COMPARISONS = frozenset(op for op, precedence in BINARY.values() if precedence == COMPARISON)
