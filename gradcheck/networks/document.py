"""From a file to trees with positions: YAML as the parser's events tell it, made into nodes at once.

Files are hostile: the size, the depth and what aliases stand for are bounded, tags make nothing, and no
loop here recurses. JSON is YAML, and is read the same way.
"""

from __future__ import annotations

import os
import re
import stat
from typing import Any, NamedTuple

from gradcheck.errors import GradcheckError, Source, SpecError
from gradcheck.networks.tree import List, Map, Node, Scalar, oversized
from gradcheck.networks.yaml_syntax import depth_exceeded, syntax_error

MAX_BYTES = 16_000_000
MAX_NODES = 2_000_000
MAX_DEPTH = 64
MAX_PROBLEMS = 200
"""Problems of one file after which reading stops."""

_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_LONE_RETURN = re.compile(r"\r(?!\n)")
_PROPERTIES = re.compile(r"(?:(?:&[0-9A-Za-z_-]+|!<[^>\s]*>|![^\s,\[\]{}]*)(?:\s|#[^\n]*)*)+")
_CORE = "tag:yaml.org,2002:"
_KINDS = {"int": int, "float": float, "bool": bool, "null": type(None)}


def read_file(path: str, shown: str | None = None) -> Source:
    """Read a spec's text.

    Args:
        path: the file.
        shown: the name used in messages; by default the path.

    Raises:
        SpecError: if it is not a regular file of UTF-8 text of 1 to MAX_BYTES bytes.
    """
    name = path if shown is None else shown
    try:
        kind = os.stat(path).st_mode
        if stat.S_ISDIR(kind):
            raise SpecError(f"`{name}` is a directory", hint="name the spec in it")
        if not stat.S_ISREG(kind):
            raise SpecError(f"`{name}` is not a regular file")
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SpecError(f"cannot read `{name}`: {error.strerror}") from None
    except ValueError:
        raise SpecError(f"`{name}` is not the name of a file") from None
    return decode(data, name)


def decode(data: bytes, name: str) -> Source:
    """Return the text of a spec's bytes.

    Raises:
        SpecError: see `read_file`; for bytes that are not UTF-8, with their place.
    """
    if len(data) > MAX_BYTES:
        raise SpecError(f"`{name}` is larger than {MAX_BYTES:,} bytes", hint="keep arrays in .npy or .npz files")
    if data.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")):
        raise SpecError(f"`{name}` is written in UTF-16 or UTF-32", hint="save it as UTF-8")
    if b"\x00" in data:
        raise SpecError(f"`{name}` is a binary file", hint="arrays are named in a spec: {file: data.npz, key: x}")
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        start = len(data[: error.start].decode("utf-8"))
        source = Source(data.decode("utf-8", "backslashreplace"), name)
        raise SpecError("this byte is not UTF-8", source, (start, start + 4), "save the file as UTF-8") from None
    if not text.strip():
        raise SpecError(f"`{name}` is empty", hint="`gradcheck init` prints a spec to begin with")
    return Source(text, name)


class Documents(NamedTuple):
    """What a text holds.

    Attributes:
        roots: the documents that are well formed.
        problems: everything that is wrong, each with its place.
        flawed: places in `roots` of those that have a problem in them, and mean nothing for certain.
    """

    roots: list[Node]
    problems: list[GradcheckError]
    flawed: set[int]


def documents(source: Source, pure: bool = False) -> Documents:
    """Read every YAML document of a text.

    A document that is not well formed is left out. One with a repeated key (the first is kept), a refused
    key (left out) or a refused tag (ignored) is there, so that what is in it can be checked too.

    Args:
        source: the text.
        pure: use the parser in Python even if the one in C is there.
    """
    import yaml

    text = source.text
    shift = 1 if text.startswith("\ufeff") else 0
    match = _FORBIDDEN.search(text, shift) or ("\r" in text and _LONE_RETURN.search(text))
    if match:
        return Documents([], [_forbidden(source, match)], set())
    loader: Any = yaml.SafeLoader if pure else getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    builder, error = _read(source, shift, len(text), loader)
    if error is not None and (deep := depth_exceeded(error)) is not None:
        # libyaml 0.2.6 gives up at a thousand levels, some of which it has not told of yet: what is
        # before that place is read once more, and the sixty-fifth level found in it.
        builder, error = _read(source, shift, shift + deep, loader)
    if error is not None:
        problem = syntax_error(source, error, shift, builder.bracket())
        if problem.message not in [p.message for p in builder.problems[-1:]]:
            builder.problems.append(problem)
    if not builder.roots and not builder.problems:
        builder.problems.append(SpecError("there is no spec in this file", source, (0, 1)))
    return Documents(builder.roots, builder.problems, builder.flawed)


def _read(source: Source, shift: int, end: int, loader: Any) -> tuple[_Builder, Exception | None]:
    """Build trees of the text up to `end`; return them, and what the YAML parser itself refused."""
    import yaml

    builder = _Builder(source, shift)
    try:
        builder.run(yaml.parse(source.text[shift:end], Loader=loader))
    except _StopError:
        pass
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        return builder, error
    return builder, None


