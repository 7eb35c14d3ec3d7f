"""Objects by boto3: put, get, head, delete, list, copy, and what a presigned URL permits."""

import base64
import concurrent.futures
import hashlib
import http.client
import io
import zlib

import pytest
import requests
from botocore.exceptions import ClientError

from conftest import FINAL, REGION, STAGING
from wire import code_of, md5, presigned, refused, send, sha256, signed

HOSTILE = [
    "in/plain",
    " blanks around it ",
    "../x",
    "a//b",
    "./",
    "/",
    "//",
    "a/./b/../c",
    "with space+plus&amp=1?q#f%41",
    "日本語/ファイル.jpg",
    "emoji-😀",
    "quote\"'<>&\\`|^{}~",
    "new\nline\ttab",
    "é" * 512,
    "k" * 1024,
]


def get(client, bucket, key, **more):
    answer = client.get_object(Bucket=bucket, Key=key, **more)
    return answer["Body"].read(), answer


def test_an_object_comes_back_with_its_metadata(admin, key):
    admin.put_object(
        Bucket=FINAL, Key=key, Body=b"hello", ContentType="text/plain", CacheControl="max-age=1", ContentEncoding="identity",
        ContentDisposition='attachment; filename="a.txt"', ContentLanguage="de", Metadata={"one": "1", "two": "zwei"},
    )
    body, answer = get(admin, FINAL, key)
    assert body == b"hello"
    assert answer["ContentType"] == "text/plain"
    assert answer["CacheControl"] == "max-age=1"
    assert answer["ContentEncoding"] == "identity"
    assert answer["ContentDisposition"] == 'attachment; filename="a.txt"'
    assert answer["ContentLanguage"] == "de"
    assert answer["Metadata"] == {"one": "1", "two": "zwei"}
    assert answer["ETag"] == '"5d41402abc4b2a76b9719d911017c592"'
    assert answer["AcceptRanges"] == "bytes"
    head = admin.head_object(Bucket=FINAL, Key=key)
    assert (head["ContentLength"], head["ETag"], head["Metadata"]) == (5, answer["ETag"], answer["Metadata"])
    admin.delete_object(Bucket=FINAL, Key=key)
    assert refused(lambda: admin.get_object(Bucket=FINAL, Key=key)) == ("NoSuchKey", 404)
    assert refused(lambda: admin.head_object(Bucket=FINAL, Key=key)) == ("404", 404)
    admin.delete_object(Bucket=FINAL, Key=key)


@pytest.mark.parametrize("key", HOSTILE, ids=lambda key: ascii(key)[:20])
def test_keys_are_bytes_not_paths(admin, key):
    admin.put_object(Bucket=FINAL, Key=key, Body=key.encode())
    assert get(admin, FINAL, key)[0] == key.encode()
    listed = admin.list_objects_v2(Bucket=FINAL, Prefix=key)["Contents"]
    assert key in [entry["Key"] for entry in listed]
    copied = admin.copy_object(Bucket=FINAL, Key="copy-of-hostile", CopySource={"Bucket": FINAL, "Key": key})
    assert copied["CopyObjectResult"]["ETag"] == admin.head_object(Bucket=FINAL, Key=key)["ETag"]
    admin.delete_objects(Bucket=FINAL, Delete={"Objects": [{"Key": key}], "Quiet": True})
    assert refused(lambda: admin.get_object(Bucket=FINAL, Key=key)) == ("NoSuchKey", 404)


def test_a_key_lives_beside_keys_below_it(admin):
    for name in ["beside", "beside/b", "beside/b/c"]:
        admin.put_object(Bucket=FINAL, Key=name, Body=name.encode())
    for name in ["beside", "beside/b", "beside/b/c"]:
        assert get(admin, FINAL, name)[0] == name.encode()


