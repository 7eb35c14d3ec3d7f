"""Multipart uploads: the server creates and completes, presigned parts come from a stranger."""

import base64
import concurrent.futures
import hashlib
import io
import zlib

import boto3.s3.transfer
import pytest
import requests
from botocore.exceptions import ClientError

from conftest import FINAL, STAGING
from wire import code_of, md5, refused, send

MIB = 1 << 20
FIRST, SECOND = b"a" * (5 * MIB), b"b" * 1000


@pytest.fixture
def upload(admin, key):
    return admin.create_multipart_upload(Bucket=STAGING, Key=key, ContentType="video/mp4", Metadata={"a": "1"})["UploadId"]


def put(admin, key, upload, number, data, **more):
    return admin.upload_part(Bucket=STAGING, Key=key, UploadId=upload, PartNumber=number, Body=data, **more)["ETag"]


def complete(admin, key, upload, parts, **more):
    parts = [part if isinstance(part, dict) else {"PartNumber": part[0], "ETag": part[1]} for part in parts]
    return admin.complete_multipart_upload(Bucket=STAGING, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}, **more)


def test_parts_sent_by_presigned_urls_become_one_object(admin, uploader, key, upload):
    etags = {}
    for number, data in [(2, SECOND), (1, FIRST)]:
        parameters = {"Bucket": STAGING, "Key": key, "UploadId": upload, "PartNumber": number, "ContentLength": len(data)}
        url = uploader.generate_presigned_url("upload_part", Params=parameters)
        assert requests.put(url, data=data + b"x", timeout=30).status_code == 403
        answer = requests.put(url, data=data, timeout=30)
        assert answer.status_code == 200, answer.text
        etags[number] = answer.headers["ETag"]
    held = admin.list_parts(Bucket=STAGING, Key=key, UploadId=upload)["Parts"]
    assert [(part["PartNumber"], part["Size"], part["ETag"]) for part in held] == [(1, len(FIRST), etags[1]), (2, len(SECOND), etags[2])]
    done = complete(admin, key, upload, sorted(etags.items()))
    digest = hashlib.md5(hashlib.md5(FIRST).digest() + hashlib.md5(SECOND).digest()).hexdigest()
    assert done["ETag"] == f'"{digest}-2"'
    head = admin.head_object(Bucket=STAGING, Key=key)
    assert (head["ContentLength"], head["ContentType"], head["Metadata"]) == (len(FIRST) + len(SECOND), "video/mp4", {"a": "1"})
    assert admin.get_object(Bucket=STAGING, Key=key, Range=f"bytes={len(FIRST) - 2}-{len(FIRST) + 1}")["Body"].read() == b"aabb"
    assert complete(admin, key, upload, sorted(etags.items()))["ETag"] == done["ETag"]
    with pytest.raises(ClientError, match="NoSuchUpload"):
        put(admin, key, upload, 1, b"late")


def test_the_part_list_is_validated(admin, key, upload):
    one, two = put(admin, key, upload, 1, FIRST), put(admin, key, upload, 2, SECOND)
    small = put(admin, key, upload, 3, b"small")
    table = [
        ([(2, two), (1, one)], "InvalidPartOrder"),
        ([(1, one), (1, one)], "InvalidPartOrder"),
        ([(1, two)], "InvalidPart"),
        ([(1, one), (4, one)], "InvalidPart"),
        ([(2, two), (3, small)], "EntityTooSmall"),
        ([], "MalformedXML"),
        ([(0, one)], "InvalidArgument"),
    ]
    for parts, code in table:
        assert refused(lambda: complete(admin, key, upload, parts))[0] == code, parts
    broken = send(admin_server(admin), "POST", f"/{STAGING}/{key}?uploadId={upload}", data=b"<CompleteMultipartUpload><Part>")
    assert (broken.status_code, code_of(broken.text)) == (400, "MalformedXML")
    assert refused(lambda: admin.head_object(Bucket=STAGING, Key=key))[1] == 404
    assert complete(admin, key, upload, [(1, one), (3, small)])["ETag"].endswith('-2"')


class admin_server:
    """The address a client talks to, for a request by hand."""

    def __init__(self, client):
        self.url = client.meta.endpoint_url


def test_one_of_eight_conditional_completions_wins(server, admin, key):
    uploads = [admin.create_multipart_upload(Bucket=STAGING, Key=key)["UploadId"] for _ in range(8)]
    parts = [put(admin, key, upload, 1, str(number).encode()) for number, upload in enumerate(uploads)]

    def finish(number):
        try:
            complete(server.client("admin"), key, uploads[number], [(1, parts[number])], IfNoneMatch="*")
        except ClientError as error:
            return error.response["Error"]["Code"]
        return number

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(finish, range(8)))
    winners = [result for result in results if isinstance(result, int)]
    assert len(winners) == 1, results
    assert admin.get_object(Bucket=STAGING, Key=key)["Body"].read() == str(winners[0]).encode()


