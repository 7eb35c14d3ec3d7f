"""Tags by boto3: given with an object or put on it later, kept by copies, and each of them with a permission of its own."""

import signal

import pytest
import requests

from conftest import FINAL, STAGING, Server
from test_forms import form, post
from wire import code_of, presigned, refused, send

DENIED = ("AccessDenied", 403)
DOCUMENT = "<Tagging><TagSet><Tag><Key>team</Key><Value>photos</Value></Tag></TagSet></Tagging>"


def tags(client, key, bucket=FINAL):
    return {tag["Key"]: tag["Value"] for tag in client.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]}


def tag_set(**pairs):
    return {"TagSet": [{"Key": key, "Value": value} for key, value in pairs.items()]}


def counted(client, key, bucket=FINAL):
    """As HEAD and GET tell it."""
    told = [ask(Bucket=bucket, Key=key)["ResponseMetadata"]["HTTPHeaders"] for ask in (client.head_object, client.get_object)]
    counts = {answer.get("x-amz-tagging-count") for answer in told}
    assert len(counts) == 1
    return counts.pop()


def test_tags_given_with_an_object_are_read_replaced_and_deleted(admin, key):
    admin.put_object(Bucket=FINAL, Key=key, Body=b"x", Tagging="team=photo+room&%C3%A9=a%2Fb%3Dc&empty=")
    before = admin.head_object(Bucket=FINAL, Key=key)
    assert tags(admin, key) == {"team": "photo room", "é": "a/b=c", "empty": ""}
    assert counted(admin, key) == "3"
    admin.put_object_tagging(Bucket=FINAL, Key=key, Tagging=tag_set(a="1", b="2"))
    assert tags(admin, key) == {"a": "1", "b": "2"}
    after = admin.head_object(Bucket=FINAL, Key=key)
    assert (after["ETag"], after["LastModified"]) == (before["ETag"], before["LastModified"])
    answer = admin.delete_object_tagging(Bucket=FINAL, Key=key)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert (tags(admin, key), counted(admin, key)) == ({}, None)
    admin.put_object(Bucket=FINAL, Key=key, Body=b"x", Tagging="a=1")
    admin.put_object(Bucket=FINAL, Key=key, Body=b"x")
    assert tags(admin, key) == {}, "another object's"


def test_tags_are_there_after_the_store_was_killed(tmp_path, key):
    server = Server(tmp_path)
    admin = server.client("admin")
    admin.put_object(Bucket=FINAL, Key=key, Body=b"x", Tagging="a=1")
    admin.put_object_tagging(Bucket=FINAL, Key=key, Tagging=tag_set(b="2"))
    server.stop(signal.SIGKILL)
    server.start()
    assert tags(server.client("admin"), key) == {"b": "2"}
    assert server.stop() == 0


def test_an_upload_in_parts_has_the_tags_it_was_begun_with(server, admin, key):
    upload = admin.create_multipart_upload(Bucket=FINAL, Key=key, Tagging="team=video")["UploadId"]
    here = {"Bucket": FINAL, "Key": key, "UploadId": upload}
    late = send(server, "PUT", f"/{FINAL}/{key}?partNumber=1&uploadId={upload}", headers={"x-amz-tagging": "a=b"}, data=b"x")
    assert (late.status_code, code_of(late.text)) == (501, "NotImplemented"), "a part has none"
    etag = admin.upload_part(**here, PartNumber=1, Body=b"x")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    for _ in range(2):
        admin.complete_multipart_upload(**here, MultipartUpload=parts)
    assert (tags(admin, key), counted(admin, key)) == ({"team": "video"}, "1")


def test_a_copy_keeps_or_replaces_tags_whatever_becomes_of_the_metadata(admin, key):
    admin.put_object(Bucket=STAGING, Key=key, Body=b"x", ContentType="image/png", Tagging="a=1")
    source = {"Bucket": STAGING, "Key": key}

    def copied(**more):
        admin.copy_object(Bucket=FINAL, Key=key, CopySource=source, **more)
        return tags(admin, key), admin.head_object(Bucket=FINAL, Key=key)["ContentType"]

    assert copied() == ({"a": "1"}, "image/png")
    assert copied(MetadataDirective="REPLACE", ContentType="text/plain") == ({"a": "1"}, "text/plain")
    assert copied(TaggingDirective="REPLACE", Tagging="b=2") == ({"b": "2"}, "image/png")
    assert copied(TaggingDirective="REPLACE") == ({}, "image/png")
    assert copied(TaggingDirective="COPY") == ({"a": "1"}, "image/png")


def test_a_form_brings_its_tags_as_a_document_and_as_far_as_its_policy_lets(admin, key):
    assert post(form(admin, key, [], {"tagging": DOCUMENT}), b"x").status_code == 204
    assert tags(admin, key, STAGING) == {"team": "photos"}
    signed = form(admin, key, [], {"tagging": DOCUMENT})
    signed["fields"]["tagging"] = DOCUMENT.replace("photos", "others")
    other = post(signed, b"x")
    assert (other.status_code, code_of(other.text)) == (403, "AccessDenied")
    added = form(admin, key)
    added["fields"]["tagging"] = DOCUMENT
    assert post(added, b"x").status_code == 403
    for field, value, code in [
        ("tagging", "a=b", "MalformedXML"),
        ("tagging", DOCUMENT.replace("team", "aws:team"), "InvalidTag"),
        ("x-amz-tagging", "a=b", "NotImplemented"),
    ]:
        answer = post(form(admin, key, [], {field: value}), b"x")
        assert code_of(answer.text) == code, field