@pytest.mark.parametrize("path,status,code", [
    ("/final/" + "k" * 1025, 400, "KeyTooLongError"),
    ("/final/%ff", 400, "InvalidURI"),
    ("/final/a%00b", 400, "InvalidURI"),
    ("/Upper/a", 400, "InvalidBucketName"),
    ("/nowhere-at-all/a", 404, "NoSuchBucket"),
])
def test_what_is_no_key_is_refused(server, path, status, code):
    answer = send(server, "PUT", path, data=b"x")
    assert (answer.status_code, code_of(answer.text)) == (status, code)


def test_ranges_are_cut_and_odd_ones_ignored(server, admin, key):
    admin.put_object(Bucket=FINAL, Key=key, Body=b"0123456789")
    admin.put_object(Bucket=FINAL, Key=key + "-empty", Body=b"")
    url = presigned(server, "admin", "GET", f"/{FINAL}/{key}")

    def ask(value):
        answer = requests.get(url, headers={"Range": value}, timeout=30)
        return answer.status_code, answer.text, answer.headers.get("Content-Range")

    assert ask("bytes=2-4") == (206, "234", "bytes 2-4/10")
    assert ask("bytes=8-99") == (206, "89", "bytes 8-9/10")
    assert ask("bytes=-3") == (206, "789", "bytes 7-9/10")
    for odd in ["bytes=0-1,4-5", "bytes=x-y", "lines=1-2", "bytes=5-2"]:
        assert ask(odd) == (200, "0123456789", None), odd
    status, text, _ = ask("bytes=10-")
    assert (status, code_of(text)) == (416, "InvalidRange")
    assert refused(lambda: admin.get_object(Bucket=FINAL, Key=key + "-empty", Range="bytes=0-0"))[1] == 416
    assert admin.head_object(Bucket=FINAL, Key=key, Range="bytes=2-4")["ContentLength"] == 3


def test_conditional_reads(server, admin, key):
    etag = admin.put_object(Bucket=FINAL, Key=key, Body=b"x")["ETag"]
    assert refused(lambda: admin.get_object(Bucket=FINAL, Key=key, IfMatch='"other"')) == ("PreconditionFailed", 412)
    assert refused(lambda: admin.get_object(Bucket=FINAL, Key=key, IfNoneMatch=etag))[1] == 304
    assert get(admin, FINAL, key, IfMatch=etag, IfNoneMatch='"other"')[0] == b"x"
    url = presigned(server, "admin", "GET", f"/{FINAL}/{key}")
    for header in ["If-Modified-Since", "If-Unmodified-Since"]:
        assert requests.get(url, headers={header: "no date at all"}, timeout=30).status_code == 200
    past = {"If-Unmodified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"}
    assert requests.get(url, headers=past, timeout=30).status_code == 412
    future = {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}
    assert requests.get(url, headers=future, timeout=30).status_code == 304


def test_a_signed_query_overrides_headers_of_the_answer(admin, key):
    admin.put_object(Bucket=FINAL, Key=key, Body=b"x", ContentType="text/html")
    parameters = {"Bucket": FINAL, "Key": key, "ResponseContentType": "text/plain", "ResponseContentDisposition": "attachment; filename=\"ü+ .txt\""}
    answer = requests.get(admin.generate_presigned_url("get_object", Params=parameters), timeout=30)
    assert answer.headers["Content-Type"] == "text/plain"
    assert answer.headers["Content-Disposition"].encode("latin-1").decode() == 'attachment; filename="ü+ .txt"'


def test_one_of_eight_conditional_writers_wins(server, key):
    def write(number):
        try:
            server.client("admin").put_object(Bucket=FINAL, Key=key, Body=str(number).encode() * 100_000, IfNoneMatch="*")
        except ClientError as error:
            return error.response["Error"]["Code"]
        return number

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(write, range(8)))
    winners = [result for result in results if isinstance(result, int)]
    assert len(winners) == 1, results
    assert set(results) - set(winners) <= {"PreconditionFailed", "ConditionalRequestConflict"}
    assert get(server.client("admin"), FINAL, key)[0] == str(winners[0]).encode() * 100_000


