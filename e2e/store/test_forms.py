"""Browser forms signed by botocore: every condition of the policy holds, and S3's own answers come back."""

import base64
import datetime
import hashlib
import uuid

import pytest
import requests
from botocore.auth import S3SigV4PostAuth
from botocore.awsrequest import AWSRequest

from conftest import FINAL, REGION, STAGING
from wire import code_of, credentials, refused


def form(client, key, conditions=(), fields=None, expires=300, bucket=STAGING):
    """What boto3 makes of it."""
    fields = dict(fields or {})
    exact = [{name: value} for name, value in fields.items()]
    return client.generate_presigned_post(bucket, key, Fields=fields, Conditions=[*exact, *conditions], ExpiresIn=expires)


def post(made, data=b"hello", filename="a.txt", **changes):
    fields = made["fields"] | {name: value for name, value in changes.items() if value is not None}
    return requests.post(made["url"], data=fields, files={"file": (filename, data, "text/html")}, allow_redirects=False, timeout=30)


def test_a_form_stores_its_file(uploader, admin, key):
    made = form(uploader, key, [["content-length-range", 1, 10]], {"Content-Type": "text/plain", "x-amz-meta-a": "ü"})
    answer = post(made)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["ETag"] == '"5d41402abc4b2a76b9719d911017c592"'
    assert answer.headers["Location"].endswith(f"/{STAGING}/{key}")
    head = admin.head_object(Bucket=STAGING, Key=key)
    assert (head["ContentType"], head["ContentLength"]) == ("text/plain", 5)
    assert head["Metadata"] == {"a": "=?UTF-8?B?w7w=?="}


def test_the_length_of_the_file_is_bounded(uploader, admin, key):
    made = form(uploader, key, [["content-length-range", 3, 10]])
    for data, code in [(b"12", "EntityTooSmall"), (b"", "EntityTooSmall"), (b"x" * 11, "EntityTooLarge"), (b"x" * 5_000_000, "EntityTooLarge")]:
        answer = post(made, data)
        assert (answer.status_code, code_of(answer.text)) == (400, code)
    assert refused(lambda: admin.head_object(Bucket=STAGING, Key=key))[1] == 404
    assert post(made, b"x" * 10).status_code == 204


def test_every_condition_is_enforced(uploader, admin, key):
    made = form(uploader, key, [["starts-with", "$Content-Type", "image/"], {"success_action_status": "201"}])
    good = {"Content-Type": "image/png", "success_action_status": "201"}
    for change in [
        {"Content-Type": "text/html"},
        {"success_action_status": "200"},
        {"key": key + "x"},
        {"x-amz-meta-extra": "a"},
        {"acl": "public-read"},
        {"x-amz-algorithm": "AWS4-HMAC-SHA1"},
    ]:
        answer = post(made, **(good | change))
        assert answer.status_code in (400, 403) and code_of(answer.text) in ("AccessDenied", "InvalidArgument"), change
    tampered = made["fields"]["policy"][:-8] + "AAAAAAA="
    answer = post(made, policy=tampered, **good)
    assert (answer.status_code, code_of(answer.text)) == (403, "SignatureDoesNotMatch")
    elsewhere = requests.post(made["url"].replace(STAGING, FINAL), data=made["fields"] | good, files={"file": b"x"}, timeout=30)
    assert (elsewhere.status_code, code_of(elsewhere.text)) == (403, "AccessDenied")
    assert refused(lambda: admin.head_object(Bucket=STAGING, Key=key))[1] == 404
    assert post(made, **good).status_code == 201


def signed_policy(name, document, key):
    """A form with any policy at all, signed by botocore."""
    request = AWSRequest("POST", "http://store")
    request.context["s3-presign-post-fields"] = fields = {"key": key}
    request.context["s3-presign-post-policy"] = document
    S3SigV4PostAuth(credentials(name), "s3", REGION).add_auth(request)
    return fields


def in_minutes(minutes):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def test_an_expired_policy_is_refused_in_s3s_words(server, key):
    document = {"expiration": in_minutes(-1), "conditions": [{"bucket": STAGING}, {"key": key}]}
    answer = requests.post(f"{server.url}/{STAGING}", data=signed_policy("uploader", document, key), files={"file": b"x"}, timeout=30)
    assert (answer.status_code, code_of(answer.text)) == (403, "AccessDenied")
    assert "Invalid according to Policy: Policy expired." in answer.text


