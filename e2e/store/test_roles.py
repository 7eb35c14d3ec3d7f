"""Temporary keys, as boto3 gets and uses them."""

import datetime
import io
import json

import requests
from boto3.s3.transfer import TransferConfig

from conftest import ROLE, STAGING, Server, document, statement
from wire import refused

DENIED = ("AccessDenied", 403)


def test_a_role_is_assumed_for_as_long_as_asked(server):
    sts = server.client("admin", "sts")
    answer = sts.assume_role(RoleArn=ROLE, RoleSessionName="ann@example.com", DurationSeconds=900)
    left = answer["Credentials"]["Expiration"] - datetime.datetime.now(datetime.timezone.utc)
    assert 880 < left.total_seconds() <= 900
    assert answer["AssumedRoleUser"]["Arn"] == "arn:aws:sts::000000000000:assumed-role/uploads/ann@example.com"
    assert sts.get_caller_identity()["Arn"] == "arn:aws:iam::000000000000:user/admin"


def test_a_role_is_refused_to_whom_no_policy_lets(server):
    for name in ["uploader", "reader"]:
        sts = server.client(name, "sts")
        assert refused(lambda: sts.assume_role(RoleArn=ROLE, RoleSessionName="ann")) == DENIED
    sts = server.client("admin", "sts")
    other = ROLE.replace("uploads", "other")
    assert refused(lambda: sts.assume_role(RoleArn=other, RoleSessionName="ann")) == DENIED
    assert refused(lambda: sts.assume_role(RoleArn=ROLE, RoleSessionName="ann", Policy="{}")) == ("MalformedPolicyDocument", 400)
    assert refused(lambda: sts.get_session_token()) == ("InvalidAction", 400)


def test_a_session_uploads_whole_in_parts_by_url_and_by_form(server, admin):
    session = server.assume()
    session.put_object(Bucket=STAGING, Key="cred/whole", Body=b"x")
    parts = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)
    session.upload_fileobj(io.BytesIO(bytes(11 << 20)), STAGING, "cred/parts", Config=parts)
    assert admin.head_object(Bucket=STAGING, Key="cred/parts")["ContentLength"] == 11 << 20
    url = session.generate_presigned_url("put_object", Params={"Bucket": STAGING, "Key": "cred/url"})
    assert requests.put(url, data=b"x", timeout=30).status_code == 200
    form = session.generate_presigned_post(STAGING, "cred/form")
    assert requests.post(form["url"], data=form["fields"], files={"file": b"x"}, timeout=30).status_code == 204
    del form["fields"]["x-amz-security-token"]
    assert requests.post(form["url"], data=form["fields"], files={"file": b"x"}, timeout=30).status_code == 403


def test_a_session_may_no_more_than_its_policy_and_its_role(server, admin):
    mine = f"arn:aws:s3:::{STAGING}/cred/ann/*"
    narrow = server.assume(Policy=json.dumps(document(statement("Allow", ["s3:PutObject", "s3:AbortMultipartUpload"], mine))))
    wide = server.assume(Policy=json.dumps(document(statement("Allow", "*", "*"))))
    narrow.put_object(Bucket=STAGING, Key="cred/ann/a", Body=b"x")
    here = {"Bucket": STAGING, "Key": "cred/ann/a"}
    calls = {
        "get": lambda who: who.get_object(**here),
        "list": lambda who: who.list_objects_v2(Bucket=STAGING, Prefix="cred/ann/"),
        "delete": lambda who: who.delete_object(**here),
        "outside": lambda who: who.put_object(Bucket=STAGING, Key="in/a", Body=b""),
        "copy": lambda who: who.copy_object(Bucket=STAGING, Key="cred/ann/b", CopySource=here),
        "acl": lambda who: who.put_object(**here, Body=b"", ACL="public-read"),
        "tags": lambda who: who.put_object(**here, Body=b"", Tagging="a=b"),
        "class": lambda who: who.put_object(**here, Body=b"", StorageClass="STANDARD"),
        "other bucket": lambda who: who.put_object(Bucket="final", Key="cred/ann/a", Body=b""),
    }
    for who in [narrow, wide]:
        assert {name: refused(lambda: call(who)) for name, call in calls.items()} == dict.fromkeys(calls, DENIED)
    assert refused(lambda: narrow.put_object(Bucket=STAGING, Key="cred/bob/a", Body=b"")) == DENIED
    begun = admin.create_multipart_upload(**here)["UploadId"]
    narrow.abort_multipart_upload(**here, UploadId=begun)


def test_sessions_outlive_a_restart(tmp_path):
    server = Server(tmp_path)
    try:
        session = server.assume()
        server.stop()
        server.start()
        credentials = session._request_signer._credentials.get_frozen_credentials()
        again = server.client_of(
            "s3",
            aws_access_key_id=credentials.access_key,
            aws_secret_access_key=credentials.secret_key,
            aws_session_token=credentials.token,
        )
        again.put_object(Bucket=STAGING, Key="cred/a", Body=b"x")
    finally:
        server.stop()