def test_a_write_can_demand_the_object_it_replaces(admin, key):
    assert refused(lambda: admin.put_object(Bucket=FINAL, Key=key, Body=b"x", IfMatch='"abc"')) == ("NoSuchKey", 404)
    etag = admin.put_object(Bucket=FINAL, Key=key, Body=b"one")["ETag"]
    assert refused(lambda: admin.put_object(Bucket=FINAL, Key=key, Body=b"x", IfMatch='"abc"')) == ("PreconditionFailed", 412)
    admin.put_object(Bucket=FINAL, Key=key, Body=b"two", IfMatch=etag)
    assert get(admin, FINAL, key)[0] == b"two"


CHECKSUMS = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_boto3s_trailing_checksums_are_verified_and_kept(admin, key, algorithm):
    """Without `Content-MD5`, boto3 sends a checksum of its own: in a trailer if the body is a stream."""
    class Stream(io.BytesIO):
        """Not a plain file, so that boto3 sends it aws-chunked."""

    data = b"0123456789abcdef" * 20_000
    put = admin.put_object(Bucket=FINAL, Key=key, Body=Stream(data), ChecksumAlgorithm=algorithm)
    body, answer = get(admin, FINAL, key, ChecksumMode="ENABLED")
    assert body == data
    assert answer[f"Checksum{algorithm}"] == put[f"Checksum{algorithm}"]
    assert answer["ChecksumType"] == "FULL_OBJECT"


WRONG = {
    "Content-MD5": md5(b"other"),
    "x-amz-checksum-crc32": base64.b64encode(zlib.crc32(b"other").to_bytes(4, "big")).decode(),
    "x-amz-checksum-crc32c": "AAAAAA==",
    "x-amz-checksum-crc64nvme": "AAAAAAAAAAA=",
    "x-amz-checksum-sha1": base64.b64encode(b"\0" * 20).decode(),
    "x-amz-checksum-sha256": sha256(b"other"),
}


@pytest.mark.parametrize("header", WRONG)
def test_a_wrong_checksum_is_found_before_the_object_becomes_visible(server, admin, key, header):
    admin.put_object(Bucket=FINAL, Key=key, Body=b"before")
    for answer in [
        send(server, "PUT", f"/{FINAL}/{key}", headers={header: WRONG[header]}, data=b"hello"),
        requests.put(presigned(server, "admin", "PUT", f"/{FINAL}/{key}", {header: WRONG[header]}), headers={header: WRONG[header]}, data=b"hello", timeout=30),
    ]:
        assert (answer.status_code, code_of(answer.text)) == (400, "BadDigest")
    assert get(admin, FINAL, key)[0] == b"before"


def test_a_checksum_hoisted_into_a_presigned_query_is_verified(server, admin, key):
    right = presigned(server, "admin", "PUT", f"/{FINAL}/{key}?x-amz-checksum-sha256={requests.utils.quote(sha256(b'hello'), safe='')}")
    wrong = requests.put(right, data=b"hellO", timeout=30)
    assert (wrong.status_code, code_of(wrong.text)) == (400, "BadDigest")
    assert refused(lambda: admin.head_object(Bucket=FINAL, Key=key))[1] == 404
    assert requests.put(right, data=b"hello", timeout=30).status_code == 200


def test_a_body_that_is_not_the_signed_one_is_refused(server, admin, key):
    answer = send(server, "PUT", f"/{FINAL}/{key}", data=b"hello", payload=hashlib.sha256(b"other").hexdigest())
    assert (answer.status_code, code_of(answer.text)) == (400, "XAmzContentSHA256Mismatch")
    assert refused(lambda: admin.head_object(Bucket=FINAL, Key=key))[1] == 404