def _forbidden(source: Source, match: re.Match[str]) -> SpecError:
    if match[0] == "\r":
        return SpecError("a line ends in a bare carriage return", source, match.span(), "end lines with LF or CR LF")
    message = f"the character U+{ord(match[0]):04X} cannot stand in a spec"
    return SpecError(message, source, match.span(), "between double quotes it can be written as an escape")


class _StopError(Exception):
    """Nothing more of this text is read."""


class _Frame:
    """A list or map that is being read.

    Attributes:
        node: what it becomes.
        anchor: its name for aliases, if it has one.
        before: how many nodes were counted before it.
        height: how many levels are in it so far.
        key: of a map, the key that waits for its value; None between entries.
        refused: True if the value of a refused key is being read.
    """

    __slots__ = ("anchor", "before", "height", "key", "node", "refused")

    def __init__(self, node: List | Map, anchor: str | None, before: int) -> None:
        self.node = node
        self.anchor = anchor
        self.before = before
        self.height = 0
        self.key: Scalar | None = None
        self.refused = False


class _Builder:
    """Builds trees from events.

    Attributes:
        roots: the documents that are complete.
        problems: what is wrong.
        count: nodes so far, with aliases written out.
        anchors: name → node, its number of nodes and its height; None while it is being read.
        document: where the document's `---` stands.
        broken: True if the document cannot be used.
        flawed: places in `roots` of documents with a problem.
        known: problems when the document began.
    """

    def __init__(self, source: Source, shift: int) -> None:
        self.source = source
        self.shift = shift
        self.roots: list[Node] = []
        self.problems: list[GradcheckError] = []
        self.count = 0
        self.stack: list[_Frame] = []
        self.anchors: dict[str, tuple[Node, int, int] | None] = {}
        self.broken = False
        self.document = (0, 0)
        self.flawed: set[int] = set()
        self.known = 0

    def bracket(self) -> int | None:
        """Return the place of the innermost bracket that is open."""
        place = self.stack[-1].node.start if self.stack else 0
        return place if self.stack and self.source.text[place] in "[{" else None

    def problem(self, error: GradcheckError) -> None:
        """Note a problem; too many end the reading."""
        self.problems.append(error)
        if len(self.problems) >= MAX_PROBLEMS:
            raise _StopError

    def stop(self, node: Node, message: str, hint: str) -> None:
        """Refuse the rest of the text."""
        self.problems.append(node.error(message, hint))
        raise _StopError

    def run(self, events: Any) -> None:
        """Read all events."""
        import yaml

        source, shift = self.source, self.shift
        scalar_event: Any = yaml.ScalarEvent
        actions = {
            yaml.SequenceStartEvent: lambda event: self.open(event, List),
            yaml.MappingStartEvent: lambda event: self.open(event, Map),
            yaml.SequenceEndEvent: self.close,
            yaml.MappingEndEvent: self.close,
            yaml.AliasEvent: self.alias,
            yaml.DocumentStartEvent: self.begin,
        }
        for event in events:
            if type(event) is scalar_event:
                text, style = event.value, event.style or ""
                node = Scalar(source, event.start_mark.index + shift, event.end_mark.index + shift, text, style)
                if event.tag or event.anchor or len(text) > 1000 or style in ("|", ">"):
                    self.special(node, event)
                self.count += 1
                self.add(node)
            elif action := actions.get(type(event)):
                action(event)

    def begin(self, event: Any) -> None:
        """Begin a document."""
        self.anchors.clear()
        self.broken = False
        self.known = len(self.problems)
        self.document = (event.start_mark.index + self.shift, event.end_mark.index + self.shift)

    def add(self, node: Node) -> None:
        """Put a node where it belongs."""
        if self.count > MAX_NODES:
            self.stop(node, f"more than {MAX_NODES:,} values", "keep arrays in .npy or .npz files")
        if not self.stack:
            self.root(node)
            return
        frame = self.stack[-1]
        place = frame.node
        if isinstance(place, List):
            place.items.append(node)
        elif frame.refused:
            frame.refused = False
        elif frame.key is None:
            self.key(frame, place, node)
        else:
            key, frame.key = frame.key, None
            place.items[key.text] = (key, node)
            if node.start == node.end and key.missing_blank:
                self.problem(_missing_blank(key))

    def key(self, frame: _Frame, place: Map, node: Node) -> None:
        """Take a node as the next key of a map, or refuse it."""
        frame.refused = True
        if not isinstance(node, Scalar):
            self.problem(node.error("a key must be a word", "lists, maps and aliases cannot be keys"))
        elif not node.style and not node.text:
            self.problem(node.error("a key is missing here", "write `key: value`"))
        elif node.text == "<<" and not node.style:
            self.problem(node.error("merge keys are not used in specs", "write the keys out"))
        elif node.text in place.items:
            first = self.source.position(place.items[node.text][0].start)[0]
            name = node.text if len(node.text) <= 60 else node.text[:60] + "…"
            self.problem(node.error(f"`{name}` is given twice", f"it is given on line {first} already"))
        else:
            frame.refused = False
            frame.key = node

    def root(self, node: Node) -> None:
        """Finish a document."""
        if isinstance(node, Scalar) and not node.style and not node.text:
            hint = "`---` separates specs: remove one"
            self.problem(SpecError("this document is empty", self.source, self.document, hint))
        elif isinstance(node, Scalar) and node.missing_blank:
            self.problem(_missing_blank(node))
        elif not self.broken:
            if len(self.problems) > self.known:
                self.flawed.add(len(self.roots))
            self.roots.append(node)

    def open(self, event: Any, kind: type[List] | type[Map]) -> None:
        """Begin a list or map."""
        node = kind(self.source, event.start_mark.index + self.shift, event.end_mark.index + self.shift)
        if event.tag or event.anchor:
            self.properties(node, event.tag, {List: "seq", Map: "map"}[kind])
        if len(self.stack) >= MAX_DEPTH:
            self.stop(node, f"more than {MAX_DEPTH} levels of lists and maps", "no spec needs as many")
        if event.anchor:
            self.anchors[event.anchor] = None
        self.stack.append(_Frame(node, event.anchor, self.count))
        self.count += 1

    def close(self, event: Any) -> None:
        """End a list or map."""
        frame = self.stack.pop()
        node, height = frame.node, frame.height + 1
        node.end = event.end_mark.index + self.shift
        if event.start_mark.index == event.end_mark.index or self.source.text[node.end - 1] not in "]}":
            node.end = self.last(node)
        if frame.anchor:
            self.anchors[frame.anchor] = (node, self.count - frame.before, height)
        if self.stack:
            self.stack[-1].height = max(self.stack[-1].height, height)
        self.add(node)

    @staticmethod
    def last(node: List | Map) -> int:
        """Return where the last part of a list or map in block style ends."""
        if isinstance(node, List):
            return max(node.start + 1, node.items[-1].end if node.items else 0)
        return max(node.start + 1, max(list(node.items.values())[-1], key=_end).end if node.items else 0)

    def alias(self, event: Any) -> None:
        """Put what an alias stands for in its place; it counts as if it were written out."""
        here = Node(self.source, event.start_mark.index + self.shift, event.end_mark.index + self.shift)
        found = self.anchors.get(event.anchor, ())
        if not found:
            known = f"no `&{event.anchor}` comes before it" if found == () else "it stands inside what it names"
            message = "unknown alias" if found == () else "a list or map that contains itself"
            self.problem(here.error(message, known))
            self.broken = True
            self.add(here)
            return
        node, size, height = found
        top = self.stack[-1] if self.stack else None
        if top and isinstance(top.node, Map) and top.key is None and not top.refused:
            self.add(here)
            return
        self.count += size
        if self.count > MAX_NODES:
            self.stop(here, f"more than {MAX_NODES:,} values when aliases are written out", "no spec needs as many")
        if len(self.stack) + height > MAX_DEPTH:
            self.stop(here, f"more than {MAX_DEPTH} levels when aliases are written out", "no spec needs as many")
        if top:
            top.height = max(top.height, height)
        self.add(node)

    def special(self, node: Scalar, event: Any) -> None:
        """Look at a scalar with a tag, an anchor, many characters or lines of its own."""
        if event.tag or event.anchor:
            self.properties(node, event.tag, "scalar")
        if event.anchor:
            self.anchors[event.anchor] = (node, 1, 0)
        if oversized(node):
            self.problem(node.error("a whole number of too many digits", "float64 holds 17"))
        if node.style in ("|", ">"):
            text = self.source.text
            while node.end > node.start and text[node.end - 1].isspace():
                node.end -= 1

    def properties(self, node: Node, tag: str | None, kind: str) -> None:
        """Begin a node behind its anchor and tag, and refuse tags.

        Those of the core schema may say what is so already, and `!!str` makes a text.
        """
        match = _PROPERTIES.match(self.source.text, node.start)
        begin, node.start = node.start, min(match.end(), max(node.end, node.start + 1)) if match else node.start
        if not tag or (tag == "!" and not isinstance(node, Scalar)):
            return
        core = tag.removeprefix(_CORE) if tag.startswith(_CORE) else None
        message, hint = "tags are not used in specs", "remove it, or put a text that begins with ! in quotes"
        if isinstance(node, Scalar) and (tag == "!" or core == "str"):
            node.style = node.style or "!"
            return
        if isinstance(node, Scalar) and core in _KINDS:
            if type(node.value) is _KINDS[core]:
                return
            message, hint = f"this is not what the tag !!{core} says", "remove the tag"
        if core != kind:
            self.problem(SpecError(message, self.source, (begin, node.start), hint))


def _missing_blank(scalar: Scalar) -> SpecError:
    colon = scalar.text.index(":")
    place = scalar.inner(colon, colon + 1)
    return SpecError("a blank is missing after `:`", scalar.source, place, "write `key: value`")


def _end(node: Node) -> int:
    return node.end
