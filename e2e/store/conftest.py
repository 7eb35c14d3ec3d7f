"""A running store and foreign clients for it: every signature in these tests is botocore's."""

import json
import os
import pathlib
import signal
import subprocess
import uuid

import boto3
import pytest
from botocore.config import Config

ROOT = pathlib.Path(__file__).resolve().parents[2]
REGION = "eu-central-1"
STAGING, FINAL = "staging", "final"


def statement(effect, actions, resource, **more):
    return {"Effect": effect, "Action": actions, "Resource": resource, **more}


def document(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


def identity(name, policy):
    return {"name": name, "access_key": f"AK{name.upper()}", "secret": f"secret-of-{name}", "policy": policy}


IDENTITIES = [
    identity("admin", document(statement("Allow", "s3:*", "*"))),
    identity(
        "uploader",
        document(
            statement("Allow", "s3:PutObject", f"arn:aws:s3:::{STAGING}/in/*"),
            statement("Deny", ["s3:Get*", "s3:List*", "s3:Delete*", "s3:PutObjectAcl", "s3:PutObjectTagging"], "*"),
            statement(
                "Deny", "s3:PutObject", "*",
                Condition={"StringNotEquals": {"s3:x-amz-storage-class": "STANDARD"},
                           "Null": {"s3:x-amz-storage-class": "false"}},
            ),
            statement(
                "Deny", "s3:PutObject", "*",
                Condition={"Null": {"s3:x-amz-server-side-encryption-customer-algorithm": "false"}},
            ),
        ),
    ),
    identity("reader", document(statement("Allow", "s3:GetObject", f"arn:aws:s3:::{FINAL}/*"))),
]

CORS = [
    {
        "AllowedOrigin": ["http://127.0.0.1:*", "http://localhost:*"],
        "AllowedMethod": ["PUT", "POST"],
        "AllowedHeader": ["content-type", "content-md5", "if-none-match", "x-amz-*"],
        "ExposeHeader": ["ETag"],
        "MaxAgeSeconds": 600,
    }
]


def command():
    binary = os.environ.get("LOADLOCK_STORE_BIN")
    if binary:
        return [binary]
    built = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug/examples/serve"
    return [str(built)] if built.exists() else ["cargo", "run", "-q", "--example", "serve", "-p", "loadlock-store", "--"]


class Server:
    """The store as a process of its own; it can be killed and started again on the same directory."""

    def __init__(self, directory):
        self.directory = directory
        self.settings = directory / "settings.json"
        buckets = [{"name": STAGING, "cors": CORS}, {"name": FINAL}]
        self.settings.write_text(json.dumps({"region": REGION, "identities": IDENTITIES, "buckets": buckets}))
        self.start()

    def start(self):
        arguments = [*command(), str(self.directory / "data"), str(self.settings)]
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, cwd=ROOT)
        self.port = json.loads(self.process.stdout.readline())["port"]
        self.url = f"http://127.0.0.1:{self.port}"

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        return self.process.wait(timeout=30)

    def client(self, name, **config):
        person = next(person for person in IDENTITIES if person["name"] == name)
        settings = Config(signature_version="s3v4", s3={"addressing_style": "path"}, retries={"max_attempts": 1}, **config)
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=person["access_key"],
            aws_secret_access_key=person["secret"],
            config=settings,
        )


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("store"))
    yield server
    assert server.stop() == 0, "the store did not stop cleanly"


@pytest.fixture(scope="session")
def admin(server):
    return server.client("admin")


@pytest.fixture(scope="session")
def uploader(server):
    return server.client("uploader")


@pytest.fixture(scope="session")
def reader(server):
    return server.client("reader")


@pytest.fixture
def key():
    """A key that no other test uses."""
    return f"in/{uuid.uuid4()}"