def test_a_presigned_put_binds_what_it_signed(server, admin, uploader, key):
    url = uploader.generate_presigned_url(
        "put_object", Params={"Bucket": STAGING, "Key": key, "ContentType": "image/png", "ContentLength": 5, "IfNoneMatch": "*"}, ExpiresIn=60
    )
    good = {"Content-Type": "image/png", "If-None-Match": "*"}
    for headers, data in [
        ({"Content-Type": "text/html", "If-None-Match": "*"}, b"hello"),
        ({"Content-Type": "image/png"}, b"hello"),
        (good, b"hello!"),
        (good | {"x-amz-meta-a": "b"}, b"hello"),
        (good | {"x-amz-acl": "public-read"}, b"hello"),
        (good | {"x-amz-copy-source": f"/{FINAL}/x"}, b"hello"),
    ]:
        answer = requests.put(url, headers=headers, data=data, timeout=30)
        assert (answer.status_code, code_of(answer.text)) in [(403, "SignatureDoesNotMatch"), (403, "AccessDenied")], (headers, data)
    assert requests.put(url, headers=good, data=b"hello", timeout=30).status_code == 200
    again = requests.put(url, headers=good, data=b"hello", timeout=30)
    assert (again.status_code, code_of(again.text)) == (412, "PreconditionFailed")
    assert get(admin, STAGING, key)[0] == b"hello"
    assert requests.put(url.replace(key, key + "x"), headers=good, data=b"hello", timeout=30).status_code == 403


def test_a_foreign_object_cannot_be_copied_out_by_a_presigned_put(server, admin, key):
    """Several stores take an unsigned copy source on any presigned PUT."""
    admin.put_object(Bucket=FINAL, Key="secret", Body=b"secret")
    url = presigned(server, "uploader", "PUT", f"/{STAGING}/{key}")
    answer = requests.put(url, headers={"x-amz-copy-source": f"/{FINAL}/secret"}, timeout=30)
    assert (answer.status_code, code_of(answer.text)) == (403, "AccessDenied")
    assert refused(lambda: admin.head_object(Bucket=STAGING, Key=key))[1] == 404


@pytest.mark.parametrize("change,code", [
    (dict(expires=604801), "AuthorizationQueryParametersError"),
    (dict(expires=0), "AuthorizationQueryParametersError"),
    (dict(region="us-east-1"), "AuthorizationQueryParametersError"),
])
def test_a_signature_is_bounded_in_time_and_place(server, change, code):
    answer = requests.get(presigned(server, "admin", "GET", f"/{FINAL}/x", **change), timeout=30)
    assert (answer.status_code, code_of(answer.text)) == (400, code)


def test_old_and_missing_signatures_are_refused(server):
    old = requests.get(f"{server.url}/{FINAL}/x?AWSAccessKeyId=AKADMIN&Signature=x&Expires=9999999999", timeout=30)
    assert (old.status_code, code_of(old.text)) == (400, "InvalidRequest")
    anonymous = requests.get(f"{server.url}/{FINAL}/x", timeout=30)
    assert (anonymous.status_code, code_of(anonymous.text)) == (403, "AccessDenied")
    stranger = requests.get(presigned(server, "admin", "GET", f"/{FINAL}/x").replace("AKADMIN", "AKNOBODY"), timeout=30)
    assert (stranger.status_code, code_of(stranger.text)) == (403, "InvalidAccessKeyId")


def test_errors_are_s3s_and_carry_a_request_id(server, admin):
    answer = requests.get(presigned(server, "admin", "GET", f"/{FINAL}/not-there"), timeout=30)
    assert answer.headers["Content-Type"] == "application/xml"
    assert answer.headers["x-amz-request-id"] in answer.text
    assert "Signature" not in answer.text and "secret" not in answer.text
    head = requests.head(presigned(server, "admin", "HEAD", f"/{FINAL}/not-there"), timeout=30)
    assert (head.status_code, head.content) == (404, b"")


