"""Bars as SVG, written by hand: a block for each row, two bars for each tool."""

from xml.sax import saxutils

WIDTH, LEFT, RIGHT = 860, 110, 130
BAR, THIN, GAP, HEAD = 12, 5, 6, 34
OURS, THEIRS, OURS_LIGHT, THEIRS_LIGHT = "#c2410c", "#475569", "#fdba74", "#cbd5e1"


def bars(title, tables):
    """One picture of a network: `tables` are the rows, each with a line of figures for each tool.

    The thick bar is wall time, the thin one CPU time, on one scale for each row.
    """
    parts, at = [text(10, 22, title, 15, weight="bold"), text(10, 40, LEGEND, 11, "#64748b")], 52
    for row, lines in tables:
        block, at = rows_of_bars(row["text"], lines, at)
        parts += block
    style = 'font-family="system-ui, sans-serif"'
    size = f'width="{WIDTH}" height="{at + 8}" viewBox="0 0 {WIDTH} {at + 8}"'
    frame = f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>'
    return "\n".join([frame, '<rect width="100%" height="100%" fill="white"/>', *parts, "</svg>\n"])


LEGEND = "thick: wall time, thin: CPU time of the whole process; medians; shorter is better"


def rows_of_bars(title, lines, at):
    scale = max((max(line["wall"], line["cpu"]) for line in lines if "wall" in line), default=1)
    parts, at = [text(10, at + 20, title, 13, weight="bold")], at + HEAD
    for line in lines:
        parts.append(text(LEFT - 8, at + BAR, line["tool"], 12, anchor="end"))
        if "absent" in line:
            parts.append(text(LEFT, at + BAR, line["absent"], 11, "#94a3b8"))
        else:
            wall, cpu = (length(line[figure], scale) for figure in ("wall", "cpu"))
            ours = line["tool"] == "haul"
            parts.append(bar(at, wall, BAR, OURS if ours else THEIRS))
            parts.append(bar(at + BAR, cpu, THIN, OURS_LIGHT if ours else THEIRS_LIGHT))
            label = f"{line['wall']:.3g} s, CPU {line['cpu']:.3g} s"
            parts.append(text(LEFT + max(wall, cpu) + 6, at + BAR, label, 11, "#334155"))
        at += BAR + THIN + GAP
    return parts, at


def length(value, scale):
    return round((WIDTH - LEFT - RIGHT) * value / max(scale, 1e-9), 1)


def bar(at, width, height, colour):
    return f'<rect x="{LEFT}" y="{at}" width="{max(width, 1)}" height="{height}" fill="{colour}"/>'


def text(x, y, words, size, colour="#0f172a", anchor="start", weight="normal"):
    words = saxutils.escape(words)
    look = f'font-size="{size}" fill="{colour}" text-anchor="{anchor}" font-weight="{weight}"'
    return f'<text x="{x}" y="{y}" {look}>{words}</text>'
