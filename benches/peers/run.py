#!/usr/bin/env python3
"""Does the same work with haul and with its peers, checks it, and says what each took.

    python3 benches/peers/run.py                      everything; takes hours
    python3 benches/peers/run.py --quick              one round of little work, to try it
    python3 benches/peers/run.py --rows shaped --tools haul s5cmd rclone --rounds 9
    python3 benches/peers/run.py --more --rows loopback --tools haul aws boto3 --rounds 3
                                                      put to the figures that are there
    python3 benches/peers/run.py --render             the tables and plots again, from the figures

In each round every tool does the row's work once, in an order that rotates: a disturbance hits all
of them alike, and nobody runs always behind the same other. Every tool runs as its users run it,
with its own defaults. Every byte is checked after every run; a tool that fails is shown as failed.
The figures (results.json), the tables (RESULTS.md) and the plots (*.svg) go to --out.
"""

import argparse
import dataclasses
import datetime
import json
import pathlib
import re
import shutil
import statistics
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import rig  # noqa: E402

import check  # noqa: E402
import report  # noqa: E402
import tools  # noqa: E402
from rows import WEED, rows  # noqa: E402

OUT = rig.TARGET / "bench-peers"
# Such a tool is not asked again to do the same.
TOO_SLOW = "not done after"


def main():
    options = arguments()
    figures = options.out / "results.json"
    earlier = json.loads(figures.read_text()) if options.more else None
    if not options.render:
        chosen = choose(options)
        rig.install_peers()
        haul, testbed = rig.build()
        found, missing = tools.find(options.tools, haul)
        options.out.mkdir(parents=True, exist_ok=True)
        run = {"system": report.system(), "started": datetime.date.today().isoformat(), "rounds": options.rounds,
               "quick": options.quick, "missing": missing, "tools": options.tools,
               "versions": {name: tool.version() for name, tool in found.items()},
               "rows": [{"name": row.name, "text": row.text, "network": row.network.text} for row in chosen],
               "runs": []}
        with rig.scratch(options.dir) as folder:
            bench = Bench(testbed, found, pathlib.Path(folder), options)
            if not options.quick:
                # Source, server's data and what is brought down, of which some is there twice.
                rig.warm(folder, 12 << 30)
            for row in chosen:
                run["runs"] += bench.measure(row)
                figures.write_text(json.dumps(together(earlier, run), indent=1))
    report.write(json.loads(figures.read_text()), options.out)
    print(f"written: {options.out}")


def together(earlier, run):
    """All figures of two runs. No round of one is a round of the other."""
    if earlier is None:
        return run
    after = 1 + max(one["round"] for one in earlier["runs"])
    runs = earlier["runs"] + [one | {"round": one["round"] + after} for one in run["runs"]]
    either = {row["name"]: row for row in earlier["rows"] + run["rows"]}
    versions = earlier["versions"] | run["versions"]
    known = {"rows": [either[row.name] for row in rows(run["quick"]) if row.name in either],
             "tools": [name for name in tools.NAMES if name in earlier["tools"] + run["tools"]],
             "versions": {name: versions[name] for name in tools.NAMES if name in versions},
             "missing": {name: why for name, why in (earlier["missing"] | run["missing"]).items() if name not in versions}}
    return earlier | known | {"runs": runs, "quick": earlier["quick"] or run["quick"]}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", help="those whose name begins so (default all; --rows ? names them)")
    parser.add_argument("--tools", nargs="+", choices=tools.NAMES, default=tools.NAMES)
    parser.add_argument("--rounds", type=int, help="how often each tool does each work (default 5)")
    parser.add_argument("--quick", action="store_true", help="one round of little work: no figures, a trial")
    parser.add_argument("--limit", type=int, default=900, help="seconds that one run may take (default 900)")
    parser.add_argument("--dir", help="where the files and the servers' data are (default /dev/shm)")
    parser.add_argument("--out", type=pathlib.Path, default=OUT, help="folder for what is written")
    parser.add_argument("--more", action="store_true", help="put to the figures that are in --out")
    parser.add_argument("--render", action="store_true", help="run nothing, write tables and plots again")
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 5)
    return options


def choose(options):
    every = rows(options.quick)
    chosen = [row for row in every if not options.rows or row.name.startswith(tuple(options.rows))]
    if not chosen:
        sys.exit("rows: " + " ".join(row.name for row in every))
    return chosen


class Bench:
    """The tools and the folder in which everything lies."""

    def __init__(self, testbed, found, folder, options):
        self.testbed, self.tools, self.folder, self.options = testbed, found, folder, options

    def measure(self, row):
        """All rounds of a row; gives what each run took, or how it failed."""
        self.make_files(row)
        names, results, too_slow = list(self.tools), [], set()
        place = self.folder / "server"
        # What is removed from SeaweedFS is not given back before long.
        fresh = row.network is WEED and row.work == "up"
        numbers = range(self.options.rounds)
        for rounds in [[number] for number in numbers] if fresh else [numbers]:
            place.mkdir()
            with self.serve(row, place) as server:
                if row.network is WEED:
                    check.Store(server).make_bucket()
                self.seed(row, server)
                for number in rounds:
                    turn = number % len(names)
                    for name in names[turn:] + names[:turn]:
                        if name in too_slow:
                            continue
                        result = Run(self, row, server, name).result()
                        results.append({"row": row.name, "tool": name, "round": number} | result)
                        tell(results[-1])
                        if result.get("failed", "").startswith(TOO_SLOW):
                            too_slow.add(name)
            shutil.rmtree(place)
        return results

    def serve(self, row, place):
        if row.network is WEED:
            return rig.weed(place)
        flags = ("--anonymous", *row.network.flags)
        return rig.testbed(self.testbed, tools.BUCKET, place, flags, row.network.tls)

    def make_files(self, row):
        """The files of this row, and none of others."""
        top = self.folder / "files"
        if row.work == "list" or (top / row.files.name).exists():
            return
        shutil.rmtree(top, ignore_errors=True)
        paths = [top / row.files.key / name for name in row.files.names()] if row.files.count > 1 \
            else [top / row.files.key]
        for path in paths:
            rig.fill(path, row.files.size)

    def seed(self, row, server):
        """Puts the objects there that are to be brought down. Before uploads they are removed again:
        the server has the memory for them then, and nobody is the first to wait for it."""
        if row.work == "list":
            return
        job = Run(self, row, server, "haul").job
        command = [rig.TARGET / "release/haul", "upload", self.folder / "files" / row.files.key, job.uri]
        with open(self.folder / "seed.log", "wb+") as log:
            code, _ = rig.run(command, server.environment(), log)
            rig.must(code, command, log)
        if row.work == "up":
            check.Store(server).remove(row.files)