def test_a_policy_lives_longer_than_the_skew_of_clocks(server, key):
    document = {"expiration": in_minutes(600), "conditions": [{"bucket": STAGING}, {"key": key}]}
    answer = requests.post(f"{server.url}/{STAGING}", data=signed_policy("uploader", document, key), files={"file": b"x"}, timeout=30)
    assert answer.status_code == 204


def test_the_files_name_takes_its_place_in_the_key(uploader, admin, key):
    made = form(uploader, key + "/${filename}", [])
    assert made["fields"]["key"].endswith("${filename}")
    assert post(made, filename="C:\\photos\\日本 \"1\".jpg").status_code == 204
    listed = admin.list_objects_v2(Bucket=STAGING, Prefix=key)["Contents"]
    assert [entry["Key"] for entry in listed] == [f"{key}/日本 \"1\".jpg"]


def test_success_is_answered_as_the_form_asks(uploader, key):
    made = form(uploader, key, [], {"success_action_status": "201"})
    answer = post(made)
    assert answer.status_code == 201
    for element in [f"<Bucket>{STAGING}</Bucket>", f"<Key>{key}</Key>", "<ETag>", "<Location>http://127.0.0.1"]:
        assert element in answer.text
    assert post(form(uploader, key, [], {"success_action_status": "200"})).status_code == 200
    assert post(form(uploader, key, [], {"success_action_status": "302"})).status_code == 204
    answer = post(form(uploader, key, [], {"success_action_redirect": "http://app.example/done?a=b"}))
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith(f"http://app.example/done?a=b&bucket={STAGING}&key=in%2F")
    assert post(form(uploader, key, [], {"success_action_redirect": "javascript:alert(1)"})).status_code == 204


def test_a_checksum_field_is_verified(uploader, admin, key):
    right = base64.b64encode(hashlib.sha256(b"hello").digest()).decode()
    made = form(uploader, key, [], {"x-amz-checksum-sha256": right})
    answer = post(made, b"hellO")
    assert (answer.status_code, code_of(answer.text)) == (400, "BadDigest")
    assert refused(lambda: admin.head_object(Bucket=STAGING, Key=key))[1] == 404
    assert post(made, b"hello").status_code == 204


def test_an_acl_or_tags_need_permission_of_their_own(uploader, admin, key):
    for field, value in [("acl", "private"), ("tagging", "<Tagging><TagSet/></Tagging>")]:
        answer = post(form(uploader, key, [], {field: value}))
        assert (answer.status_code, code_of(answer.text)) == (403, "AccessDenied"), field
    assert post(form(admin, key, [], {"acl": "private"})).status_code == 204


def test_a_form_outside_the_signers_prefix_is_denied(uploader):
    answer = post(form(uploader, f"held/{uuid.uuid4()}"))
    assert (answer.status_code, code_of(answer.text)) == (403, "AccessDenied")


@pytest.mark.parametrize("fields,code", [
    ({}, "InvalidArgument"),
    ({"key": "in/a"}, "AccessDenied"),
    ({"key": "in/a", "AWSAccessKeyId": "AKADMIN", "signature": "x", "policy": "x"}, "InvalidRequest"),
    ({"key": "in/a", "x-filler": "x" * 30_000}, "MaxPostPreDataLengthExceeded"),
])
def test_what_is_no_signed_form_is_refused(server, fields, code):
    answer = requests.post(f"{server.url}/{STAGING}", data=fields, files={"file": b"x"}, timeout=30)
    assert code_of(answer.text) == code
    assert answer.status_code in (400, 403)


def test_a_file_that_comes_first_hides_the_fields_behind_it(server, uploader, key):
    made = form(uploader, key)
    parts = [("file", ("a", b"x")), *((name, (None, value)) for name, value in made["fields"].items())]
    answer = requests.post(made["url"], files=parts, timeout=30)
    assert (answer.status_code, code_of(answer.text)) == (400, "InvalidArgument")


def test_a_large_file_streams_through(uploader, admin, key):
    data = bytes(range(256)) * 40_000
    assert post(form(uploader, key), data).status_code == 204
    assert admin.get_object(Bucket=STAGING, Key=key)["Body"].read() == data
