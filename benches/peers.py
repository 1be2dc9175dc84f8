#!/usr/bin/env python3
"""Pairs haul against other tools: A B A B, each in its own process, on files in memory.

    python3 benches/peers.py                        s5cmd, on the testbed and on SeaweedFS
    python3 benches/peers.py --peers s5cmd rclone boto3 aws
    python3 benches/peers.py --servers testbed --work small-up small-down --runs 9

Prints one line for each server, work and peer: the median over the pairs of haul's share of the
peer's CPU (user + system of the whole process), wall time and peak memory. Below 1 haul takes
less. Every tool runs with its own defaults; --tuned gives the peers more parallel requests.
"""

import argparse
import filecmp
import pathlib
import shutil
import sys

sys.dont_write_bytecode = True
import rig  # noqa: E402

BUCKET = "bench"
GIB, KIB = 1 << 30, 1 << 10


def main():
    options = arguments()
    rig.install_peers()
    haul, testbed = rig.build()
    tools = {"haul": Haul(haul)} | {name: PEERS[name](options.tuned) for name in options.peers}
    for name, tool in tools.items():
        if not tool.program:
            sys.exit(f"{name} is neither installable here nor on PATH")
    with rig.scratch(options.dir) as folder:
        folder = pathlib.Path(folder)
        # Files, both servers' data, and what is brought down, of which some is there twice.
        rig.warm(folder, 12 * (options.size << 20))
        make_files(folder, options)
        print(f"{'server':10} {'work':11} {'peer':7} {'CPU':>6} {'wall':>6} {'memory':>7}   "
              f"{'haul CPU':>9} {'wall':>8} {'peak':>8}   (ratios haul / peer, "
              f"medians of {options.runs} pairs)")
        for name in options.servers:
            place = folder / name
            place.mkdir()
            server = rig.testbed(testbed, BUCKET, place) if name == "testbed" else rig.weed(BUCKET, place)
            with server:
                if name == "weed":
                    make_bucket(server, place)
                for work in options.work:
                    compare(Bench(server, tools, folder, place, options.runs), work)
            shutil.rmtree(place)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=["s5cmd"])
    parser.add_argument("--servers", nargs="+", choices=["testbed", "weed"], default=["testbed", "weed"])
    parser.add_argument("--work", nargs="+", choices=WORK, default=list(WORK))
    parser.add_argument("--runs", type=int, default=5, help="pairs of each (default 5)")
    parser.add_argument("--size", type=int, default=1024, help="MiB of the large file (default 1024)")
    parser.add_argument("--files", type=int, default=5000, help="number of small files (default 5000)")
    parser.add_argument("--dir", help="where the files are (default /dev/shm)")
    parser.add_argument("--tuned", action="store_true", help="give the peers more parallel requests")
    return parser.parse_args()


def make_files(folder, options):
    rig.fill(folder / "large/file", options.size << 20)
    for number in range(options.files):
        rig.fill(folder / f"small/{number % 50:02}/{number:05}", 16 * KIB)


def make_bucket(server, place):
    with open(place / "make-bucket.log", "wb+") as log:
        command = [rig.program("s5cmd"), "mb", f"s3://{BUCKET}"]
        code, _ = rig.run(command, server.environment(), log)
        rig.must(code, command, log)


class Bench:
    """One server with everything a comparison on it needs."""

    def __init__(self, server, tools, files, place, runs):
        self.server, self.tools, self.files, self.place, self.runs = server, tools, files, place, runs

    def measure(self, name, work):
        """One run of one tool, checked, with nothing of an earlier one in its way."""
        size, direction = work.split("-")
        key = "large/file" if size == "large" else "small/"
        source, target = self.files / key, self.place / "down" / key
        shutil.rmtree(self.place / "down", ignore_errors=True)
        target.parent.mkdir(parents=True)
        local = source if direction == "up" else target
        command = getattr(self.tools[name], direction)(str(local).rstrip("/"), key)
        with open(self.place / f"{name}.log", "wb+") as log:
            code, usage = rig.run(command, self.server.environment(), log)
            rig.must(code, command, log)
        if direction == "down" and not equal(source, target):
            sys.exit(f"{name} brought other files down than went up")
        return usage


