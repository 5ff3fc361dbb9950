"""Draws docs/demo.svg, the picture in the README: what the demo prints on a terminal, some of its steps."""

import os
import pty
import re
import sys
from pathlib import Path
from xml.sax.saxutils import escape

HERE = Path(__file__).parent
PICTURE = HERE.parents[1] / "docs/demo.svg"

STEPS = ("3.", "4.", "7.", "9.")
COLUMN, ROW, EDGE = 7.8, 18, 16
NO_BREAK = "\u00a0"  # of several spaces SVG keeps one
COLOURS = {"0": "#d4d4d4", "1": "#ffffff", "2": "#8b949e", "31": "#f47067", "32": "#57ab5a", "33": "#e0a84e", "36": "#56b6c2"}


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


def spans(line):
    """A line as (column, text, colour)."""
    column, colour = 0, "0"
    for part in re.split(r"(\x1b\[\d*m)", line):
        if code := re.fullmatch(r"\x1b\[(\d*)m", part):
            colour = code[1] or "0"
        elif part:
            yield column, part, COLOURS[colour]
            column += len(part)


def drawn(lines):
    """SVG, each span of text as wide as its columns in any font."""
    lines = ["\x1b[2m$ make demo\x1b[0m", *lines]
    width = max(len(re.sub(r"\x1b\[\d*m", "", line)) for line in lines) * COLUMN + 2 * EDGE
    parts = []
    for row, line in enumerate(lines, 1):
        for column, text, colour in spans(line):
            if text.strip():
                indent = len(text) - len(text.lstrip())
                x, text = EDGE + (column + indent) * COLUMN, text.strip()
                length = f'textLength="{len(text) * COLUMN:.1f}" lengthAdjust="spacingAndGlyphs"'
                parts.append(f'<text x="{x:.1f}" y="{EDGE + row * ROW}" fill="{colour}" {length}>{escape(text).replace(" ", NO_BREAK)}</text>')
    height = len(lines) * ROW + 2 * EDGE
    style = 'font-family="ui-monospace, Menlo, Consolas, monospace" font-size="13"'
    text = "\n".join(parts)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" {style}>'
    return f'{head}\n<rect width="100%" height="100%" rx="8" fill="#1e1e1e"/>\n{text}\n</svg>\n'


if __name__ == "__main__":
    PICTURE.write_text(drawn(chosen(on_a_terminal())))