@pytest.mark.parametrize("method,query", [("GET", "acl"), ("PUT", "legal-hold="), ("GET", "torrent"), ("PUT", "frobnicate"), ("GET", "partNumber=1"), ("POST", "restore")])
def test_an_unknown_subresource_never_falls_through_to_another_operation(server, admin, key, method, query):
    admin.put_object(Bucket=FINAL, Key=key, Body=b"before")
    answer = send(server, method, f"/{FINAL}/{key}?{query}", data=b"after" if method != "GET" else b"")
    assert (answer.status_code, code_of(answer.text)) == (501, "NotImplemented")
    assert get(admin, FINAL, key)[0] == b"before"


def test_listing_pages_folds_and_encodes(admin):
    names = [f"list/{letter}/{number}" for letter in "ab" for number in range(3)] + ["list/c d+e", "list/z\x01"]
    for name in names:
        admin.put_object(Bucket=FINAL, Key=name, Body=b"x")
    pages = admin.get_paginator("list_objects_v2").paginate(Bucket=FINAL, Prefix="list/", PaginationConfig={"PageSize": 3})
    assert [entry["Key"] for page in pages for entry in page.get("Contents", [])] == sorted(names)
    folded = admin.list_objects_v2(Bucket=FINAL, Prefix="list/", Delimiter="/")
    assert [entry["Prefix"] for entry in folded["CommonPrefixes"]] == ["list/a/", "list/b/"]
    assert [entry["Key"] for entry in folded["Contents"]] == ["list/c d+e", "list/z\x01"]
    paged = admin.get_paginator("list_objects_v2").paginate(Bucket=FINAL, Prefix="list/", Delimiter="/", PaginationConfig={"PageSize": 1})
    assert [entry["Prefix"] for page in paged for entry in page.get("CommonPrefixes", [])] == ["list/a/", "list/b/"]
    after = admin.list_objects_v2(Bucket=FINAL, Prefix="list/", StartAfter="list/b/1", FetchOwner=True)
    assert [entry["Key"] for entry in after["Contents"]] == ["list/b/2", "list/c d+e", "list/z\x01"]
    old = admin.get_paginator("list_objects").paginate(Bucket=FINAL, Prefix="list/", PaginationConfig={"PageSize": 2})
    assert [entry["Key"] for page in old for entry in page["Contents"]] == sorted(names)
    assert admin.list_objects_v2(Bucket=FINAL, MaxKeys=0)["KeyCount"] == 0
    assert refused(lambda: admin.list_objects_v2(Bucket=FINAL, ContinuationToken="%%%")) == ("InvalidArgument", 400)


def test_copies_keep_or_replace_metadata_and_honour_conditions(admin, key):
    etag = admin.put_object(Bucket=STAGING, Key=key, Body=b"bytes", ContentType="image/png", Metadata={"a": "1"})["ETag"]
    source = {"Bucket": STAGING, "Key": key}
    admin.copy_object(Bucket=FINAL, Key=key, CopySource=source, CopySourceIfMatch=etag)
    kept = admin.head_object(Bucket=FINAL, Key=key)
    assert (kept["ContentType"], kept["Metadata"], kept["ETag"]) == ("image/png", {"a": "1"}, etag)
    admin.copy_object(
        Bucket=FINAL, Key=key, CopySource=source, MetadataDirective="REPLACE", TaggingDirective="REPLACE",
        ContentType="text/plain", CacheControl="private", Metadata={"b": "2"},
    )
    replaced = admin.head_object(Bucket=FINAL, Key=key)
    assert (replaced["ContentType"], replaced["CacheControl"], replaced["Metadata"]) == ("text/plain", "private", {"b": "2"})
    for condition in [dict(CopySourceIfMatch='"x"'), dict(CopySourceIfNoneMatch=etag), dict(IfNoneMatch="*")]:
        failed = refused(lambda: admin.copy_object(Bucket=FINAL, Key=key, CopySource=source, **condition))
        assert failed == ("PreconditionFailed", 412), condition
    same = refused(lambda: admin.copy_object(Bucket=FINAL, Key=key, CopySource={"Bucket": FINAL, "Key": key}))
    assert same == ("InvalidRequest", 400)
    admin.copy_object(Bucket=FINAL, Key=key, CopySource={"Bucket": FINAL, "Key": key}, MetadataDirective="REPLACE", Metadata={"c": "3"})
    assert admin.head_object(Bucket=FINAL, Key=key)["Metadata"] == {"c": "3"}
    gone = refused(lambda: admin.copy_object(Bucket=FINAL, Key=key, CopySource={"Bucket": STAGING, "Key": "not-there"}))
    assert gone == ("NoSuchKey", 404)


