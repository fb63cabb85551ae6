"""A derivation as one JSON object: the step records themselves, every number with all its digits.

The object (version 1):

    gradcheck_trace   1
    title             the expression, or the name of the network
    output, value     name of the output, and its value
    differentiated    what the gradients are of: the output, or of an array "sum of W.dot(X)"
    arrays            whether anything in it is an array
    leaves            variables, parameters and numbers: name, kind (input, parameter, buffer, data,
                      constant; stage for one that a selection shows as given), shape, value, gradient,
                      parts, proof
    steps             stages in the order of the forward pass:
        number        counted from 1
        name, gate    the user's name or a short one; the op
        block         the layer it belongs to, or null
        formula       what it computes, in gradcheck's language
        inputs        names of its operands
        params        static parameters of the op
        shape, value  its value
        upstream      the gradient of the output with respect to it; null where nothing flows
        parts         the contributions that is the sum of: step, slot (which operand of that step), gradient
        flows         what goes back to each operand: input, slot, rule (the text that backprop ran, over
                      the op's own names, g the upstream gradient), formula (the same in the names of this
                      object, d_NAME the gradient with respect to NAME), local (formula and value of the
                      local derivative, or null), gradient (the contribution), summed (axes over which it
                      was added up)
        habit         what the gate does to gradients, in words, or ""
        replaces      the user's own text of what is shown as one step, or ""
        proof         word and value: the verdict on the gradient, and SymPy's; null if it was not asked
    blocks            layers: name, kind, steps (numbers)
    stopped, hidden   why the forward pass stopped behind the last step, or ""; how many steps are left out
    problem           why there is no value or no gradient, or null
    check             the comparison, as `gradcheck expr` or `verify` has it in JSON, or null
    meaning           one sentence that was tested, or ""
    paths             --why: name, count, closed, paths (steps, slots, locals, gradient),
                      groups (step, slot, count, gradient), total; or null
    passes            --order forward: passes (input, index, tangents by step, derivative),
                      forward_operations and reverse_operations (passes, gates, products, sums), refused; or null

Arrays are nested lists; NaN and infinities are the strings "nan", "inf" and "-inf".
"""

from __future__ import annotations

from typing import Any

from gradcheck.checking.tensor import plain
from gradcheck.deriving.forward_mode import ForwardMode
from gradcheck.deriving.paths import Paths
from gradcheck.deriving.records import FORMAT, Derivation, Flow, Formula, Leaf, Part, Proof, Step, shape_of
from gradcheck.deriving.trace import Trace
from gradcheck.notation.board import index
from gradcheck.notation.plain import PLAIN
from gradcheck.notation.printer import Piece, signed, write
from gradcheck.writing.as_json import one_line


def as_json(trace: Trace) -> str:
    """Return a trace as one line of JSON text; the format is described at the top of this module."""
    return one_line(_trace(trace))


def _trace(trace: Trace) -> dict[str, Any]:
    derivation = trace.derivation
    return {
        "gradcheck_trace": FORMAT,
        "title": derivation.title,
        "output": derivation.output,
        "value": _number(derivation.value),
        "differentiated": derivation.summed or derivation.output,
        "arrays": derivation.arrays,
        "leaves": [_leaf(leaf) for leaf in derivation.leaves],
        "steps": [_step(step) for step in derivation.steps],
        "blocks": [{**block._asdict(), "steps": list(block.steps)} for block in derivation.blocks],
        "stopped": derivation.stopped,
        "hidden": derivation.hidden,
        "problem": None if trace.problem is None else trace.problem.message,
        "check": None if trace.report is None else trace.report.to_dict(),
        "meaning": trace.meaning,
        "paths": None if trace.paths is None else _paths(trace.paths),
        "passes": None if trace.passes is None else _passes(trace.passes, derivation),
    }


def _leaf(leaf: Leaf) -> dict[str, Any]:
    return {
        "name": leaf.name,
        "kind": leaf.kind,
        "shape": list(shape_of(leaf.value)),
        "value": _number(leaf.value),
        "gradient": _number(leaf.gradient),
        "parts": [_part(part) for part in leaf.parts],
        "proof": _proof(leaf.proof),
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "number": step.number,
        "name": step.name,
        "gate": step.gate,
        "block": step.block,
        "formula": _formula(step.formula),
        "inputs": list(step.operands),
        "params": {name: _param(value) for name, value in step.params},
        "shape": list(shape_of(step.value)),
        "value": _number(step.value),
        "upstream": _number(step.gradient),
        "parts": [_part(part) for part in step.parts],
        "flows": [_flow(flow) for flow in step.flows],
        "habit": step.habit,
        "replaces": step.replaces,
        "proof": _proof(step.proof),
    }


def _flow(flow: Flow) -> dict[str, Any]:
    local = flow.local
    return {
        "input": flow.operand,
        "slot": flow.slot,
        "rule": flow.rule.text,
        "formula": _formula(flow.rule),
        "local": None if local is None else {"formula": _formula(local), "value": _number(flow.partial)},
        "gradient": _number(flow.value),
        "summed": list(flow.summed),
    }


def _part(part: Part) -> dict[str, Any]:
    return {"step": part.step, "slot": part.slot, "gradient": _number(part.value)}


def _proof(proof: Proof | None) -> dict[str, Any] | None:
    return None if proof is None else {"word": proof.word, "value": _number(proof.value)}


def _paths(paths: Paths) -> dict[str, Any]:
    return {
        "name": paths.name,
        "count": paths.count,
        "closed": paths.closed,
        "paths": [
            {
                "steps": list(path.steps),
                "slots": list(path.slots),
                "locals": [_number(one) for one in path.locals],
                "gradient": _number(path.value),
            }
            for path in paths.paths
        ],
        "groups": [
            {"step": group.step, "slot": group.slot, "count": group.count, "gradient": _number(group.value)}
            for group in paths.groups
        ],
        "total": _number(paths.total),
    }


def _passes(passes: ForwardMode, derivation: Derivation) -> dict[str, Any]:
    shown = [step.number for step in derivation.steps]
    return {
        "passes": [
            {
                "input": one.input,
                "index": list(one.index),
                "tangents": [{"step": number, "value": _number(one.tangents[number - 1])} for number in shown],
                "derivative": _number(one.derivative),
            }
            for one in passes.passes
        ],
        "forward_operations": passes.forward_operations._asdict(),
        "reverse_operations": passes.reverse_operations._asdict(),
        "refused": passes.refused,
    }


def _formula(formula: Formula) -> str:
    """Return a formula in gradcheck's language."""
    names = {
        name: Piece(f"d_{symbol.name}") if symbol.of_gradient else signed(symbol.name)
        for name, symbol in formula.symbols.items()
    }
    return write(formula.graph, PLAIN, names).text


def _number(value: Any) -> Any:
    """Return a number or an array as JSON has it; None stays what it is."""
    if value is None:
        return None
    return plain(value.tolist() if hasattr(value, "tolist") else value)


def _param(value: Any) -> Any:
    """Return a static parameter as JSON has it; slices and the ellipsis as they stand in an index."""
    if isinstance(value, (list, tuple)):
        return [_param(part) for part in value]
    if isinstance(value, slice) or value is ...:
        return index(value).replace("…", "...")
    return plain(value)