def compare(bench, work):
    """Warms up with every tool once, then pairs."""
    if work.endswith("down"):
        bench.measure("haul", work.replace("down", "up"))
    for name in bench.tools:
        bench.measure(name, work)
    for peer in [name for name in bench.tools if name != "haul"]:
        pairs = [(bench.measure("haul", work), bench.measure(peer, work)) for _ in range(bench.runs)]
        ours, theirs = zip(*pairs)
        figures = [rig.ratio(ours, theirs, figure) for figure in ("cpu", "wall", "peak")]
        cpu, wall, peak = (rig.median(ours, figure) for figure in ("cpu", "wall", "peak"))
        print(f"{bench.server.name:10} {work:11} {peer:7} "
              f"{figures[0]:6.2f} {figures[1]:6.2f} {figures[2]:7.2f}   "
              f"{cpu:7.2f} s {wall:6.2f} s {peak / (1 << 20):4.0f} MiB", flush=True)


def equal(source, target):
    if source.is_file():
        return filecmp.cmp(source, target, shallow=False)
    left, right = (sorted(path.relative_to(top) for path in top.rglob("*") if path.is_file())
                   for top in (source, target))
    if left != right:
        return False
    return not any(filecmp.cmpfiles(source, target, left, shallow=False)[1:])


class Haul:
    def __init__(self, program):
        self.program = program

    def up(self, local, key):
        return [self.program, "upload", local, f"s3://{BUCKET}/{key}"]

    def down(self, local, key):
        return [self.program, "download", f"s3://{BUCKET}/{key}", local + ("/" if key.endswith("/") else "")]


class S5cmd:
    def __init__(self, tuned):
        self.program = rig.program("s5cmd")
        self.options = ["--concurrency", "32", "--part-size", "16"] if tuned else []

    def up(self, local, key):
        local += "/" if key.endswith("/") else ""
        return [self.program, "cp", *self.options, local, f"s3://{BUCKET}/{key}"]

    def down(self, local, key):
        wildcard, slash = ("*", "/") if key.endswith("/") else ("", "")
        return [self.program, "cp", *self.options, f"s3://{BUCKET}/{key}{wildcard}", local + slash]


class Rclone:
    def __init__(self, tuned):
        self.program = rig.program("rclone")
        self.options = ["--config", "/dev/null", "--s3-provider", "Other", "--s3-env-auth", "--s3-no-check-bucket"]
        if tuned:
            self.options += ["--transfers", "64", "--s3-upload-concurrency", "32", "--multi-thread-streams", "32"]

    def up(self, local, key):
        return [self.program, *self.verb(key), *self.options, local, f":s3:{BUCKET}/{key}"]

    def down(self, local, key):
        return [self.program, *self.verb(key), *self.options, f":s3:{BUCKET}/{key}", local]

    @staticmethod
    def verb(key):
        # Without --ignore-times it would skip what an earlier run brought.
        return ["copy" if key.endswith("/") else "copyto", "--ignore-times"]


class Boto3:
    def __init__(self, _tuned):
        self.program = rig.program("python")
        self.script = pathlib.Path(__file__).with_name("boto3_pool.py")

    def up(self, local, key):
        return [self.program, self.script, "up", local, BUCKET, key]

    def down(self, local, key):
        return [self.program, self.script, "down", local, BUCKET, key]


class Aws:
    def __init__(self, _tuned):
        self.program = rig.program("aws")

    def up(self, local, key):
        return [self.program, "s3", "cp", *self.recursive(key), local, f"s3://{BUCKET}/{key}"]

    def down(self, local, key):
        return [self.program, "s3", "cp", *self.recursive(key), f"s3://{BUCKET}/{key}", local]

    @staticmethod
    def recursive(key):
        return ["--recursive"] if key.endswith("/") else []


PEERS = {"s5cmd": S5cmd, "rclone": Rclone, "boto3": Boto3, "aws": Aws}
WORK = ["large-up", "large-down", "small-up", "small-down"]

if __name__ == "__main__":
    main()
