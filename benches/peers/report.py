"""The figures as tables: RESULTS.md, with medians, and ratios of runs of the same round."""

import os
import pathlib
import platform
import statistics

import plot

MIB = 1 << 20
HEAD = """# Beside other tools

Written by `benches/peers/run.py`, which says how it was measured and does it again.

On {system}; {rounds} in each row, started {started}.
Files and servers' data lie in memory, and the server shares the machine with the tool, so that its
CPU time bounds what any tool can reach on loopback. Each tool runs with its own defaults, every
byte is checked after every run.

The servers of the benchmark give uploads ETags that are no MD5s; s7cmd, which takes every ETag for
one, is told not to compare them there (`--disable-etag-verify`). curl is no client of S3 and shows
what one unsigned request for the whole object takes.

Wall and CPU seconds (user and system, the whole process) and peak memory are medians. `×` is the
tool's share of what `haul` took in the same round, its median: above 1 the tool takes longer, or
more. Requests (of them refused), connections opened, and the most open at once are the server's
count.

{tools}
"""


def system():
    """What the figures were taken on, without its name."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return (f"{os.cpu_count()} cores ({platform.machine()}), {memory / (1 << 30):.0f} GiB of memory, "
            f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}")


def write(run, folder):
    """RESULTS.md, and a plot for each network, from what run.py wrote down."""
    folder = pathlib.Path(folder)
    names = run["tools"]
    text = [HEAD.format_map(run | {"tools": tools(run), "rounds": rounds(run)})]
    if run["quick"]:
        text.append("**A trial (`--quick`): one round of little work. These are no figures.**\n")
    text += [summary(run, names, "wall", "Wall time"), summary(run, names, "cpu", "CPU time")]
    for network in dict.fromkeys(row["network"] for row in run["rows"]):
        rows = [row for row in run["rows"] if row["network"] == network]
        file = f"{rows[0]['name'].split('/', maxsplit=1)[0]}.svg"
        tables = [(row, [line(run, row, name) for name in names]) for row in rows]
        (folder / file).write_text(plot.bars(network, tables))
        text.append(f"## {network[0].upper()}{network[1:]}\n\n![{network}]({file})\n")
        text += [table(row, lines) for row, lines in tables]
    (folder / "RESULTS.md").write_text("\n".join(text))


def rounds(run):
    """How often tools did their work, the fewest and the most."""
    done = {}
    for one in run["runs"]:
        done.setdefault((one["row"], one["tool"]), set()).add(one["round"])
    counts = sorted({len(rounds) for rounds in done.values()})
    if counts == [1]:
        return "1 round"
    return f"{counts[0]} rounds" if len(counts) == 1 else f"{counts[0]} to {counts[-1]} rounds"


def tools(run):
    there = [f"{name} {version}" for name, version in run["versions"].items()]
    absent = [f"{name} ({why})" for name, why in run["missing"].items()]
    return "Tools: " + ", ".join(there) + "." + (" Not run: " + ", ".join(absent) + "." if absent else "")


def line(run, row, name):
    """A tool's medians in a row, or in a word why there are none."""
    runs = [one for one in run["runs"] if one["row"] == row["name"] and one["tool"] == name]
    found = {"tool": name, "failed": [one["failed"] for one in runs if "failed" in one], "of": len(runs)}
    if name in run["missing"]:
        return found | {"absent": "not run"}
    if any("not_offered" in one for one in runs):
        return found | {"absent": runs[0]["not_offered"]}
    good = [one for one in runs if "wall" in one]
    if not good:
        return found | {"absent": "failed" if runs else "not run"}
    median = {figure: statistics.median(one[figure] for one in good) for figure in ("wall", "cpu", "peak")}
    served = {figure: statistics.median(one["served"][figure] for one in good) for figure in good[0]["served"]}
    ratios = {f"{figure}_ratio": ratio(run, row, good, figure) for figure in ("wall", "cpu")}
    return found | median | ratios | {"served": served}


def ratio(run, row, good, figure):
    """Of the rounds in which haul did its work as well; None where there is none."""
    ours = {one["round"]: one[figure] for one in run["runs"]
            if one["row"] == row["name"] and one["tool"] == "haul" and figure in one}
    pairs = [one[figure] / max(ours[one["round"]], 1e-9) for one in good if one["round"] in ours]
    return statistics.median(pairs) if pairs else None


def summary(run, names, figure, title):
    head = f"## {title}, as a share of haul's\n\n| | {' | '.join(names)} |\n|---|{'---:|' * len(names)}"
    lines = [head]
    for row in run["rows"]:
        cells = [cell(line(run, row, name), figure) for name in names]
        lines.append(f"| {row['name'].split('/')[0]}: {row['text']} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def cell(found, figure):
    if "absent" in found:
        return found["absent"] if found["absent"] in ("failed", "not run") else "–"
    ratio_found = found[f"{figure}_ratio"]
    failed = f" ({len(found['failed'])} of {found['of']} failed)" if found["failed"] else ""
    return ("?" if ratio_found is None else f"{ratio_found:.2f}") + failed


def table(row, lines):
    head = ["tool", "wall", "×", "CPU", "×", "peak", "requests", "connections", "at once"]
    text = [f"### {row['text']}\n", f"| {' | '.join(head)} |", "|---|" + "---:|" * (len(head) - 1)]
    notes = []
    for found in lines:
        text.append(f"| {' | '.join(cells(found))} |")
        if found["failed"]:
            notes.append(f"{found['tool']} failed in {len(found['failed'])} of {found['of']} rounds: "
                         f"`{found['failed'][0].replace('`', '')}`")
        elif "absent" in found:
            notes.append(f"{found['tool']}: {found['absent']}")
    return "\n".join(text) + "\n\n" + "".join(f"- {note}\n" for note in notes)


def cells(found):
    if "absent" in found:
        return [found["tool"], "failed" if found["failed"] else "–"] + [""] * 7
    served = found["served"]
    refused = f" ({served['refused']:,.0f})" if served.get("refused") else ""
    return [found["tool"],
            f"{found['wall']:.3g} s", times(found["wall_ratio"]),
            f"{found['cpu']:.3g} s", times(found["cpu_ratio"]), f"{found['peak'] / MIB:.0f} MiB",
            f"{served['requests']:,.0f}{refused}" if served else "–",
            f"{served['connections']:,.0f}" if served else "–",
            f"{served['max_open_connections']:,.0f}" if served else "–"]


def times(value):
    return "?" if value is None else f"{value:.2f}"
