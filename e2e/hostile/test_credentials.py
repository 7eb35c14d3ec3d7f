"""The holder of temporary keys, who signs whatever they like."""

import io
import json
import os

import pytest
import requests
from botocore.exceptions import ClientError

from gate import ENDPOINT, FINAL, HONEST, MIB, STAGING, client, put, target

# A role for more than the session's is asked for.
ANYTHING = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
ROLE = os.environ.get("LOADLOCK_CREDENTIALS_ROLE_ARN", "")
EVERYBODY = 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'


class Said:
    """An answer of the store, as the other attempts have it."""

    def __init__(self, status, code="", said=None):
        self.status_code, self.said = status, said
        self.text = f"<Code>{code}</Code>" if not code.isdigit() else ""


def refusal(error):
    # Some answers of a token service say no more than a status.
    return Said(error.response["ResponseMetadata"]["HTTPStatusCode"], error.response.get("Error", {}).get("Code", ""))


def ask(s3, name, **inputs):
    """What the store says; an answer without an error is a 200."""
    try:
        answer = getattr(s3, name)(**inputs)
        return Said(answer["ResponseMetadata"]["HTTPStatusCode"], said=answer)
    except ClientError as error:
        return refusal(error)


def send(keys, name, data, **headers):
    answer = ask(keys["s3"], "put_object", Bucket=STAGING, Key=keys["prefix"] + name, Body=data, **headers)
    assert answer.status_code == 200, answer.text


def finish(keys, key, id, data):
    """Sends the one part of an upload in parts, and completes it."""
    place = {"Bucket": STAGING, "Key": key, "UploadId": id}
    etag = keys["s3"].upload_part(**place, PartNumber=1, Body=data)["ETag"]
    keys["s3"].complete_multipart_upload(**place, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})


@pytest.fixture
def other(gate, keys):
    """Somebody else's keys, with which they have sent something."""
    other = gate.vend(HONEST) | {"expected": {"theirs.png": gate.picture()}}
    send(other, "theirs.png", other["expected"]["theirs.png"])
    yield other
    assert gate.sent(other, other["expected"]) == dict.fromkeys(other["expected"], ("stored", None))


@pytest.fixture
def sources(gate, keys, victim, other):
    """Objects of others: a file, what a grant's holder has sent, what is inspected, what was sent with other keys."""
    sent = gate.begin("claimed", gate.picture(), owner=HONEST)
    assert put(sent["grant"], sent["data"]).status_code == 200
    yield [
        target(gate.display(victim)).partition("?")[0],
        target(sent["grant"]["url"]).partition("?")[0],
        f"/{STAGING}/held/{sent['id']}/1",
        f"/{STAGING}/{other['prefix']}theirs.png",
    ]
    gate.stored(sent)


def test_writing_elsewhere(gate, attempt, keys, other, victim):
    """Keys: writing, whole or in parts, below another's prefix, where grants write, in `held/` and `quarantine/`, over a file"""
    stored = target(gate.display(victim)).partition("?")[0].removeprefix(f"/{FINAL}/")
    places = [(STAGING, other["prefix"] + "theirs.png"), (STAGING, other["prefix"] + "more.png"), (FINAL, keys["prefix"] + "a"), (FINAL, stored)]
    names = ["in/a", "held/a", "quarantine/a", "cred/a", keys["prefix"].rstrip("/"), keys["prefix"].rstrip("/") + "x/a"]
    for bucket, key in places + [(STAGING, name) for name in names]:
        for name, more in (("put_object", {"Body": b"x"}), ("create_multipart_upload", {})):
            attempt.store(ask(keys["s3"], name, Bucket=bucket, Key=key, **more), f"{name} {key}")
    assert gate.bytes_of(victim) == victim["data"]


def test_reading(gate, attempt, keys, other, sources):
    """Keys: reading, listing and looking at one's own objects and others', their ACLs, tags, parts and the bucket's settings"""
    send(keys, "own.png", data := gate.picture())
    own = f"/{STAGING}/{keys['prefix']}own.png"
    for source in [own, *sources]:
        bucket, key = source.lstrip("/").split("/", 1)
        for name in ("get_object", "head_object", "get_object_acl", "get_object_tagging"):
            attempt.store(ask(keys["s3"], name, Bucket=bucket, Key=key), f"{name} {key}")
    for bucket in (STAGING, FINAL):
        for name in ("list_objects", "list_objects_v2", "list_object_versions", "list_multipart_uploads"):
            for prefix in (keys["prefix"], other["prefix"], "", "in/"):
                attempt.store(ask(keys["s3"], name, Bucket=bucket, Prefix=prefix), f"{name} {prefix}")
        for name in ("head_bucket", "get_bucket_cors", "get_bucket_policy", "get_bucket_acl", "get_bucket_lifecycle_configuration"):
            attempt.store(ask(keys["s3"], name, Bucket=bucket), name)
    assert gate.sent(keys, {"own.png": data}) == {"own.png": ("stored", None)}