def test_a_batch_deletes_up_to_a_thousand(admin, server):
    names = [f"batch/{number}<&>" for number in range(20)]
    for name in names:
        admin.put_object(Bucket=FINAL, Key=name, Body=b"x")
    answer = admin.delete_objects(Bucket=FINAL, Delete={"Objects": [{"Key": name} for name in [*names, "batch/none"]]})
    assert sorted(entry["Key"] for entry in answer["Deleted"]) == sorted([*names, "batch/none"])
    assert "Contents" not in admin.list_objects_v2(Bucket=FINAL, Prefix="batch/")
    many = [{"Key": str(number)} for number in range(1001)]
    assert refused(lambda: admin.delete_objects(Bucket=FINAL, Delete={"Objects": many})) == ("MalformedXML", 400)
    wrong = send(server, "POST", f"/{FINAL}?delete", headers={"Content-MD5": md5(b"x")}, data=b"<Delete><Object><Key>a</Key></Object></Delete>")
    assert (wrong.status_code, code_of(wrong.text)) == (400, "BadDigest")


def test_user_metadata_is_bounded_and_beyond_ascii_comes_back_encoded(server, admin, key):
    big = refused(lambda: admin.put_object(Bucket=FINAL, Key=key, Body=b"", Metadata={"a": "x" * 2048}))
    assert big == ("MetadataTooLarge", 400)
    name = "日本".encode()
    headers = signed(server, "admin", "PUT", f"/{FINAL}/{key}", {"x-amz-meta-name": name.decode()})
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("PUT", f"/{FINAL}/{key}", body=b"x", headers=headers | {"x-amz-meta-name": name})
    assert connection.getresponse().status == 200
    assert admin.head_object(Bucket=FINAL, Key=key)["Metadata"]["name"] == "=?UTF-8?B?5pel5pys?="


def test_what_the_store_cannot_keep_it_refuses(admin, key):
    def put(**more):
        return refused(lambda: admin.put_object(Bucket=FINAL, Key=key, Body=b"x", **more))

    assert put(ACL="public-read") == ("AccessControlListNotSupported", 400)
    assert put(StorageClass="GLACIER") == ("InvalidStorageClass", 400)
    assert put(StorageClass="REDUCED_REDUNDANCY") == ("InvalidStorageClass", 400)
    assert put(ServerSideEncryption="aws:kms") == ("NotImplemented", 501)
    assert put(SSECustomerAlgorithm="AES256", SSECustomerKey="k" * 32) == ("NotImplemented", 501)
    assert refused(lambda: admin.head_object(Bucket=FINAL, Key=key))[1] == 404


