"""A grid of characters on which texts and wires are put; the strokes of a wire join, those of two do not.

Where two wires cross, the one that runs up and down is drawn through and the other is interrupted;
where a wire branches, its strokes meet.
"""

from __future__ import annotations

from gradcheck.errors import display_width

NORTH, SOUTH, WEST, EAST = 1, 2, 4, 8

STROKES = {3: "│", 12: "─", 5: "╯", 6: "╮", 9: "╰", 10: "╭", 7: "┤", 11: "├", 13: "┴", 14: "┬", 15: "┼"}
"""The character for the directions in which a wire leaves a cell."""

ASCII = str.maketrans(dict.fromkeys("╯╮╰╭┤├┴┬┼┌┐└┘╔╗╚╝╢╟", "+") | {"│": "|", "║": "|", "─": "-", "═": "=", "▶": ">"})

Segment = tuple[str, str]
"""Text and its style: `forward`, `backward`, `head`, `dim`, or nothing."""

Line = list[Segment]


class Canvas:
    """Texts and wires by row and column.

    Half columns, in which wires are measured, let a wire end in the middle of a character: column c
    begins at 2c, and its middle is 2c + 1.
    """

    def __init__(self, ascii_only: bool) -> None:
        self.ascii_only = ascii_only
        self._texts: dict[tuple[int, int], Segment] = {}
        self._strokes: dict[tuple[int, int], dict[int, int]] = {}

    def text(self, row: int, column: int, text: str, style: str) -> None:
        """Put a text whose first character stands at `column`."""
        cells: list[str] = []
        for character in text:
            width = display_width(character)
            if width:
                # The second column of a wide character holds nothing.
                cells += ["", character][2 - width :][::-1]
            else:
                last = max(k for k, cell in enumerate(cells) if cell)
                cells[last] += character
        for k, cell in enumerate(cells):
            self._texts[row, column + k] = (cell, style)

    def across(self, row: int, begin: int, end: int, wire: int) -> None:
        """Draw a part of a wire from left to right, between two half columns."""
        for half in range(begin, end):
            self._stroke(row, half // 2, wire, EAST if half % 2 else WEST)

    def down(self, column: int, begin: int, end: int, wire: int) -> None:
        """Draw a part of a wire from the middle of one row down to that of another."""
        for row in range(begin, end):
            self._stroke(row, column, wire, SOUTH)
            self._stroke(row + 1, column, wire, NORTH)

    def _stroke(self, row: int, column: int, wire: int, direction: int) -> None:
        cell = self._strokes.setdefault((row, column), {})
        cell[wire] = cell.get(wire, 0) | direction

    def lines(self) -> list[Line]:
        """Return what was drawn, without blanks at the ends of lines."""
        cells = {place: (self._character(wires), "dim") for place, wires in self._strokes.items()} | self._texts
        rows: list[dict[int, Segment]] = [{} for _ in range(max(row for row, _ in cells) + 1)]
        for (row, column), cell in cells.items():
            rows[row][column] = cell
        return [self._line(row) for row in rows]

    def _character(self, wires: dict[int, int]) -> str:
        return STROKES[next(iter(wires.values())) if len(wires) == 1 else NORTH | SOUTH]

    def _line(self, row: dict[int, Segment]) -> Line:
        line: Line = []
        for column in range(max(row, default=-1) + 1):
            text, style = row.get(column, (" ", ""))
            text = text.translate(ASCII) if self.ascii_only and style == "dim" else text
            if line and line[-1][1] == style:
                line[-1] = (line[-1][0] + text, style)
            else:
                line.append((text, style))
        return line
