"""A service whose every word is kept, those who use it, and the sheet of what held which attempt."""

import hmac
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import time
import urllib.parse

import boto3
import requests
from botocore.config import Config
from botocore.handlers import add_expect_header

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "stores"))
from media import png  # noqa: E402
from service import Service, program, unpadded  # noqa: E402

HONEST, HOSTILE = "ada", "mallory"
STAGING = os.environ.get("LOADLOCK_STORE_STAGING_BUCKET", "")
FINAL = os.environ.get("LOADLOCK_STORE_FINAL_BUCKET", "")
ENDPOINT = os.environ.get("LOADLOCK_STORE_ENDPOINT", "")
MIB = 2**20
# What the store says to a request that it does not take.
REFUSALS = (400, 401, 403, 404, 405, 409, 411, 412, 413, 416, 501)

# Beside those of e2e/stores: whatever bytes there are, and grants that end soon.
PROFILES = """
[profiles.raw]
types = ["*/*"]
max_size = "1 GiB"

[profiles.claimed]
types = ["*/*"]
max_size = "1 GiB"
promote = "on_claim"

[profiles.brief]
types = ["*/*"]
max_size = "1 GiB"
lifetimes.grant = "5 seconds"

[profiles.linked]
types = ["image/png"]
max_size = "1 MiB"
read = "signed"

[profiles.closed]
types = ["image/png"]
max_size = "1 MiB"
"""

