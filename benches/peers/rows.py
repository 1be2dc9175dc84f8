"""What is measured: each row is some work on some server.

The work is the same for every tool: the same files or objects, the same names, the same ends. It
must never say how a tool does it; that is in tools.py.
"""

import dataclasses

KIB, MIB = 1 << 10, 1 << 20


@dataclasses.dataclass(frozen=True)
class Files:
    """Files of one size with random bytes; a single one is an object, more lie in folders."""

    name: str
    count: int
    size: int

    @property
    def key(self):
        return f"{self.name}/" if self.count > 1 else f"{self.name}/file"

    def names(self):
        """Below the key, where there is more than one."""
        return [f"{number % 50:02}/{number:06}" for number in range(self.count)]

    def objects(self):
        """Every key."""
        return [self.key + name for name in self.names()] if self.count > 1 else [self.key]

    def __str__(self):
        size = f"{self.size // MIB:,} MiB" if self.size >= MIB else f"{self.size // KIB} KiB"
        return f"{self.count:,} × {size}" if self.count > 1 else size


@dataclasses.dataclass(frozen=True)
class Network:
    """A server, and what lies between it and the tools."""

    name: str
    text: str
    flags: tuple = ()
    tls: bool = False


@dataclasses.dataclass(frozen=True)
class Row:
    network: Network
    # up, down, manifest or list: a method of a tool.
    work: str
    files: Files
    # So short that one process is too short to measure.
    repeats: int = 1

    @property
    def name(self):
        work = self.work if self.work in ("manifest", "list") else f"{self.files.name}-{self.work}"
        return f"{self.network.name}/{work}"

    @property
    def text(self):
        if self.work == "list":
            return f"ls of {self.files.count:,} keys"
        what = {"up": "up", "down": "down", "manifest": "down, from a manifest"}[self.work]
        return f"{self.files} {what}"


LOOPBACK = Network("loopback", "loopback, plain HTTP")
TLS = Network("tls", "loopback, HTTPS", tls=True)
FAR = ("--first-byte-ms", "30", "--get-bandwidth", "60000000", "--put-bandwidth", "20000000",
       "--total-bandwidth", "1250000000")
SHAPED = Network(
    "shaped", "30 ms to the first byte, 60 MB/s a GET, 20 MB/s a PUT, 10 Gbit/s in all", FAR)
BUSY = Network(
    "busy", "the same, 503 SlowDown beyond 1,000 requests a second",
    (*FAR, "--request-rate", "1000"))
WEED = Network("seaweedfs", "SeaweedFS on loopback, plain HTTP")


def rows(quick):
    """All of them; `quick` is small enough to try whether everything works."""
    large = Files("large", 1, (16 if quick else 1024) * MIB)
    small = Files("small", 200 if quick else 5_000, 16 * KIB)
    tiny = Files("tiny", 500 if quick else 20_000, KIB)
    many = Files("many", 1_000 if quick else 100_000, KIB)
    one = Files("one", 1, KIB)
    listed = Files("keys", 5_000 if quick else 1_000_000, KIB)
    both_ways = [(files, way) for files in (large, small) for way in ("down", "up")]
    found = [Row(network, way, files)
             for network in (LOOPBACK, TLS, SHAPED) for files, way in both_ways]
    found.append(Row(BUSY, "down", tiny))
    found.append(Row(LOOPBACK, "manifest", many))
    keys = ("--synthetic-keys", f"bench/{listed.key}={listed.count}")
    plain = Network("keys", "loopback, plain HTTP", keys)
    slow = Network("keys-20ms", "20 ms a page", (*keys, "--list-ms", "20"))
    found += [Row(plain, "list", listed), Row(slow, "list", listed)]
    found.append(Row(LOOPBACK, "down", one, repeats=3 if quick else 20))
    found += [Row(WEED, way, files) for files, way in both_ways]
    return found
