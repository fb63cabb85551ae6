"""From a document's tree to a spec: which keys there are and what kind of thing each holds.

Everything wrong in a document is collected, with its place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradcheck.errors import GradcheckError, did_you_mean
from gradcheck.networks.data import Folder, read
from gradcheck.networks.records import Expected, NodeSpec, Ref, Spec
from gradcheck.networks.steps import NAME, PATH, mapping, printed, refs, step, text
from gradcheck.networks.tree import List, Map, Node, Scalar, texts_of

FORMAT = 1

KEYS = (
    "gradcheck", "name", "seed", "mode", "inputs", "layers", "nodes", "loss", "output", "params", "ops", "backward",
    "check", "expect",
)  # fmt: skip
MAX_STEPS = 10_000


class SpecReader:
    """Reads one document; what is wrong is in `problems`."""

    def __init__(self, root: Map, path: str, outside: bool) -> None:
        self.problems: list[GradcheckError] = []
        self.root = root
        seed = self.attempt(self.seed)
        self.spec = Spec(root, Folder(path, outside, seed or 0))

    def attempt(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function; an error it raises is collected."""
        try:
            return function(*arguments)
        except GradcheckError as error:
            self.problems.append(error)
            return None

    def get(self, key: str) -> Node | None:
        """Return the value of a top-level key, if it is there and not null."""
        found = self.root.items.get(key)
        return None if found is None or (isinstance(found[1], Scalar) and found[1].value is None) else found[1]

    def seed(self) -> int:
        """Return the seed."""
        node = self.get("seed")
        value = node.value if isinstance(node, Scalar) else node
        if node is None:
            return 0
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
            raise node.error("the seed is a whole number of at least 0")
        return value

    def read(self) -> Spec:
        """Read every key."""
        self.attempt(self.head)
        for key, function in (
            ("inputs", self.inputs), ("ops", self.ops), ("params", self.params), ("nodes", self.nodes),
            ("layers", self.layers), ("loss", self.loss), ("backward", self.backward), ("check", self.check),
            ("expect", self.expect),
        ):  # fmt: skip
            node = self.get(key)
            before = len(self.problems)
            if node is not None:
                self.attempt(function, node)
            if len(self.problems) > before and not isinstance(node, List if key == "layers" else Map):
                # Names that such a section would have given are unknown, not wrong.
                self.spec.unreadable = True
        self.attempt(self.whole)
        return self.spec

    def head(self) -> None:
        """Read the version, the name and the mode, and refuse unknown keys."""
        spec, items = self.spec, self.root.items
        for key, (place, _) in items.items():
            if key not in KEYS:
                hint = did_you_mean(key, KEYS) or f"known keys: {', '.join(KEYS)}"
                self.problems.append(place.error(f"unknown key `{key}`", hint))
        version = items["gradcheck"][1]
        if not isinstance(version, Scalar) or version.value != FORMAT or isinstance(version.value, bool):
            self.problems.append(version.error("this is not a version of the format", f"write gradcheck: {FORMAT}"))
        name = self.get("name")
        if name is not None:
            spec.name = text(name, "a name").text
        mode = self.get("mode")
        if mode is not None:
            word = text(mode, "train or eval").text
            if word not in ("train", "eval"):
                raise mode.error(f"unknown mode `{word}`", "train or eval")
            spec.training = word == "train"

    def inputs(self, node: Node) -> None:
        """Read the inputs."""
        for name, (place, value) in mapping(node, "inputs: names and their numbers").items.items():
            if not NAME.fullmatch(name):
                self.problems.append(place.error(f"`{name}` is not a name", "letters, digits and _"))
            found = self.attempt(read, value, name, self.spec.folder)
            if found is None:
                self.spec.broken.add(name)
            else:
                self.spec.inputs[name] = found

    def ops(self, node: Node) -> None:
        """Note the ops that the spec defines."""
        for name, (place, value) in mapping(node, "ops: names and their formulas").items.items():
            if not NAME.fullmatch(name):
                self.problems.append(place.error(f"`{name}` is not a name", "letters, digits and _"))
                continue
            self.spec.ops[name] = Ref(name, value)

    def params(self, node: Node) -> None:
        """Note the parameters that are given."""
        for name, (place, value) in mapping(node, "params: names and their numbers").items.items():
            if not PATH.fullmatch(name):
                self.problems.append(place.error(f"`{name}` is not the name of a parameter", "as in fc1.weight"))
                continue
            self.spec.params[name] = Ref(name, value)

    def layers(self, node: Node) -> None:
        """Read a chain: each layer's input is the output of the one before."""
        if not isinstance(node, List):
            raise node.error("layers is a list; a graph of named nodes is `nodes`")
        if self.get("nodes") is not None:
            raise node.error("give layers or nodes, not both", "a chain can be written as nodes with inputs")
        before: Ref | None = None
        for k, item in enumerate(node.items):
            step = self.attempt(self.layer, item, str(k))
            if step is None:
                step = NodeSpec(str(k), item)
            if step.inputs is None:
                step = step._replace(inputs=[before] if before else None)
            before = Ref(step.name, item)
            self.add(step)
        self.spec.last = before.name if before else None

    def layer(self, item: Node, place: str) -> NodeSpec:
        """Read one layer of a chain: a map, or text as torch prints it."""
        if isinstance(item, Scalar):
            return printed(item, place)
        return step(mapping(item, "a layer: {type: Linear, …} or text such as Tanh()"), place, self.attempt)

    def nodes(self, node: Node) -> None:
        """Read a graph of named nodes."""
        for name, (place, value) in mapping(node, "nodes: names and what they compute").items.items():
            if not PATH.fullmatch(name) or name[0].isdigit():
                self.problems.append(
                    place.error(f"`{name}` is not a name", "letters, digits and _, parts joined by dots")
                )
            read_step = self.attempt(self.named, name, value)
            self.add(read_step if read_step is not None else NodeSpec(name, place))

    def named(self, name: str, value: Node) -> NodeSpec:
        """Read one node of a graph."""
        if isinstance(value, Scalar):
            hint = 'as in {expr: "x + y"} or {type: Tanh, inputs: x}'
            if value.missing_blank:
                hint = "write a blank behind the colon"
            raise value.error(f"node `{name}` is not a map", hint)
        found = step(mapping(value, f"node {name}: a map"), name, self.attempt)
        if found.name != name:
            raise value.error(f"node `{name}` is also called `{found.name}`", "a node's name is its key")
        if found.type is not None and found.inputs is None:
            raise value.error(f"node `{name}` has no inputs", "add inputs: and the names of what it works on")
        return found

    def add(self, one: NodeSpec) -> None:
        """Add a step under a name of its own."""
        spec = self.spec
        if one.name in spec.inputs or one.name in spec.broken or one.name in spec.steps:
            what = "another layer" if one.name in spec.steps else "an input"
            self.problems.append(one.node.error(f"`{one.name}` is also the name of {what}", "give each its own name"))
            return
        if len(spec.steps) >= MAX_STEPS:
            raise one.node.error(f"more than {MAX_STEPS:,} layers")
        spec.steps[one.name] = one

    def loss(self, node: Node) -> None:
        """Read the loss: a step called `loss`."""
        node = mapping(node, "a loss: {type: MSELoss, target: y}")
        found = step(node, "loss", self.attempt)
        if found.formula is None and "target" not in node.items and found.inputs is None:
            raise node.error("the loss has no target", "add target: and the name of an input")
        self.spec.loss = found

    def backward(self, node: Node) -> None:
        """Read hand-derived gradients."""
        for name, (place, value) in mapping(node, "backward: names and formulas").items.items():
            if isinstance(value, Scalar):
                given = self.attempt(text, value, "a formula or numbers")
            else:
                given = self.attempt(read, value, name, self.spec.folder)
                if given is not None and given.numbers is None:
                    self.problems.append(value.error("a claimed gradient cannot be drawn at random"))
                    continue
            if given is not None:
                self.spec.backward[name] = Ref(name, place), given

    def check(self, node: Node) -> None:
        """Read what is to be checked."""
        items = mapping(node, "check: {wrt: […]}").items
        for key, (place, _) in items.items():
            if key != "wrt":
                self.problems.append(place.error(f"unknown key `{key}`", "known here: wrt"))
        if "wrt" in items:
            self.spec.wrt = refs(items["wrt"][1], "names or patterns such as fc1.*")

    def expect(self, node: Node) -> None:
        """Read the facts that must hold."""
        for key, (place, value) in mapping(node, "expect: loss, outputs, grads").items.items():
            if key == "loss":
                self.attempt(self.fact, "loss", "", value)
            elif key in ("grads", "outputs"):
                for name, (_, inner) in mapping(value, f"{key}: names and numbers").items.items():
                    self.attempt(self.fact, key, name, inner)
            else:
                hint = did_you_mean(key, ("loss", "grads", "outputs")) or "known here: loss, grads, outputs"
                self.problems.append(place.error(f"unknown key `{key}`", hint))

    def fact(self, what: str, name: str, node: Node) -> None:
        """Read one expected value."""
        rtol, numbers = None, node
        if isinstance(node, Map):
            if "rtol" in node.items:
                place = node.items["rtol"][1]
                value = place.value if isinstance(place, Scalar) else None
                if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
                    raise place.error("rtol is a number from 0 to 1")
                rtol = float(value)
            kept = {key: item for key, item in node.items.items() if key != "rtol"}
            numbers = Map(node.source, node.start, node.end)
            numbers.items = kept
        data = read(numbers, name or what, self.spec.folder)
        if data.numbers is None:
            raise node.error("an expected value cannot be drawn at random")
        texts = texts_of(numbers)
        self.spec.expected.append(Expected(what, name, node, data, rtol, texts))

    def whole(self) -> None:
        """Refuse a spec that computes nothing."""
        if not self.spec.steps and self.spec.loss is None and not self.problems:
            raise self.root.items["gradcheck"][0].error(
                "this spec computes nothing", "add layers:, nodes: or loss:; `gradcheck init` prints an example"
            )
        node = self.get("output")
        if node is not None:
            self.spec.output = Ref(text(node, "the name of a node").text, node)
