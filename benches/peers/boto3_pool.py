"""What many people have instead of a tool: boto3 and a ThreadPoolExecutor.

    boto3_pool.py up|down|list LOCAL BUCKET KEY-OR-PREFIX [FILE-OF-NAMES]
"""

import concurrent.futures
import pathlib
import sys

import boto3
from botocore.config import Config

WORKERS = 32


def main():
    what, local, bucket, key, *names = sys.argv[1:]
    client = boto3.client("s3", config=Config(max_pool_connections=WORKERS))
    local = pathlib.Path(local)
    if what == "list":
        for found in objects(client, bucket, key):
            print(found)
        return
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        moves = list(pairs(client, what, local, bucket, key, names))
        if what == "up":
            done = [pool.submit(client.upload_file, str(path), bucket, name) for path, name in moves]
        else:
            for folder in {path.parent for path, _ in moves}:
                folder.mkdir(parents=True, exist_ok=True)
            done = [pool.submit(client.download_file, bucket, name, str(path)) for path, name in moves]
        for one in done:
            one.result()


def pairs(client, what, local, bucket, key, names):
    """Every (path, key) to move."""
    if not key.endswith("/"):
        yield local, key
    elif what == "up":
        for path in local.rglob("*"):
            if path.is_file():
                yield path, key + path.relative_to(local).as_posix()
    elif names:
        for name in pathlib.Path(names[0]).read_text(encoding="utf-8").splitlines():
            yield local / name, key + name
    else:
        for found in objects(client, bucket, key):
            yield local / found[len(key):], found


def objects(client, bucket, prefix):
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for found in page.get("Contents", []):
            yield found["Key"]


if __name__ == "__main__":
    main()
