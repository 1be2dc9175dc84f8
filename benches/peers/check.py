"""Whether a tool did what it was told: every byte is looked at after every run.

Objects are read back over plain HTTP without any S3 client, so that no tool vouches for itself.
"""

import base64
import concurrent.futures
import filecmp
import hashlib
import http.client
import os
import threading
import urllib.parse
from xml.sax import saxutils

import tools

READERS = 32
# A request reads so much of a large object: on a slow line one request would take minutes.
PIECE = 32 << 20


class Wrong(Exception):
    """What a tool left is not what it should be; says how."""


def downloaded(files, source, target):
    """Raises `Wrong` unless below `target` are the files that are below `source`, and no others."""
    if files.count == 1:
        if not target.is_file() or not filecmp.cmp(source, target, shallow=False):
            raise Wrong("brought other bytes down")
        return
    expected = files.names()
    found = sum(len(names) for _, _, names in os.walk(target))
    if found != len(expected):
        raise Wrong(f"{found:,} files for {len(expected):,} objects")
    _, different, absent = filecmp.cmpfiles(source, target, expected, shallow=False)
    if different or absent:
        raise Wrong(f"{len(different):,} files with other bytes, {len(absent):,} absent")


def listed(files, path):
    """Raises `Wrong` unless each line of the file ends in one of the expected keys, and each key
    in a line: as it is, as a URI, or below the prefix."""
    prefix = files.key
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    found = {line.rsplit(maxsplit=1)[-1].rsplit(prefix, maxsplit=1)[-1] for line in lines if line.strip()}
    expected = {f"{number % 100:02}/{number:08}" for number in range(files.count)}
    if len(lines) != files.count or found != expected:
        raise Wrong(f"{len(found & expected):,} of {files.count:,} keys in {len(lines):,} lines")


class Store:
    """The server's bucket as plain HTTP shows it."""

    def __init__(self, server):
        self.server, self.local = server, threading.local()
        self.address = urllib.parse.urlsplit(server.endpoint)

    def uploaded(self, files, source):
        """Raises `Wrong` unless the bucket has the objects with the bytes of the files."""
        if files.count == 1:
            size = source.stat().st_size
            pieces = [(files.key, source, start, min(PIECE, size - start)) for start in range(0, size, PIECE)]
        else:
            pieces = [(key, source / name, 0, None) for key, name in zip(files.objects(), files.names())]
        with concurrent.futures.ThreadPoolExecutor(READERS) as readers:
            different = sum(not same for same in readers.map(self.same, pieces))
        if different:
            raise Wrong(f"{different:,} of {len(pieces):,} pieces have other bytes or none")

    def same(self, piece):
        key, path, start, length = piece
        headers = {} if length is None else {"Range": f"bytes={start}-{start + length - 1}"}
        status, body = self.ask("GET", f"/{tools.BUCKET}/{urllib.parse.quote(key)}", headers=headers)
        with open(path, "rb") as file:
            file.seek(start)
            expected = file.read() if length is None else file.read(length)
        return status in (200, 206) and body == expected

    def remove(self, files):
        """Leaves none of the objects there, so that no run is taken for a later one."""
        keys = files.objects()
        for start in range(0, len(keys), 1000):
            objects = "".join(f"<Object><Key>{saxutils.escape(key)}</Key></Object>"
                              for key in keys[start:start + 1000])
            body = f"<Delete><Quiet>true</Quiet>{objects}</Delete>".encode()
            digest = base64.b64encode(hashlib.md5(body).digest()).decode()
            self.must("POST", f"/{tools.BUCKET}?delete", body, {"Content-MD5": digest})

    def make_bucket(self):
        """Makes it, and has the server set up what it sets up for a bucket's first object:
        SeaweedFS takes seconds, which would be counted against whoever runs first."""
        self.must("PUT", f"/{tools.BUCKET}")
        for method in ("PUT", "DELETE"):
            self.must(method, f"/{tools.BUCKET}/first", b"first" if method == "PUT" else None)

    def must(self, method, path, body=None, headers=None):
        status, answer = self.ask(method, path, body, headers)
        if status >= 300:
            raise Wrong(f"{method} {path}: {status} {answer[:300]!r}")

    def ask(self, method, path, body=None, headers=None):
        connection = getattr(self.local, "connection", None)
        if connection is None:
            host, port = self.address.hostname, self.address.port
            tls = self.server.tls()
            connection = (http.client.HTTPSConnection(host, port, context=tls, timeout=120) if tls
                          else http.client.HTTPConnection(host, port, timeout=120))
            self.local.connection = connection
        try:
            connection.request(method, path, body, headers or {})
            reply = connection.getresponse()
            return reply.status, reply.read()
        except (OSError, http.client.HTTPException):
            self.local.connection = None
            connection.close()
            raise