def test_deleting(gate, attempt, keys, sources):
    """Keys: deleting one's own objects and others', one or many, and the bucket"""
    send(keys, "own.png", data := gate.picture())
    for source in [f"/{STAGING}/{keys['prefix']}own.png", *sources]:
        bucket, key = source.lstrip("/").split("/", 1)
        attempt.store(ask(keys["s3"], "delete_object", Bucket=bucket, Key=key), key)
        many = {"Objects": [{"Key": key}]}
        try:
            answer = keys["s3"].delete_objects(Bucket=bucket, Delete=many)
            assert not answer.get("Deleted") and answer["Errors"][0]["Code"] == "AccessDenied", answer
            attempt.held("store 403 AccessDenied")
        except ClientError as error:
            attempt.store(refusal(error))
    attempt.store(ask(keys["s3"], "delete_bucket", Bucket=STAGING))
    assert gate.sent(keys, {"own.png": data}) == {"own.png": ("stored", None)}


def test_changing_the_bucket(attempt, keys):
    """Keys: changing the bucket's CORS, policy, ACL, lifecycle, versions and access block; making a bucket"""
    rule = {"AllowedOrigins": ["*"], "AllowedMethods": ["GET"]}
    expire = {"ID": "a", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}
    public = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{STAGING}/*"}]}
    opened = {"BlockPublicAcls": False, "IgnorePublicAcls": False, "BlockPublicPolicy": False, "RestrictPublicBuckets": False}
    for name, more in (
        ("put_bucket_cors", {"CORSConfiguration": {"CORSRules": [rule]}}),
        ("put_bucket_policy", {"Policy": json.dumps(public)}),
        ("put_bucket_acl", {"ACL": "public-read"}),
        ("put_bucket_lifecycle_configuration", {"LifecycleConfiguration": {"Rules": [expire]}}),
        ("put_bucket_versioning", {"VersioningConfiguration": {"Status": "Enabled"}}),
        ("put_public_access_block", {"PublicAccessBlockConfiguration": opened}),
        ("delete_bucket_policy", {}),
        ("delete_bucket_cors", {}),
    ):
        attempt.store(ask(keys["s3"], name, Bucket=STAGING, **more), name)
    attempt.store(ask(keys["s3"], "create_bucket", Bucket="mallorys-own"), "create_bucket")


def test_copying(attempt, keys, sources):
    """Keys: a copy of another's file, of what another sends by a grant or by keys, of what is inspected, of one's own"""
    for source in [*sources, f"/{STAGING}/{keys['prefix']}own.png"]:
        copy = {"Bucket": STAGING, "Key": keys["prefix"] + "copy.png", "CopySource": source.lstrip("/")}
        attempt.store(ask(keys["s3"], "copy_object", **copy), source)


def test_copying_a_part(gate, attempt, keys, sources):
    """Keys: a part copied from another's file, from what another sends by a grant or by keys, from what is inspected"""
    place = {"Bucket": STAGING, "Key": keys["prefix"] + "copy.png"}
    id = keys["s3"].create_multipart_upload(**place)["UploadId"]
    for source in sources:
        for more in ({}, {"CopySourceRange": "bytes=0-9"}):
            copy = {"UploadId": id, "PartNumber": 1, "CopySource": source.lstrip("/")} | more
            attempt.store(ask(keys["s3"], "upload_part_copy", **place, **copy), source)
    assert ask(keys["s3"], "abort_multipart_upload", **place, UploadId=id).status_code == 204
    assert gate.sent(keys) == {}


def test_tags_and_other_headers(gate, attempt, keys):
    """Keys: with tags, a storage class, a redirect, locks, keys of one's own, metadata and headers for browsers"""
    customer = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"k" * 32}
    added = {
        "tags": {"Tagging": "a=b"},
        "class": {"StorageClass": "REDUCED_REDUNDANCY"},
        "redirect": {"WebsiteRedirectLocation": "https://example.com/"},
        "lock": {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": "2099-01-01T00:00:00Z"},
        "hold": {"ObjectLockLegalHoldStatus": "ON"},
        "customer": customer,
        "metadata": {"Metadata": {"a": "b"}},
        "encoding": {"ContentEncoding": "gzip"},
        "disposition": {"ContentDisposition": "attachment"},
    }
    data, taken = gate.picture(), []
    for name, headers in added.items():
        for way, send_it in (("whole", "put_object"), ("parts", "create_multipart_upload")):
            key = f"{keys['prefix']}{name}-{way}.png"
            body = {"Body": data} if way == "whole" else {}
            answer = ask(keys["s3"], send_it, Bucket=STAGING, Key=key, **body, **headers)
            if answer.status_code != 200:
                attempt.store(answer, name)
                continue
            if way == "parts" and name != "customer":
                finish(keys, key, answer.said["UploadId"], data)
            taken.append(f"{name}-{way}.png")
    found = gate.sent(keys, dict.fromkeys(taken, data))
    assert set(found) == set(taken)
    for name, (state, reason) in found.items():
        # What a store takes and forgets is no harm: the file has no such headers.
        assert state == "stored" or reason == "unexpected_headers", name
        attempt.held("without effect" if state == "stored" else f"inspection {reason}")


def test_making_public(gate, attempt, keys):
    """Keys: with an ACL or grants, at once or afterwards; tags afterwards"""
    data = gate.picture()
    place = {"Bucket": STAGING, "Key": keys["prefix"] + "a.png"}
    for acl in ({"ACL": "public-read"}, {"ACL": "public-read-write"}, {"GrantRead": EVERYBODY}, {"GrantFullControl": EVERYBODY}):
        attempt.store(ask(keys["s3"], "put_object", **place, Body=data, **acl), acl)
        answer = ask(keys["s3"], "create_multipart_upload", **place, **acl)
        if answer.status_code == 200:
            finish(keys, place["Key"], answer.said["UploadId"], data)
            attempt.store(requests.get(f"{ENDPOINT}/{STAGING}/{place['Key']}", timeout=60), "anybody can read it")
        else:
            attempt.store(answer, acl)
    send(keys, "a.png", data)
    attempt.store(ask(keys["s3"], "put_object_acl", **place, ACL="public-read"))
    attempt.store(ask(keys["s3"], "put_object_tagging", **place, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]}))
    attempt.store(requests.get(f"{ENDPOINT}/{STAGING}/{place['Key']}", timeout=60))
    assert gate.sent(keys, {"a.png": data}) == {"a.png": ("stored", None)}


def test_anothers_parts(gate, attempt, keys, other):
    """Keys: sending, listing, completing and giving up another's parts, by their own upload id"""
    theirs = {"Bucket": STAGING, "Key": other["prefix"] + "parts.png"}
    data = gate.picture()
    id = other["s3"].create_multipart_upload(**theirs)["UploadId"]
    etag = other["s3"].upload_part(**theirs, UploadId=id, PartNumber=1, Body=data)["ETag"]
    whole = {"MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": etag}]}}
    mine = theirs | {"Key": keys["prefix"] + "parts.png"}
    for place in (theirs, mine):
        for name, more in (
            ("upload_part", {"PartNumber": 1, "Body": b"x"}),
            ("list_parts", {}),
            ("complete_multipart_upload", whole),
            ("abort_multipart_upload", {}),
        ):
            answer = ask(keys["s3"], name, **place, UploadId=id, **more)
            if answer.status_code == 500:
                # Ceph's way to refuse a completion: what its holder sent is whole below.
                attempt.held("store 500")
            else:
                attempt.store(answer, f"{name} {place['Key']}")
    assert ask(other["s3"], "complete_multipart_upload", **theirs, UploadId=id, **whole).status_code == 200
    other["expected"]["parts.png"] = data
    assert gate.sent(keys) == {}


def test_bent_keys(gate, attempt, keys, other, sources):
    """Keys: the token bent, cut, left out, another's, or with more behind it; another secret"""
    token = keys["session_token"]
    middle = len(token) // 2
    flipped = token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1 :]
    for bent in (
        {"session_token": flipped},
        {"session_token": token[: middle // 4 * 4]},
        {"session_token": token + "AAAA"},
        {"session_token": other["session_token"]},
        {"session_token": None},
        {"secret_access_key": other["secret_access_key"]},
        {"access_key_id": other["access_key_id"]},
        {"access_key_id": os.environ["LOADLOCK_STORE_UPLOADER_ACCESS_KEY_ID"]},
    ):
        s3 = client("s3", keys | bent)
        answer = ask(s3, "put_object", Bucket=STAGING, Key=keys["prefix"] + "a", Body=b"x")
        if answer.status_code != 200:
            attempt.store(answer, list(bent))
            continue
        # A store that seals no tokens has lost the session's policy by then. The role's is left, and that nobody knows another's prefix.
        attempt.held("the role's policy, a prefix that nobody knows")
        for source in sources:
            bucket, key = source.lstrip("/").split("/", 1)
            for name in ("get_object", "head_object", "delete_object"):
                attempt.store(ask(s3, name, Bucket=bucket, Key=key), f"{name} {key}")
            copy = {"Bucket": STAGING, "Key": keys["prefix"] + "copy", "CopySource": source.lstrip("/")}
            attempt.store(ask(s3, "copy_object", **copy), source)
        for bucket, key in ((STAGING, "in/a"), (STAGING, "held/a"), (STAGING, "quarantine/a"), (FINAL, "a")):
            attempt.store(ask(s3, "put_object", Bucket=bucket, Key=key, Body=b"x"), key)
        known = other["prefix"][: other["prefix"].index(other["id"]) + len(other["id"])]
        ask(s3, "put_object", Bucket=STAGING, Key=f"{known}-{'A' * 22}/theirs.png", Body=b"x")
    assert {state for state, _ in gate.sent(keys).values()} <= {"rejected"}


def test_wider_keys(attempt, keys):
    """Keys: used to get others: the role again, with a wider policy, for longer; a token of one's own; the role's policy changed"""
    sts = client("sts", keys)
    role = {"RoleArn": ROLE, "RoleSessionName": "wider"}
    for name, more in (
        ("assume_role", role),
        ("assume_role", role | {"Policy": ANYTHING}),
        ("assume_role", role | {"DurationSeconds": 43200}),
        ("get_session_token", {}),
        ("get_federation_token", {"Name": "wider", "Policy": ANYTHING}),
        ("assume_role_with_web_identity", role | {"WebIdentityToken": "e30.e30.", "Policy": ANYTHING}),
    ):
        attempt.store(ask(sts, name, **more), name)
    iam = client("iam", keys)
    policy = {"PolicyName": "loadlock", "PolicyDocument": ANYTHING}
    attempt.store(ask(iam, "put_role_policy", RoleName="uploads", **policy))
    attempt.store(ask(iam, "put_user_policy", UserName="uploader", **policy))


def test_content_and_names(gate, attempt, keys):
    """Keys: a page as a picture, too large a file, nothing at all; names that are paths or mean harm"""
    sound = {name: gate.picture() for name in ("../../../in/a.png", "..", "a//b.png", "<img src=x>.png", "a\u202egnp.png", "x" * 300 + ".png")}
    wrong = {"page.png": b"<!doctype html><script>alert(1)</script>", "large.png": gate.picture() + bytes(MIB), "empty.png": b""}
    for name, data in (sound | wrong).items():
        answer = ask(keys["s3"], "put_object", Bucket=STAGING, Key=keys["prefix"] + name, Body=data)
        if answer.status_code != 200:
            attempt.store(answer, name)
    found = gate.sent(keys, sound)
    for name, (state, reason) in found.items():
        if name in sound:
            assert state == "stored", (name, reason)
            attempt.held("key of its own")
        else:
            assert state == "rejected", name
            attempt.held(f"inspection {reason}")
    assert set(wrong) <= set(found)


def test_writing_again(gate, attempt, keys):
    """Keys: the same key written again after inspection"""
    send(keys, "a.png", data := gate.picture())
    assert gate.sent(keys, {"a.png": data}) == {"a.png": ("stored", None)}
    send(keys, "a.png", b"<!doctype html><script>alert(1)</script>")
    assert gate.sent(keys, {"a.png": data}) == {"a.png": ("stored", None)}
    attempt.held("copy in held/")


def test_anothers_session(gate, attempt, keys, other):
    """Another user: says what was sent with keys that are not theirs, and with their own at places that are not"""
    path = f"/v1/credentials/{other['id']}/complete"
    attempt.service(gate.call("POST", path, {}), 404, "not_found")
    attempt.service(gate.call("POST", path, {}, token=""), 401, "unauthenticated")
    own = f"/v1/credentials/{keys['id']}/complete"
    for key in (other["prefix"] + "theirs.png", "in/a", "", keys["prefix"].rstrip("/")):
        answer = gate.call("POST", own, {"keys": [key]})
        attempt.service(answer, 400, "invalid_request", key)


def test_presigned(gate, attempt, keys, victim):
    """Keys: in URLs and forms of one's own making, for others to use"""
    s3 = keys["s3"]
    stored = target(gate.display(victim)).partition("?")[0].removeprefix(f"/{FINAL}/")
    read = s3.generate_presigned_url("get_object", {"Bucket": FINAL, "Key": stored})
    attempt.store(requests.get(read, timeout=60))
    write = s3.generate_presigned_url("put_object", {"Bucket": STAGING, "Key": "in/a"})
    attempt.store(requests.put(write, data=b"x", timeout=60))
    form = s3.generate_presigned_post(STAGING, "in/a")
    attempt.store(requests.post(form["url"], data=form["fields"], files={"file": io.BytesIO(b"x")}, timeout=60))