# Where the store hands out keys for a while.
KEYED = """
[profiles.keyed]
types = ["image/png"]
max_size = "1 MiB"
max_files = 100
methods = ["put", "credentials"]
"""
HAS_KEYS = "LOADLOCK_CREDENTIALS_VIA" in os.environ


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def put(grant, data, url=None, **headers):
    """A PUT as the grant has it, or with other headers and at another address."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.put(url or grant["url"], data=data, headers=grant["headers"] | headers, timeout=60)


def post(grant, data, name="file", **fields):
    """A form as the grant has it, with other fields before the file."""
    fields = grant["fields"] | {name.replace("_", "-"): value for name, value in fields.items()}
    return requests.post(grant["url"], data=fields, files={"file": (name, data)}, timeout=60, allow_redirects=False)


def boundaried(parts, boundary=b"x7q"):
    """A form written by hand: heads and contents as they are."""
    return b"".join(b"--%s\r\n%s\r\n\r\n%s\r\n" % (boundary, head, content) for head, content in parts) + b"--%s--\r\n" % boundary


def raw(url, request, then=None):
    """Sends bytes as they are, and perhaps no more; the status, or 0 where the other side only hangs up, and all that it said."""
    place = urllib.parse.urlsplit(url)
    said = b""
    with socket.create_connection((place.hostname, place.port), timeout=30) as connection:
        try:
            connection.sendall(request)
            if then == "hang up":
                connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65536):
                said += piece
        except (ConnectionError, BrokenPipeError):
            pass
    status = re.match(rb"HTTP/1\.1 (\d{3})", said)
    return (int(status[1]) if status else 0), said


def target(url):
    place = urllib.parse.urlsplit(url)
    return f"{place.path}?{place.query}" if place.query else place.path


def code(answer):
    """What an S3 error says it is."""
    found = re.search(r"<Code>(\w+)</Code>", answer.text)
    return found[1] if found else ""


class Gate(Service):
    def __init__(self, directory):
        super().__init__(directory)
        self.log = directory / "log"
        self.configuration.write_text(self.configuration.read_text() + PROFILES + (KEYED if HAS_KEYS else ""))
        self.seeds = iter(range(1, 2**16))
        # What may be a file in the end, by id, and what no log may say.
        self.files, self.secrets = {}, {self.key, self.user_secret}
        self.tokens = {owner: self.user_token(owner) for owner in (HONEST, HOSTILE)}
        self.secrets.update(self.tokens.values())

    def start(self):
        line = [program(), "serve", "--config", str(self.configuration), "--json"]
        environment = os.environ | {"LOADLOCK_LOG": "trace"}
        self.process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=self.log.open("wb"), env=environment)
        assert self.process.stdout.readline(), self.log.read_text()

    def picture(self):
        return png(next(self.seeds))

    def call(self, method, path, body=None, token=None, headers=(), **more):
        """As the hostile user, unless a token of another is given; `token=""` is nobody."""
        token = self.tokens[HOSTILE] if token is None else token
        headers = dict(headers) | ({"authorization": f"Bearer {token}"} if token else {})
        answer = requests.request(
            method, self.url + path, json=body, headers=headers, timeout=60, allow_redirects=False, **more
        )
        assert answer.status_code != 500, answer.text
        for secret in self.secrets - set(self.grants_of(answer)):
            assert secret not in answer.text, "an answer says what only a grant may"
        return answer

    def grants_of(self, answer):
        """The secrets of the grants in an answer; from now on nothing else may say them."""
        if answer.request.path_url.startswith("/v1/credentials"):
            return self.keys_of(answer)
        found = set(re.findall(r"/in/[0-9a-f]+/\w{26}-([\w-]{22})", answer.text))
        found |= set(re.findall(r"in/[0-9a-f]+/\w{26}-([\w-]{22})", answer.text))
        found |= set(re.findall(r"X-Amz-Signature=([0-9a-f]{64})", answer.text))
        found |= set(re.findall(r"\bllt_[\w-]+", answer.text))
        if answer.request.path_url in ("/v1/uploads", "/upload_url") or answer.request.path_url.endswith("/parts"):
            self.secrets |= found
            return found
        # A display URL is signed as well, and its holder's. The keys of staging are in no other answer.
        return {one for one in found if re.fullmatch(r"[0-9a-f]{64}", one)}

    def keys_of(self, answer):
        """The same of temporary keys; the place where they write is their holder's as well."""
        found = set(re.findall(r"cred/[0-9a-f]+/\w{26}-([\w-]{22})", answer.text))
        if answer.status_code == 201:
            keys = answer.json()
            found |= {keys["secret_access_key"], keys["session_token"]}
            self.secrets |= found
        return found

    def begin(self, profile, data, content_type="image/png", owner=HOSTILE, **more):
        wish = {"profile": profile, "filename": "a.png", "content_type": content_type, "size": len(data)} | more
        answer = self.call("POST", "/v1/uploads", wish, token=self.tokens[owner])
        assert answer.status_code == 201, answer.text
        return answer.json() | {"owner": owner, "data": data}

    def vend(self, owner=HOSTILE):
        """Keys for a while, with a client that uses them."""
        answer = self.call("POST", "/v1/credentials", {"profile": "keyed", "lifetime": 900}, token=self.tokens[owner])
        assert answer.status_code == 201, answer.text
        keys = answer.json() | {"owner": owner}
        return keys | {"s3": client("s3", keys)}

    def sent(self, keys, expected=()):
        """What has become of all that was sent with keys, by its name; what is a file has the bytes that are expected there."""
        path, token = f"/v1/credentials/{keys['id']}/complete", self.tokens[keys["owner"]]
        uploads = [{"state": "issued"}]
        while any(upload["state"] in ("issued", "received") for upload in uploads):
            answer = self.call("POST", path, {}, token=token)
            assert answer.status_code == 200, answer.text
            uploads = answer.json()["uploads"]
        found = {}
        for upload in uploads:
            name = upload["key"].removeprefix(keys["prefix"])
            found[name] = upload["state"], upload.get("reason", {}).get("code")
            if upload["state"] == "stored":
                self.files[upload["id"]] = dict(expected)[name]
                assert self.bytes_of(upload) == self.files[upload["id"]], name
        return found

    def path(self, begun):
        return f"/v1/uploads/{begun['id']}"

    def complete(self, begun):
        """The service's last word."""
        answer = self.call("POST", f"{self.path(begun)}/complete", token=begun["token"])
        while answer.status_code == 202:
            answer = self.call("GET", f"{self.path(begun)}?wait=30", token=begun["token"])
        return answer

    def abort(self, begun):
        self.call("DELETE", self.path(begun), token=begun["token"])

    def look(self, begun):
        return self.call("GET", self.path(begun), token=self.key).json()

    def stored(self, begun, data=None):
        """Completes and, where the profile wants it, claims; from then on it may be a file, with these bytes."""
        answer = self.complete(begun)
        assert answer.status_code == 200, answer.text
        self.files[begun["id"]] = begun["data"] if data is None else data
        if answer.json()["state"] == "ready":
            body = {"ids": [begun["id"]], "owner": begun["owner"]}
            answer = self.call("POST", "/v1/uploads/claim", body, token=self.key)
            assert answer.status_code == 200, answer.text
        assert self.bytes_of(begun) == self.files[begun["id"]]
        return begun

    def victim(self, profile="closed"):
        """A file of the honest user's, with bytes of its own."""
        data = self.picture()
        begun = self.begin(profile, data, owner=HONEST)
        assert put(begun["grant"], data).status_code == 200
        return self.stored(begun)

    def display(self, begun):
        file = self.call("GET", f"/v1/files/{begun['id']}", token=self.key)
        assert file.status_code == 200, file.text
        return file.json()["url"]

    def bytes_of(self, begun):
        answer = requests.get(self.display(begun), timeout=60)
        assert answer.status_code == 200, answer.text
        for name in ("content-encoding", "set-cookie", "x-amz-website-redirect-location", "x-amz-tagging-count", "expires"):
            assert name not in answer.headers, name
        return answer.content

    def forged(self, header, claims, secret=None):
        """A JWT as somebody else would make it."""
        claims = {"sub": HONEST, "aud": "loadlock", "exp": int(time.time()) + 3600} | claims
        claims = {name: value for name, value in claims.items() if value is not None}
        signed = b".".join(unpadded(json.dumps(part).encode()) for part in (header, claims))
        key = self.user_secret.encode() if secret is None else secret
        return (signed + b"." + unpadded(hmac.digest(key, signed, "sha256") if key else b"")).decode()


