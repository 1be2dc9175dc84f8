"""boto3's other transfer client, the AWS Common Runtime, the way the AWS CLI version 2 uses it.

    boto3_crt.py up|down LOCAL BUCKET KEY-OR-PREFIX [FILE-OF-NAMES]

Not by `TransferConfig(preferred_transfer_client="crt")`: that takes neither plain HTTP nor a
certificate of one's own. What it would set up is set up here.
"""

import os
import pathlib
import sys

import boto3
from s3transfer.crt import (
    BotocoreCRTCredentialsWrapper,
    BotocoreCRTRequestSerializer,
    CRTTransferManager,
    create_s3_crt_client,
)

sys.dont_write_bytecode = True
from boto3_pool import pairs  # noqa: E402


def main():
    what, local, bucket, key, *names = sys.argv[1:]
    session = boto3.Session()
    moves = list(pairs(session.client("s3"), what, pathlib.Path(local), bucket, key, names))
    with manager(session) as transfers:
        if what == "up":
            done = [transfers.upload(str(path), bucket, name) for path, name in moves]
        else:
            for folder in {path.parent for path, _ in moves}:
                folder.mkdir(parents=True, exist_ok=True)
            done = [transfers.download(bucket, name, str(path)) for path, name in moves]
        for one in done:
            one.result()


def manager(session):
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    credentials = BotocoreCRTCredentialsWrapper(session.get_credentials())
    client = create_s3_crt_client(
        session.region_name,
        credentials.to_crt_credentials_provider(),
        use_ssl=endpoint.startswith("https"),
        verify=os.environ.get("AWS_CA_BUNDLE"),
    )
    place = {"region_name": session.region_name, "endpoint_url": endpoint}
    return CRTTransferManager(client, BotocoreCRTRequestSerializer(session._session, place))


main()