class Run:
    """One tool doing a row's work once."""

    def __init__(self, bench, row, server, name):
        self.bench, self.row, self.server, self.name = bench, row, server, name
        self.source = bench.folder / "files" / row.files.key
        self.target = bench.folder / "down" / row.files.key
        self.job = tools.Job(
            key=row.files.key, local=self.source if row.work == "up" else self.target,
            endpoint=server.endpoint, authority=server.authority, etags_are_md5=row.network is WEED)
        if row.work == "manifest":
            self.job = dataclasses.replace(self.job, lists=self.lists())

    def result(self):
        """What it took, how it failed, or that the tool does not offer it."""
        try:
            command = getattr(self.bench.tools[self.name], self.row.work)(self.job)
        except tools.NotOffered as reason:
            return {"not_offered": str(reason)}
        self.clear()
        self.server.stats()
        log_path, out_path = self.bench.folder / "tool.log", self.bench.folder / "tool.out"
        usages = []
        try:
            for _ in range(self.row.repeats):
                with open(log_path, "wb+") as log, open(out_path, "wb+") as out:
                    code, usage = rig.run(command, self.server.environment(), log,
                                          limit=self.bench.options.limit, stdout=out)
                if code != 0:
                    raise check.Wrong(self.why(code, usage, log_path, out_path))
                usages.append(usage)
            served = self.server.stats()
            self.check(out_path)
        except check.Wrong as wrong:
            return {"failed": str(wrong)}
        finally:
            self.tidy()
        share = 1 / self.row.repeats
        return {"cpu": sum(usage.cpu for usage in usages) * share,
                "wall": sum(usage.wall for usage in usages) * share,
                "peak": statistics.median(usage.peak for usage in usages),
                "served": {name: count if name.startswith("max") else round(count * share)
                           for name, count in served.items()}}

    def clear(self):
        shutil.rmtree(self.bench.folder / "down", ignore_errors=True)
        (self.target if self.job.many else self.target.parent).mkdir(parents=True)
        if self.row.work == "manifest":
            # Not every tool makes folders for single objects.
            for folder in {name.split("/")[0] for name in self.row.files.names()}:
                (self.target / folder).mkdir()

    def check(self, out_path):
        if self.row.work == "list":
            check.listed(self.row.files, out_path)
        elif self.row.work == "up":
            check.Store(self.server).uploaded(self.row.files, self.source)
        else:
            check.downloaded(self.row.files, self.source, self.target)

    def tidy(self):
        shutil.rmtree(self.bench.folder / "down", ignore_errors=True)
        if self.row.work == "up":
            check.Store(self.server).remove(self.row.files)

    def why(self, code, usage, *paths):
        """The last error that the tool wrote, or its last line, without colours and our folders."""
        if usage.wall >= self.bench.options.limit:
            return f"{TOO_SLOW} {self.bench.options.limit} s"
        written = "\n".join(path.read_text(errors="replace") for path in paths)
        lines = [line.strip() for line in re.sub(r"\x1b\[[0-9;]*m", "", written).splitlines()]
        errors = [line for line in lines if "error" in line.lower()]
        last = ([line for line in lines if line] + errors or [""])[-1]
        return f"exit code {code}: {last.replace(str(self.bench.folder), '…')[:200]}"

    def lists(self):
        """What to download, as each kind of tool wants to be told it."""
        folder, files = self.bench.folder / "lists", self.row.files
        folder.mkdir(exist_ok=True)
        pairs = [(f"s3://{tools.BUCKET}/{files.key}{name}", name) for name in files.names()]
        at = " ".join(tools.S7cmd.at("source", self.job))
        wanted = {
            "csv": ["source,destination", *(f"{uri},{name}" for uri, name in pairs)],
            "s5cmd": [f"cp {uri} {self.target}/{name}" for uri, name in pairs],
            "s7cmd": [f"cp {at} {uri} {self.target}/{name}" for uri, name in pairs],
            "names": files.names(),
        }
        paths = {}
        for name, lines in wanted.items():
            paths[name] = folder / ("list.csv" if name == "csv" else f"{name}.txt")
            paths[name].write_text("".join(f"{line}\n" for line in lines))
        return paths


def tell(result):
    """One line for whoever waits."""
    took = result.get("failed") or result.get("not_offered") or (
        f"{result['wall']:8.2f} s wall {result['cpu']:8.2f} s CPU {result['peak'] / (1 << 20):5.0f} MiB "
        f"{result['served'].get('requests', '–'):>8} requests")
    print(f"{result['row']:22} round {result['round']:2} {result['tool']:10} {took}", flush=True)


if __name__ == "__main__":
    main()
