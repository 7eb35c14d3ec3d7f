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
    identity("admin", document(statement("Allow", ["s3:*", "sts:AssumeRole"], "*"))),
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
    identity("copier", document(statement("Allow", ["s3:GetObject", "s3:PutObject"], f"arn:aws:s3:::{FINAL}/*"))),
]

ROLE = "arn:aws:iam::000000000000:role/uploads"
ROLES = [
    {
        "name": "uploads",
        "policy": document(
            statement("Allow", ["s3:PutObject", "s3:AbortMultipartUpload"], f"arn:aws:s3:::{STAGING}/cred/*"),
            statement("Deny", "s3:PutObject", f"arn:aws:s3:::{STAGING}/cred/*",
                      Condition={"StringLike": {"s3:x-amz-storage-class": "?*"}}),
        ),
    }
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
        self.settings.write_text(json.dumps({"region": REGION, "identities": IDENTITIES, "roles": ROLES, "buckets": buckets}))
        self.start()

    def start(self):
        arguments = [*command(), str(self.directory / "data"), str(self.settings)]
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, cwd=ROOT)
        self.port = json.loads(self.process.stdout.readline())["port"]
        self.url = f"http://127.0.0.1:{self.port}"

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        return self.process.wait(timeout=30)

    def client(self, name, service="s3", **config):
        person = next(person for person in IDENTITIES if person["name"] == name)
        return self.client_of(service, **config, aws_access_key_id=person["access_key"], aws_secret_access_key=person["secret"])

    def assume(self, **more):
        """Somebody in the role `uploads`."""
        keys = self.client("admin", "sts").assume_role(RoleArn=ROLE, RoleSessionName="ann", **more)["Credentials"]
        return self.client_of(
            "s3",
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
        )

    def client_of(self, service, **arguments):
        keys = {name: arguments.pop(name) for name in list(arguments) if name.startswith("aws_")}
        settings = Config(signature_version="s3v4", s3={"addressing_style": "path"}, retries={"max_attempts": 1}, **arguments)
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            config=settings,
            **keys,
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
