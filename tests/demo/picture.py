"""Draws the pictures of a terminal in the documents.

    picture.py             docs/demo.svg: what the demo prints, some of its steps
    picture.py status      docs/status.svg: what `canary-split status --watch` showed in the last run of make test-cluster
"""

import itertools
import os
import pty
import re
import sys
from pathlib import Path
from xml.sax.saxutils import escape

HERE = Path(__file__).parent
TOP = HERE.parents[1]

STEPS = ("3.", "4.", "7.", "9.")
COLUMN, ROW, EDGE = 7.8, 18, 16
NO_BREAK = "\u00a0"  # of several spaces SVG keeps one
COLOURS = {"0": "#d4d4d4", "1": "#ffffff", "2": "#8b949e", "31": "#f47067", "32": "#57ab5a", "33": "#e0a84e", "36": "#56b6c2", "42": "#57ab5a", "44": "#539bf5"}


def on_a_terminal():
    """All that the demo prints, with its colours."""
    printed = bytearray()

    def read(terminal):
        data = os.read(terminal, 65536)
        printed.extend(data)
        return data

    os.environ.update(DEMO_EXIT="1", PYTHONUTF8="1", TERM="xterm-256color")
    os.environ.pop("NO_COLOR", None)
    status = pty.spawn([sys.executable, str(HERE / "demo.py")], read)
    if status:
        sys.exit("the demo has failed; nothing is drawn")
    return printed.decode().replace("\r\n", "\n")


def chosen(text):
    """The lines of these steps; each begins with a bold line end."""
    for step in text.split("\n\x1b[1m\n"):
        if step.startswith(STEPS):
            yield from ["", *f"\x1b[1m{step.strip()}".split("\n")]


def last_picture(text):
    """The last one that was complete, of those that follow each other in one place."""
    pictures = re.split(r"\x1b\[\d+A\x1b\[J", text.replace("\r", ""))
    return pictures[-2].rstrip().split("\n")


def spans(line):
    """A line as (column, text, colour, background)."""
    column, colour, background = 0, COLOURS["0"], None
    cells = []
    for part in re.split(r"(\x1b\[[\d;]*m)", line):
        if code := re.fullmatch(r"\x1b\[([\d;]*)m", part):
            *is_on_a_colour, last = (code[1] or "0").split(";")
            colour, background = ("#1e1e1e", COLOURS[last]) if is_on_a_colour else (COLOURS[last], None)
        else:
            cells += [(cell, colour, background) for cell in part]
    for colours, group in itertools.groupby(cells, key=lambda cell: cell[1:]):
        text = "".join(cell[0] for cell in group)
        yield column, text, *colours
        column += len(text)


def drawn(command, lines):
    """SVG, each span of text as wide as its columns in any font."""
    lines = [f"\x1b[2m$ {command}\x1b[0m", *lines]
    width = max(len(re.sub(r"\x1b\[[\d;]*m", "", line)) for line in lines) * COLUMN + 2 * EDGE
    parts = []
    for row, line in enumerate(lines, 1):
        for column, text, colour, background in spans(line):
            if text.strip():
                indent = len(text) - len(text.lstrip())
                x, y, text = EDGE + (column + indent) * COLUMN, EDGE + row * ROW, text.strip()
                if background:
                    parts.append(f'<rect x="{x:.1f}" y="{y - 13}" width="{len(text) * COLUMN + 0.5:.1f}" height="{ROW}" fill="{background}"/>')
                length = f'textLength="{len(text) * COLUMN:.1f}" lengthAdjust="spacingAndGlyphs"'
                parts.append(f'<text x="{x:.1f}" y="{y}" fill="{colour}" {length}>{escape(text).replace(" ", NO_BREAK)}</text>')
    height = len(lines) * ROW + 2 * EDGE
    style = 'font-family="ui-monospace, Menlo, Consolas, monospace" font-size="13"'
    text = "\n".join(parts)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" {style}>'
    return f'{head}\n<rect width="100%" height="100%" rx="8" fill="#1e1e1e"/>\n{text}\n</svg>\n'


if __name__ == "__main__":
    if sys.argv[1:] == ["status"]:
        lines = last_picture((TOP / "target/istio/status.ansi").read_text())
        (TOP / "docs/status.svg").write_text(drawn("canary-split status --watch", lines))
    else:
        (TOP / "docs/demo.svg").write_text(drawn("make demo", chosen(on_a_terminal())))
