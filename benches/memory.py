#!/usr/bin/env python3
"""How haul's memory grows with the number of objects, and how soon the first one moves.

    python3 benches/memory.py
    python3 benches/memory.py --rows 10000 100000 --objects 10000

Three measurements, each against its limit: two manifests of different length through --dry-run,
a real run of many small objects both ways, and the time until the first of a long manifest is
there. Ends with exit code 1 when a limit is passed.
"""

import argparse
import json
import os
import pathlib
import signal
import sys
import time

sys.dont_write_bytecode = True
import rig  # noqa: E402

BUCKET = "bench"
MIB = 1 << 20
PEAK_LIMIT = 100 * MIB
BYTES_A_ROW = 32
FIRST_WITHIN = 1.0

over = []


def main():
    options = arguments()
    rig.install_peers()
    haul, testbed = rig.build()
    with rig.scratch(options.dir) as folder:
        folder = pathlib.Path(folder)
        with rig.testbed(testbed, BUCKET, folder) as server:
            runner = Runner(haul, server, folder)
            dry_runs(runner, options.rows)
            real_runs(runner, options.objects)
            first_object(runner, options.rows[-1])
    if over:
        sys.exit("over the limit: " + ", ".join(over))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs=2, type=int, default=[100_000, 1_000_000],
                        help="lengths of the two manifests")
    parser.add_argument("--objects", type=int, default=100_000, help="objects of 1 KiB really moved")
    parser.add_argument("--dir", help="where the files are (default /dev/shm)")
    return parser.parse_args()


class Runner:
    def __init__(self, haul, server, folder):
        self.haul, self.server, self.folder = haul, server, folder

    def run(self, *words, watch=None, expected=(0,)):
        command = [self.haul, *words]
        with open(self.folder / "haul.log", "wb+") as log:
            code, usage = rig.run(command, self.server.environment(), log, watch)
            rig.must(code, command, log, expected)
        return usage


def dry_runs(runner, rows):
    peaks = []
    for count in rows:
        path = manifest(runner.folder, count)
        usage = runner.run("download", "--manifest", path, "--dry-run", runner.folder / "dry", watch=nothing)
        peaks.append(usage.peak)
        report(f"dry run of {count:,} rows", usage.peak / MIB, PEAK_LIMIT / MIB, "MiB at most")
    growth = (peaks[1] - peaks[0]) / (rows[1] - rows[0])
    report("growth between the two", growth, BYTES_A_ROW, "bytes a row")


def real_runs(runner, objects):
    for number in range(objects):
        rig.fill(runner.folder / "up" / name(number), 1024)
    usage = runner.run("upload", runner.folder / "up", f"s3://{BUCKET}/")
    report(f"upload of {objects:,} objects", usage.peak / MIB, PEAK_LIMIT / MIB, "MiB at most")
    path = manifest(runner.folder, objects)
    usage = runner.run("download", "--manifest", path, runner.folder / "down")
    report(f"download of {objects:,} objects", usage.peak / MIB, PEAK_LIMIT / MIB, "MiB at most")
    arrived = sum(len(files) for _, _, files in os.walk(runner.folder / "down"))
    if arrived != objects:
        sys.exit(f"{arrived:,} of {objects:,} objects arrived")


def first_object(runner, rows):
    """Interrupts a run over a long manifest as soon as its first object is there."""
    path = manifest(runner.folder, rows)
    since, first = time.monotonic(), []

    def watch(process, line):
        if not first and json.loads(line).get("event") == "done":
            first.append(time.monotonic() - since)
            process.send_signal(signal.SIGINT)

    runner.run("download", "--json", "--manifest", path, runner.folder / "first", watch=watch,
               expected=(1, 130))
    if not first:
        sys.exit("no object arrived")
    report(f"first object of {rows:,} rows", first[0], FIRST_WITHIN, "s after the start")


def manifest(folder, rows):
    path = folder / f"{rows}.csv"
    with open(path, "w", encoding="utf-8") as file:
        file.write("source,destination\n")
        for number in range(rows):
            file.write(f"s3://{BUCKET}/{name(number)},{name(number)}\n")
    return path


def name(number):
    return f"{number // 1000:04}/{number:08}.json"


def nothing(_process, _line):
    """Reads the plan and drops it: a file of a million lines would be measured as well."""


def report(what, value, limit, unit):
    state = "ok" if value <= limit else "OVER"
    if value > limit:
        over.append(what)
    print(f"{state:4}  {what:32} {value:9.2f} {unit} (limit {limit:g})", flush=True)


if __name__ == "__main__":
    main()
