"""What many people have instead of a tool: boto3 and a ThreadPoolExecutor, for peers.py.

    boto3_pool.py up|down LOCAL BUCKET KEY-OR-PREFIX
"""

import concurrent.futures
import pathlib
import sys

import boto3
from botocore.config import Config

WORKERS = 32


def main():
    direction, local, bucket, key = sys.argv[1:]
    client = boto3.client("s3", config=Config(max_pool_connections=WORKERS))
    local = pathlib.Path(local)
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        moves = list(pairs(client, direction, local, bucket, key))
        if direction == "up":
            done = [pool.submit(client.upload_file, str(path), bucket, name) for path, name in moves]
        else:
            for folder in {path.parent for path, _ in moves}:
                folder.mkdir(parents=True, exist_ok=True)
            done = [pool.submit(client.download_file, bucket, name, str(path)) for path, name in moves]
        for one in done:
            one.result()


def pairs(client, direction, local, bucket, key):
    """Every (path, key) to move."""
    if not key.endswith("/"):
        yield local, key
    elif direction == "up":
        for path in local.rglob("*"):
            if path.is_file():
                yield path, key + path.relative_to(local).as_posix()
    else:
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key):
            for found in page.get("Contents", []):
                yield local / found["Key"][len(key):], found["Key"]


main()