def test_parts_are_listed_in_pages(admin, key, upload):
    for number in range(1, 8):
        put(admin, key, upload, number, str(number).encode())
    pages = admin.get_paginator("list_parts").paginate(Bucket=STAGING, Key=key, UploadId=upload, PaginationConfig={"PageSize": 3})
    assert [part["PartNumber"] for page in pages for part in page["Parts"]] == list(range(1, 8))


def test_unfinished_uploads_are_listed_and_aborted(admin, key):
    uploads = [admin.create_multipart_upload(Bucket=STAGING, Key=f"{key}/{number}")["UploadId"] for number in range(5)]
    pages = admin.get_paginator("list_multipart_uploads").paginate(Bucket=STAGING, Prefix=key, PaginationConfig={"PageSize": 2})
    assert [entry["UploadId"] for page in pages for entry in page["Uploads"]] == uploads
    for number, upload in enumerate(uploads):
        admin.abort_multipart_upload(Bucket=STAGING, Key=f"{key}/{number}", UploadId=upload)
    assert "Uploads" not in admin.list_multipart_uploads(Bucket=STAGING, Prefix=key)
    gone = refused(lambda: admin.list_parts(Bucket=STAGING, Key=f"{key}/0", UploadId=uploads[0]))
    assert gone == ("NoSuchUpload", 404)


def test_an_upload_belongs_to_its_key(admin, key, upload):
    for call in [
        lambda: put(admin, key + "x", upload, 1, b"x"),
        lambda: admin.abort_multipart_upload(Bucket=STAGING, Key=key + "x", UploadId=upload),
        lambda: admin.abort_multipart_upload(Bucket=FINAL, Key=key, UploadId=upload),
    ]:
        assert refused(call) == ("NoSuchUpload", 404)


@pytest.mark.parametrize("number", [0, 10_001, "x", ""])
def test_part_numbers_lie_between_1_and_10000(server, key, upload, number):
    answer = send(server, "PUT", f"/{STAGING}/{key}?partNumber={number}&uploadId={upload}", data=b"x")
    assert (answer.status_code, code_of(answer.text)) == (400, "InvalidArgument")


def test_parts_can_be_made_of_an_object(admin, key, upload):
    source = {"Bucket": FINAL, "Key": "part-source+ü"}
    etag = admin.put_object(**source, Body=FIRST + SECOND)["ETag"]
    where = {"Bucket": STAGING, "Key": key, "UploadId": upload, "CopySource": source}
    one = admin.upload_part_copy(**where, PartNumber=1, CopySourceRange=f"bytes=0-{len(FIRST) - 1}", CopySourceIfMatch=etag)
    two = admin.upload_part_copy(**where, PartNumber=2, CopySourceRange=f"bytes={len(FIRST)}-{len(FIRST) + 2}")
    for bad in ["bytes=0-99999999", "bytes=0-", "bytes=-5", "0-5"]:
        assert refused(lambda: admin.upload_part_copy(**where, PartNumber=3, CopySourceRange=bad)) == ("InvalidArgument", 400), bad
    failed = refused(lambda: admin.upload_part_copy(**where, PartNumber=3, CopySourceIfMatch='"x"'))
    assert failed == ("PreconditionFailed", 412)
    complete(admin, key, upload, [(1, one["CopyPartResult"]["ETag"]), (2, two["CopyPartResult"]["ETag"])])
    assert admin.get_object(Bucket=STAGING, Key=key)["Body"].read() == FIRST + b"bbb"


def test_a_wrong_checksum_of_a_part_is_refused(server, admin, key, upload):
    put(admin, key, upload, 1, b"before")
    answer = send(server, "PUT", f"/{STAGING}/{key}?partNumber=1&uploadId={upload}", headers={"x-amz-checksum-crc32": "AAAAAA=="}, data=b"after")
    assert (answer.status_code, code_of(answer.text)) == (400, "BadDigest")
    assert admin.list_parts(Bucket=STAGING, Key=key, UploadId=upload)["Parts"][0]["Size"] == len(b"before")