def test_buckets_come_and_go(admin):
    admin.create_bucket(Bucket="another", CreateBucketConfiguration={"LocationConstraint": REGION})
    again = refused(lambda: admin.create_bucket(Bucket="another", CreateBucketConfiguration={"LocationConstraint": REGION}))
    assert again == ("BucketAlreadyOwnedByYou", 409)
    assert "another" in [bucket["Name"] for bucket in admin.list_buckets()["Buckets"]]
    assert admin.get_bucket_location(Bucket="another")["LocationConstraint"] == REGION
    admin.put_object(Bucket="another", Key="a", Body=b"")
    assert refused(lambda: admin.delete_bucket(Bucket="another")) == ("BucketNotEmpty", 409)
    admin.delete_object(Bucket="another", Key="a")
    admin.delete_bucket(Bucket="another")
    assert refused(lambda: admin.head_bucket(Bucket="another"))[1] == 404


def test_lifecycle_rules_are_kept(admin):
    rules = [
        {"ID": "in", "Status": "Enabled", "Filter": {"Prefix": "in/"}, "Expiration": {"Days": 1}},
        {"ID": "parts", "Status": "Enabled", "Filter": {"Prefix": ""}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}},
    ]
    assert refused(lambda: admin.get_bucket_lifecycle_configuration(Bucket=STAGING)) == ("NoSuchLifecycleConfiguration", 404)
    admin.put_bucket_lifecycle_configuration(Bucket=STAGING, LifecycleConfiguration={"Rules": rules})
    assert admin.get_bucket_lifecycle_configuration(Bucket=STAGING)["Rules"] == rules
    admin.delete_bucket_lifecycle(Bucket=STAGING)
    assert refused(lambda: admin.get_bucket_lifecycle_configuration(Bucket=STAGING)) == ("NoSuchLifecycleConfiguration", 404)


def test_a_condition_that_is_not_known_deletes_nothing(server, admin, key):
    admin.put_object(Bucket=STAGING, Key=key, Body=b"x")
    for condition in ["<Size>7</Size>", "<LastModifiedTime>Wed, 21 Oct 2015 07:28:00 GMT</LastModifiedTime>", "<New>1</New>"]:
        document = f"<Delete><Object><Key>{key}</Key>{condition}</Object></Delete>".encode()
        answer = send(server, "POST", f"/{STAGING}?delete", data=document)
        assert answer.status_code in (400, 501), condition
    document = f"<Delete><Object><Key>{key}</Key><ETag>*</ETag></Object><Quiet>false</Quiet><Object><Key>{key}-none</Key><ETag>*</ETag></Object></Delete>"
    document = document.replace("<Delete>", '<s3:Delete xmlns:s3="x">').replace("</Delete>", "</s3:Delete>").encode()
    answer = send(server, "POST", f"/{STAGING}?delete", data=document)
    assert f"<Deleted><Key>{key}</Key></Deleted>" in answer.text
    assert f"<Key>{key}-none</Key><Code>PreconditionFailed</Code>" in answer.text


def test_a_delete_on_condition_that_there_is_an_object_fails_without_one(admin, key):
    assert refused(lambda: admin.delete_object(Bucket=STAGING, Key=key, IfMatch="*")) == ("PreconditionFailed", 412)
    admin.put_object(Bucket=STAGING, Key=key, Body=b"x")
    admin.delete_object(Bucket=STAGING, Key=key, IfMatch="*")
    assert refused(lambda: admin.head_object(Bucket=STAGING, Key=key))[1] == 404


def test_an_object_without_a_version_is_deleted_in_a_batch(server, admin, key):
    admin.put_object(Bucket=STAGING, Key=key, Body=b"x")
    document = f"<Delete><Object><Key>{key}</Key><VersionId/></Object></Delete>".encode()
    assert "<Deleted>" in send(server, "POST", f"/{STAGING}?delete", data=document).text


def test_a_read_with_a_key_of_ones_own_is_refused(server, admin, key):
    admin.put_object(Bucket=STAGING, Key=key, Body=b"x")
    headers = {"x-amz-server-side-encryption-customer-algorithm": "AES256"}
    for method in ["GET", "HEAD"]:
        assert send(server, method, f"/{STAGING}/{key}", headers=headers).status_code == 501
