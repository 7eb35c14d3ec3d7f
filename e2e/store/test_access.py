"""What each identity may do, and what pages of other origins may."""

import pytest
import requests

from conftest import CORS, FINAL, STAGING
from wire import code_of, presigned, refused

DENIED = ("AccessDenied", 403)


def test_an_uploader_puts_and_can_do_nothing_else(uploader, admin, key):
    uploader.put_object(Bucket=STAGING, Key=key, Body=b"x")
    admin.put_object(Bucket=FINAL, Key=key, Body=b"x")
    upload = admin.create_multipart_upload(Bucket=STAGING, Key=key)["UploadId"]
    here = {"Bucket": STAGING, "Key": key}
    calls = {
        "get": lambda: uploader.get_object(**here),
        "list": lambda: uploader.list_objects_v2(Bucket=STAGING),
        "delete": lambda: uploader.delete_object(**here),
        "outside": lambda: uploader.put_object(Bucket=STAGING, Key="held/x", Body=b""),
        "other bucket": lambda: uploader.put_object(Bucket=FINAL, Key=key, Body=b""),
        "copy": lambda: uploader.copy_object(**here, CopySource={"Bucket": FINAL, "Key": key}),
        "copy of its own": lambda: uploader.copy_object(Bucket=STAGING, Key=key + "2", CopySource=here),
        "part copy": lambda: uploader.upload_part_copy(**here, UploadId=upload, PartNumber=1, CopySource={"Bucket": FINAL, "Key": key}),
        "acl": lambda: uploader.put_object(**here, Body=b"", ACL="public-read"),
        "private acl": lambda: uploader.put_object(**here, Body=b"", ACL="private"),
        "grant": lambda: uploader.put_object(**here, Body=b"", GrantRead="uri=http://acs.amazonaws.com/groups/global/AllUsers"),
        "tags": lambda: uploader.put_object(**here, Body=b"", Tagging="a=b"),
        "storage class": lambda: uploader.put_object(**here, Body=b"", StorageClass="GLACIER"),
        "customer key": lambda: uploader.put_object(**here, Body=b"", SSECustomerAlgorithm="AES256", SSECustomerKey="k" * 32),
        "list parts": lambda: uploader.list_parts(**here, UploadId=upload),
        "abort": lambda: uploader.abort_multipart_upload(**here, UploadId=upload),
        "cors": lambda: uploader.get_bucket_cors(Bucket=STAGING),
        "buckets": lambda: uploader.list_buckets(),
        "new bucket": lambda: uploader.create_bucket(Bucket="mine-alone"),
    }
    assert {name: refused(call) for name, call in calls.items()} == dict.fromkeys(calls, DENIED)
    assert refused(lambda: uploader.head_object(**here))[1] == 403
    batch = uploader.delete_objects(Bucket=STAGING, Delete={"Objects": [{"Key": key}]})
    assert [error["Code"] for error in batch["Errors"]] == ["AccessDenied"]
    assert admin.get_object(**here)["Body"].read() == b"x"


def test_a_reader_reads_one_bucket_and_does_not_learn_what_it_lacks(reader, admin, key):
    admin.put_object(Bucket=FINAL, Key=key, Body=b"x")
    assert reader.get_object(Bucket=FINAL, Key=key)["Body"].read() == b"x"
    for call in [
        lambda: reader.get_object(Bucket=FINAL, Key="not-there"),
        lambda: reader.get_object(Bucket=STAGING, Key=key),
        lambda: reader.put_object(Bucket=FINAL, Key=key, Body=b"y"),
        lambda: reader.list_objects_v2(Bucket=FINAL),
    ]:
        assert refused(call) == DENIED


def preflight(server, origin, method, headers=None, path=f"/{STAGING}/in/x?X-Amz-Signature=whatever"):
    asked = {"Origin": origin, "Access-Control-Request-Method": method}
    if headers:
        asked["Access-Control-Request-Headers"] = headers
    return requests.options(server.url + path, headers=asked, timeout=30)


