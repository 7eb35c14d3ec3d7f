"""HTTP by hand: signed by botocore, sent as it is, for what a client library would not send."""

import base64
import hashlib
import socket
import xml.etree.ElementTree as ElementTree

import requests
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from conftest import IDENTITIES, REGION

UNSIGNED = "UNSIGNED-PAYLOAD"


def credentials(name):
    person = next(person for person in IDENTITIES if person["name"] == name)
    return Credentials(person["access_key"], person["secret"])


class Signature(S3SigV4Auth):
    """Signs the headers of a request, with the given word for its body."""

    def __init__(self, name, payload):
        super().__init__(credentials(name), "s3", REGION)
        self.word = payload

    def payload(self, request):
        return self.word

    def _should_sha256_sign_payload(self, request):
        return True


def signed(server, name, method, path, headers=None, payload=UNSIGNED):
    """The headers of a request with a signature in its header."""
    request = AWSRequest(method=method, url=server.url + path, headers=headers or {})
    Signature(name, payload).add_auth(request)
    return dict(request.headers.items())


def presigned(server, name, method, path, headers=None, expires=300, region=REGION):
    """A presigned URL that signs these headers."""
    request = AWSRequest(method=method, url=server.url + path, headers=headers or {})
    S3SigV4QueryAuth(credentials(name), "s3", region, expires=expires).add_auth(request)
    return request.url


def send(server, method, path, name="admin", headers=None, data=b"", payload=None):
    """Signs and sends a request; the answer is not raised on."""
    payload = hashlib.sha256(data).hexdigest() if payload is None else payload
    whole = signed(server, name, method, path, headers, payload)
    return requests.request(method, server.url + path, headers=whole, data=data, timeout=30)


class Raw:
    """A connection on which anything can be said."""

    def __init__(self, server):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        self.host = f"127.0.0.1:{server.port}"

    def head(self, method, path, headers):
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}", *(f"{name}: {value}" for name, value in headers.items())]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())

    def send(self, data):
        self.socket.sendall(data)

    def end(self):
        """Says that nothing more comes; the answer can still be read."""
        self.socket.shutdown(socket.SHUT_WR)

    def answer(self):
        """Everything until the store closes, or until a whole answer with a length is there."""
        data = b""
        while True:
            piece = self.socket.recv(65536)
            data += piece
            head, found, body = data.partition(b"\r\n\r\n")
            if not piece:
                return data.decode("utf-8", "replace")
            if found and not head.startswith(b"HTTP/1.1 100"):
                lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                if lengths and len(body) >= int(lengths[0]):
                    return data.decode("utf-8", "replace")


def code_of(text):
    """The code of an error document."""
    return ElementTree.fromstring(text).findtext("Code")


def refused(call):
    """The code and status with which the store refuses a client's call."""
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    raise AssertionError("it was not refused")


def md5(data):
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def sha256(data):
    return base64.b64encode(hashlib.sha256(data).digest()).decode()