class Attempt:
    """One test: what it tried, and what held it."""

    def __init__(self, gate, row):
        self.gate, self.row = gate, row

    def held(self, by):
        self.row["held"].add(by)

    def store(self, answer, what=""):
        """The store refuses."""
        assert answer.status_code in REFUSALS, f"{what}: the store took it ({answer.status_code})"
        self.held(f"store {answer.status_code} {code(answer)}".strip())

    def service(self, answer, status, kind, what=""):
        """The service refuses, in its own words."""
        assert answer.status_code == status, f"{what}: {answer.status_code} {answer.text[:500]}"
        assert answer.json()["error"]["code"] == kind, f"{what}: {answer.text[:500]}"
        self.held(f"API {status} {kind}")

    def inspection(self, begun, reason=None):
        """Inspection rejects."""
        answer = self.gate.complete(begun)
        assert answer.status_code == 422, answer.text
        error = answer.json()["error"]
        assert error["code"] == "rejected"
        assert reason in (None, error["details"]["reason"]), error
        self.held(f"inspection {error['details']['reason']}")
        assert self.gate.look(begun)["state"] == "rejected"
        assert self.gate.call("GET", f"/v1/files/{begun['id']}", token=self.gate.key).status_code == 404

    def come_to(self, begun, answer, what=""):
        """Whatever the store says to it: what was granted becomes a file, or nothing does."""
        if answer.status_code not in (200, 201, 204, 303):
            self.store(answer, what)
            return self.gate.abort(begun)
        completed = self.gate.complete(begun)
        if completed.status_code == 200:
            self.gate.stored(begun)
            return self.held("without effect")
        if completed.status_code == 409:
            assert completed.json()["error"]["code"] == "not_received", what
            self.held("API 409 not_received")
            return self.gate.abort(begun)
        return self.inspection(begun)


def client(service, keys):
    """The keys of a session in the hands of boto3, which tries everything once."""
    more = {"signature_version": "s3v4", "s3": {"addressing_style": "path"}} if service == "s3" else {}
    made = boto3.client(
        service,
        endpoint_url=ENDPOINT,
        region_name=os.environ["LOADLOCK_STORE_REGION"],
        aws_access_key_id=keys["access_key_id"],
        aws_secret_access_key=keys["secret_access_key"],
        aws_session_token=keys.get("session_token"),
        config=Config(retries={"total_max_attempts": 1}, request_checksum_calculation="when_required", **more),
    )
    # Ceph answers twice to a request that it refuses before its body.
    made.meta.events.unregister("before-call.s3", add_expect_header)
    return made


def operator():
    return client(
        "s3",
        {
            "access_key_id": os.environ["OPERATOR_ACCESS_KEY_ID"],
            "secret_access_key": os.environ["OPERATOR_SECRET_ACCESS_KEY"],
        },
    )