@pytest.mark.parametrize("header,code", [
    ("&".join(f"n{number}=v" for number in range(11)), "BadRequest"),
    ("a=1&a=2", "InvalidArgument"),
    ("a=%FF", "InvalidArgument"),
    ("=v", "InvalidTag"),
    ("aws:a=v", "InvalidTag"),
    ("a=%3C", "InvalidTag"),
    ("k" * 129 + "=v", "InvalidTag"),
    ("k=" + "v" * 257, "InvalidTag"),
])
def test_a_header_that_says_no_tags_is_refused(admin, key, header, code):
    assert refused(lambda: admin.put_object(Bucket=FINAL, Key=key, Body=b"x", Tagging=header)) == (code, 400)
    upload = refused(lambda: admin.create_multipart_upload(Bucket=FINAL, Key=key, Tagging=header))
    assert upload == (code, 400)
    assert refused(lambda: admin.head_object(Bucket=FINAL, Key=key))[1] == 404


def test_a_document_is_held_to_the_same_limits(server, admin, key):
    admin.put_object(Bucket=FINAL, Key=key, Body=b"x", Tagging="kept=1")

    def put(*pairs):
        document = {"TagSet": [{"Key": name, "Value": value} for name, value in pairs]}
        return refused(lambda: admin.put_object_tagging(Bucket=FINAL, Key=key, Tagging=document))

    assert put(*((f"n{number}", "v") for number in range(11))) == ("BadRequest", 400)
    for pairs in [[("a", "1"), ("a", "2")], [("k" * 129, "v")], [("k", "v" * 257)], [("a", "<")], [("AWS:a", "1")]]:
        assert put(*pairs) == ("InvalidTag", 400), pairs
    for document in [b"", b"<Tagging/>", b"<Other/>", b"<Tagging><TagSet><Tag/></TagSet></Tagging>"]:
        answer = send(server, "PUT", f"/{FINAL}/{key}?tagging", data=document)
        assert (answer.status_code, code_of(answer.text)) == (400, "MalformedXML"), document
    most = {f"{number:0128}": "é" * 256 for number in range(10)}
    assert tags(admin, key) == {"kept": "1"}
    admin.put_object_tagging(Bucket=FINAL, Key=key, Tagging=tag_set(**most))
    assert tags(admin, key) == most


def test_tags_of_nothing_are_none(admin, key):
    for call in [admin.get_object_tagging, admin.delete_object_tagging, lambda **here: admin.put_object_tagging(**here, Tagging=tag_set(a="1"))]:
        assert refused(lambda: call(Bucket=FINAL, Key=key)) == ("NoSuchKey", 404)


def test_who_may_only_put_or_read_objects_has_nothing_to_do_with_tags(server, admin, uploader, reader, key):
    admin.put_object(Bucket=STAGING, Key=key, Body=b"x", Tagging="a=1")
    admin.put_object(Bucket=FINAL, Key=key, Body=b"x", Tagging="a=1")
    here = {"Bucket": STAGING, "Key": key}
    there = {"Bucket": FINAL, "Key": key}
    calls = {
        "with an object": lambda: uploader.put_object(**here, Body=b"y", Tagging="b=2"),
        "none, in so many words": lambda: uploader.put_object(**here, Body=b"y", Tagging=""),
        "with an upload": lambda: uploader.create_multipart_upload(**here, Tagging="b=2"),
        "on it": lambda: uploader.put_object_tagging(**here, Tagging=tag_set(b="2")),
        "off it": lambda: uploader.delete_object_tagging(**here),
        "read": lambda: uploader.get_object_tagging(**here),
        "read by the reader": lambda: reader.get_object_tagging(**there),
        "of nothing, by the reader": lambda: reader.get_object_tagging(Bucket=FINAL, Key=key + "2"),
    }
    assert {name: refused(call) for name, call in calls.items()} == dict.fromkeys(calls, DENIED)
    hoisted = presigned(server, "uploader", "PUT", f"/{STAGING}/{key}?x-amz-tagging=b%3D2")
    assert requests.put(hoisted, data=b"y", timeout=30).status_code == 403
    added = requests.put(presigned(server, "uploader", "PUT", f"/{STAGING}/{key}"), headers={"x-amz-tagging": "b=2"}, data=b"y", timeout=30)
    assert added.status_code == 403
    assert counted(reader, key) is None, "whoever may not read them is not told how many"
    assert (tags(admin, key, STAGING), tags(admin, key)) == ({"a": "1"}, {"a": "1"})


def test_a_copy_that_keeps_tags_needs_what_reading_and_writing_them_needs(admin, server, key):
    """`copier` reads and writes objects, and has nothing to do with tags."""
    copier = server.client("copier")
    admin.put_object(Bucket=FINAL, Key=key, Body=b"x", Tagging="a=1")
    source = {"Bucket": FINAL, "Key": key}
    assert refused(lambda: copier.copy_object(Bucket=FINAL, Key=key + "2", CopySource=source)) == DENIED
    replaced = {"TaggingDirective": "REPLACE", "Tagging": "b=2"}
    assert refused(lambda: copier.copy_object(Bucket=FINAL, Key=key + "2", CopySource=source, **replaced)) == DENIED
    copier.copy_object(Bucket=FINAL, Key=key + "2", CopySource=source, TaggingDirective="REPLACE")
    assert tags(admin, key + "2") == {}
    admin.delete_object_tagging(**source)
    copier.copy_object(Bucket=FINAL, Key=key + "3", CopySource=source)
