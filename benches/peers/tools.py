"""How each tool is told to do a job: its command line, with its own defaults.

A tool gets what it needs to reach the server and to come to the same end as the others, and must
never get an option that makes it faster or slower than its users have it.
"""

import dataclasses
import pathlib
import subprocess

import rig

BUCKET = "bench"


class NotOffered(Exception):
    """The tool has no way to do such a job; says why in a few words."""


@dataclasses.dataclass(frozen=True)
class Job:
    """What one run of a tool does; objects below a prefix where the key ends in a slash."""

    key: str
    local: pathlib.Path
    endpoint: str
    # The certificate to trust, where there is one.
    authority: pathlib.Path | None = None
    # What to download, in the format that the tool asks for.
    lists: dict | None = None
    # Whether the server's ETags are MD5s where S3's would be.
    etags_are_md5: bool = True

    @property
    def many(self):
        return self.key.endswith("/")

    @property
    def uri(self):
        return f"s3://{BUCKET}/{self.key}"

    @property
    def folder(self):
        return f"{self.local}/" if self.many else str(self.local)


class Tool:
    """A tool may leave out what it does not offer."""

    ask_version = ("--version",)

    def __init__(self, program):
        self.program = program

    def version(self):
        asked = subprocess.run([self.program, *self.ask_version], capture_output=True, text=True, check=False)
        words = (asked.stdout or asked.stderr).split("\n", maxsplit=1)[0].split()
        numbers = [word for word in words if "." in word and any(letter.isdigit() for letter in word)]
        return numbers[0].split("/")[-1] if numbers else "?"

    def manifest(self, _job):
        raise NotOffered("takes no list")

    def list(self, _job):
        raise NotOffered("lists nothing")


class Haul(Tool):
    def up(self, job):
        return [self.program, "upload", job.local, job.uri]

    def down(self, job):
        return [self.program, "download", job.uri, job.folder]

    def manifest(self, job):
        return [self.program, "download", "--manifest", job.lists["csv"], job.folder]

    def list(self, job):
        return [self.program, "ls", "-r", job.uri]


class S5cmd(Tool):
    ask_version = ("version",)

    def up(self, job):
        return [self.program, "cp", job.folder, job.uri]

    def down(self, job):
        return [self.program, "cp", job.uri + ("*" if job.many else ""), job.folder]

    def manifest(self, job):
        return [self.program, "run", job.lists["s5cmd"]]

    def list(self, job):
        return [self.program, "ls", job.uri + "*"]


class Rclone(Tool):
    options = ("--config", "/dev/null", "--s3-provider", "Other", "--s3-env-auth", "--s3-no-check-bucket")

    def up(self, job):
        return [self.program, self.verb(job), *self.options, job.local, self.remote(job)]

    def down(self, job):
        return [self.program, self.verb(job), *self.options, self.remote(job), job.local]

    def manifest(self, job):
        lists = ("--files-from-raw", job.lists["names"], "--no-traverse")
        return [self.program, "copy", *self.options, *lists, self.remote(job), job.local]

    def list(self, job):
        return [self.program, "lsf", "--recursive", "--files-only", *self.options, self.remote(job)]

    @staticmethod
    def verb(job):
        return "copy" if job.many else "copyto"

    @staticmethod
    def remote(job):
        return f":s3:{BUCKET}/{job.key}"


class Aws(Tool):
    def up(self, job):
        return [*self.s3(job), "cp", *self.recursive(job), job.local, job.uri]

    def down(self, job):
        return [*self.s3(job), "cp", *self.recursive(job), job.uri, job.local]

    def list(self, job):
        return [*self.s3(job), "ls", "--recursive", job.uri]

    def s3(self, job):
        """Older ones, such as Debian's, do not know AWS_ENDPOINT_URL."""
        return [self.program, "s3", "--endpoint-url", job.endpoint]

    @staticmethod
    def recursive(job):
        return ["--recursive"] if job.many else []


class Script(Tool):
    """What people write around boto3; see the script."""

    def __init__(self, program, name, module):
        super().__init__(program)
        self.script, self.module = pathlib.Path(__file__).with_name(name), module

    def version(self):
        code = f"import importlib.metadata as m; print(m.version('{self.module}'))"
        return subprocess.run([self.program, "-c", code], capture_output=True, text=True, check=True).stdout.strip()

    def up(self, job):
        return self.command("up", job)

    def down(self, job):
        return self.command("down", job)

    def manifest(self, job):
        return [*self.command("down", job), job.lists["names"]]

    def list(self, job):
        return self.command("list", job)

    def command(self, what, job):
        return [self.program, self.script, what, job.local, BUCKET, job.key]


class CrtScript(Script):
    def list(self, _job):
        raise NotOffered("moves only")


class S7cmd(Tool):
    def up(self, job):
        verb = "sync" if job.many else "cp"
        return [self.program, verb, *self.at("target", job), job.folder, job.uri]

    def down(self, job):
        verb = "sync" if job.many else "cp"
        return [self.program, verb, *self.at("source", job), job.uri, job.folder]

    def manifest(self, job):
        # One at a time would be its default.
        return [self.program, "batch-run", "--parallel", "0", job.lists["s7cmd"]]

    def list(self, job):
        return [self.program, "ls", "-r", *self.at("list", job), job.uri]

    @staticmethod
    def at(side, job):
        # Without it, a server whose ETags are no MD5s has corrupted everything.
        trusting = [] if job.etags_are_md5 or side == "list" else ["--disable-etag-verify"]
        side = "target" if side == "list" else side
        return [f"--{side}-endpoint-url", job.endpoint, f"--{side}-force-path-style", *trusting]


class Curl(Tool):
    """No client of S3: one unsigned GET or PUT, for what HTTP itself takes."""

    options = ("--silent", "--show-error", "--fail")

    def up(self, job):
        return [*self.command(job), "--upload-file", job.local, self.url(job)]

    def down(self, job):
        return [*self.command(job), "--output", job.local, self.url(job)]

    def command(self, job):
        if job.many:
            raise NotOffered("one object only")
        trusted = ("--cacert", job.authority) if job.authority else ()
        return [self.program, *self.options, *trusted]

    @staticmethod
    def url(job):
        return f"{job.endpoint}/{BUCKET}/{job.key}"


NAMES = ["haul", "s5cmd", "rclone", "aws", "boto3", "boto3-crt", "s7cmd", "curl"]


def find(names, haul):
    """The tools by name, and why the others are not there."""
    python = rig.program("python")
    ways = {
        "haul": lambda: Haul(str(haul)),
        "boto3": lambda: Script(python, "boto3_pool.py", "boto3"),
        "boto3-crt": lambda: CrtScript(python, "boto3_crt.py", "awscrt"),
        "s5cmd": S5cmd, "rclone": Rclone, "aws": Aws, "s7cmd": S7cmd, "curl": Curl,
    }
    found, missing = {}, {}
    for name in names:
        way = ways[name]
        if name == "s7cmd" and (why := rig.install_cargo_peer(name)):
            missing[name] = why
        elif not isinstance(way, type):
            found[name] = way()
        elif program := rig.program(name):
            found[name] = way(program)
        else:
            missing[name] = "not on PATH"
    return found, missing