def test_a_whole_objects_crc_is_verified_at_completion(admin, key):
    begun = admin.create_multipart_upload(Bucket=STAGING, Key=key, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    upload = begun["UploadId"]
    assert (begun["ChecksumAlgorithm"], begun["ChecksumType"]) == ("CRC32", "FULL_OBJECT")
    etags = [(1, put(admin, key, upload, 1, FIRST)), (2, put(admin, key, upload, 2, SECOND))]
    right = base64.b64encode(zlib.crc32(FIRST + SECOND).to_bytes(4, "big")).decode()
    wrong = refused(lambda: complete(admin, key, upload, etags, ChecksumCRC32="AAAAAA==", ChecksumType="FULL_OBJECT"))
    assert wrong == ("BadDigest", 400)
    done = complete(admin, key, upload, etags, ChecksumCRC32=right, ChecksumType="FULL_OBJECT")
    assert (done["ChecksumCRC32"], done["ChecksumType"]) == (right, "FULL_OBJECT")
    assert admin.head_object(Bucket=STAGING, Key=key, ChecksumMode="ENABLED")["ChecksumCRC32"] == right


def test_a_composite_checksum_is_of_the_parts(admin, key):
    upload = admin.create_multipart_upload(Bucket=STAGING, Key=key, ChecksumAlgorithm="SHA256")["UploadId"]
    parts = []
    for number, data in [(1, FIRST), (2, SECOND)]:
        part = admin.upload_part(Bucket=STAGING, Key=key, UploadId=upload, PartNumber=number, Body=data, ChecksumAlgorithm="SHA256")
        parts.append({"PartNumber": number, "ETag": part["ETag"], "ChecksumSHA256": part["ChecksumSHA256"]})
    swapped = [parts[0] | {"ChecksumSHA256": parts[1]["ChecksumSHA256"]}, parts[1]]
    assert refused(lambda: complete(admin, key, upload, swapped))[0] == "InvalidPart"
    done = complete(admin, key, upload, parts)
    whole = hashlib.sha256(hashlib.sha256(FIRST).digest() + hashlib.sha256(SECOND).digest()).digest()
    assert done["ChecksumSHA256"] == base64.b64encode(whole).decode() + "-2"
    assert done["ChecksumType"] == "COMPOSITE"


def test_a_promised_size_is_held(admin, key, upload):
    etag = put(admin, key, upload, 1, b"12345")
    assert refused(lambda: complete(admin, key, upload, [(1, etag)], MpuObjectSize=6))[1] == 400
    complete(admin, key, upload, [(1, etag)], MpuObjectSize=5)


def test_boto3s_own_transfer_works(admin, key):
    data = bytes(range(256)) * (80 * 1024)
    config = boto3.s3.transfer.TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=6 * MIB)
    admin.upload_fileobj(io.BytesIO(data), STAGING, key, Config=config)
    back = io.BytesIO()
    admin.download_fileobj(STAGING, key, back, Config=config)
    assert back.getvalue() == data
    admin.copy({"Bucket": STAGING, "Key": key}, FINAL, key, Config=config)
    assert admin.head_object(Bucket=FINAL, Key=key)["ContentLength"] == len(data)


def test_completing_again_with_a_checksum_type_gives_the_same_answer(admin, key):
    begun = {"ChecksumAlgorithm": "CRC32", "ChecksumType": "FULL_OBJECT"}
    upload = admin.create_multipart_upload(Bucket=STAGING, Key=key, **begun)["UploadId"]
    one = put(admin, key, upload, 1, SECOND, ChecksumAlgorithm="CRC32")
    wrong = refused(lambda: complete(admin, key, upload, [(1, one)], ChecksumType="COMPOSITE"))
    assert wrong == ("InvalidRequest", 400)
    first = complete(admin, key, upload, [(1, one)], ChecksumType="FULL_OBJECT")
    again = complete(admin, key, upload, [(1, one)], ChecksumType="FULL_OBJECT")
    assert (again["ETag"], again["ChecksumCRC32"]) == (first["ETag"], first["ChecksumCRC32"])


def test_a_part_named_with_a_checksum_that_it_does_not_have_is_refused(admin, key, upload):
    one = put(admin, key, upload, 1, SECOND, ChecksumAlgorithm="CRC32")
    part = {"PartNumber": 1, "ETag": one, "ChecksumSHA256": base64.b64encode(hashlib.sha256(b"x").digest()).decode()}
    assert refused(lambda: complete(admin, key, upload, [part])) == ("InvalidPart", 400)


def test_a_list_of_parts_that_was_changed_on_its_way_is_refused(server, admin, key, upload):
    one = put(admin, key, upload, 1, SECOND)
    document = f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{one}</ETag></Part></CompleteMultipartUpload>".encode()
    path = f"/{STAGING}/{key}?uploadId={upload}"
    wrong = send(server, "POST", path, data=document, headers={"content-md5": md5(document + b" ")})
    assert (wrong.status_code, code_of(wrong.text)) == (400, "BadDigest")
    right = send(server, "POST", path, data=document, headers={"content-md5": md5(document)})
    assert right.status_code == 200, right.text