def test_a_preflight_is_answered_without_a_signature(server):
    answer = preflight(server, "http://127.0.0.1:5173", "PUT", "content-type,if-none-match,x-amz-checksum-sha256")
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "http://127.0.0.1:5173"
    assert "PUT" in answer.headers["Access-Control-Allow-Methods"]
    assert answer.headers["Access-Control-Allow-Headers"] == "content-type, if-none-match, x-amz-checksum-sha256"
    assert answer.headers["Access-Control-Max-Age"] == "600"
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize("origin,method,headers,path", [
    ("http://evil.example", "PUT", None, f"/{STAGING}/x"),
    ("http://127.0.0.1.evil.example", "PUT", None, f"/{STAGING}/x"),
    ("http://127.0.0.1:1", "DELETE", None, f"/{STAGING}/x"),
    ("http://127.0.0.1:1", "PUT", "authorization", f"/{STAGING}/x"),
    ("http://127.0.0.1:1", "PUT", None, f"/{FINAL}/x"),
    ("http://127.0.0.1:1", "PUT", None, "/nowhere-at-all/x"),
    ("http://127.0.0.1:1", "PUT", None, "/"),
])
def test_a_preflight_that_fits_no_rule_is_forbidden(server, origin, method, headers, path):
    answer = preflight(server, origin, method, headers, path)
    assert (answer.status_code, code_of(answer.text)) == (403, "AccessForbidden")
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_cors_headers_are_on_every_answer_errors_too(server, key):
    origin = {"Origin": "http://localhost:3000"}
    stored = requests.put(presigned(server, "uploader", "PUT", f"/{STAGING}/{key}"), headers=origin, data=b"x", timeout=30)
    assert stored.status_code == 200
    refusals = [
        requests.put(f"{server.url}/{STAGING}/{key}", headers=origin, data=b"x", timeout=30),
        requests.put(presigned(server, "uploader", "PUT", f"/{STAGING}/held/x"), headers=origin, data=b"x", timeout=30),
        requests.put(f"{server.url}/{STAGING}/{key}?acl", headers=origin, data=b"x", timeout=30),
        requests.put(f"{server.url}/{STAGING}/%ff", headers=origin, data=b"x", timeout=30),
        requests.post(f"{server.url}/{STAGING}", headers=origin, files={"file": b"x"}, timeout=30),
    ]
    assert all(answer.status_code >= 400 for answer in refusals)
    for answer in [stored, *refusals]:
        assert answer.headers.get("Access-Control-Allow-Origin") == "http://localhost:3000", answer.text
        assert answer.headers["Access-Control-Expose-Headers"] == "ETag"
        assert "Origin" in answer.headers["Vary"]
    stranger = requests.put(f"{server.url}/{STAGING}/{key}", headers={"Origin": "http://evil.example"}, data=b"x", timeout=30)
    assert "Access-Control-Allow-Origin" not in stranger.headers


def test_cors_rules_are_kept(admin):
    admin.create_bucket(Bucket="cors-rules")
    assert refused(lambda: admin.get_bucket_cors(Bucket="cors-rules")) == ("NoSuchCORSConfiguration", 404)
    rule = {
        "AllowedOrigins": CORS[0]["AllowedOrigin"], "AllowedMethods": ["PUT"], "AllowedHeaders": ["*"],
        "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 5, "ID": "one",
    }
    admin.put_bucket_cors(Bucket="cors-rules", CORSConfiguration={"CORSRules": [rule]})
    assert admin.get_bucket_cors(Bucket="cors-rules")["CORSRules"] == [rule]
    bad = rule | {"AllowedMethods": ["PATCH"]}
    assert refused(lambda: admin.put_bucket_cors(Bucket="cors-rules", CORSConfiguration={"CORSRules": [bad]})) == ("InvalidRequest", 400)
    admin.delete_bucket_cors(Bucket="cors-rules")
    assert refused(lambda: admin.get_bucket_cors(Bucket="cors-rules")) == ("NoSuchCORSConfiguration", 404)
