"""What a profile asks of the store for its files (`storage`), looked at on the final object by boto3."""

import os

import pytest
import requests

import document
from application import Application, client
from service import Service
from test_flow import picture, put

FINAL = os.environ.get("LOADLOCK_STORE_FINAL_BUCKET")
TRIED = {one["name"]: one["outcome"] for one in document.kept(os.environ["STORE"])["storage"]}
TAKEN = [name for name, outcome in TRIED.items() if outcome == "holds"]


def promoted(app):
    """A picture of the profile `kept`: its id, its bytes, and its key in the final bucket."""
    data = picture()
    begun = app.begin("kept", "Am Pier.png", "image/png", len(data))
    assert put(begun["grant"], data).status_code == 200
    assert app.complete(begun)["state"] == "stored"
    [key] = keys(begun["id"])
    return begun["id"], data, key


def keys(id):
    pages = client("LOADLOCK_STORE_SERVER").get_paginator("list_objects_v2").paginate(Bucket=FINAL)
    return [entry["Key"] for page in pages for entry in page.get("Contents", []) if id in entry["Key"]]


def test_a_promoted_file_lies_as_its_profile_says(app):
    id, data, key = promoted(app)
    server = client("LOADLOCK_STORE_SERVER")
    tags = server.get_object_tagging(Bucket=FINAL, Key=key)["TagSet"]
    found = {tag["Key"]: tag["Value"] for tag in tags}
    assert found.keys() == {"team:name", "whose"}
    assert found["team:name"] == "photo room"
    profile, owner, file = found["whose"].split("/")
    assert (profile, file) == ("kept", id)
    assert owner in key and owner != "ada", "a hash of the owner"
    head = server.head_object(Bucket=FINAL, Key=key)
    assert head["ContentType"] == "image/png"
    assert head["CacheControl"] == "private, max-age=60"
    assert head["ContentDisposition"] == 'attachment; filename="Am Pier.png"'
    assert head.get("StorageClass", "STANDARD") == "STANDARD"
    assert app.bytes_of(id) == data
    shown = requests.get(f"{app.service.url}/f/{id}", timeout=60)
    assert (shown.headers["cache-control"], shown.headers["content-disposition"]) == (head["CacheControl"], head["ContentDisposition"])


@pytest.mark.parametrize("asked", TAKEN)
def test_what_the_store_takes_beside_is_on_the_file_too(service, tmp_path, asked):
    other = Service(tmp_path)
    other.start(**document.ASKED[asked])
    app = Application(other)
    id, data, key = promoted(app)
    head = client("LOADLOCK_STORE_SERVER").head_object(Bucket=FINAL, Key=key)
    name, value = asked.replace('"', "").split(" = ")
    assert head[{"class": "StorageClass", "encryption": "ServerSideEncryption"}[name]] == value
    assert app.bytes_of(id) == data
    assert other.stop() == 0


# The embedded store says so at the start: `cli_program` has the sentences. SeaweedFS takes `aws:kms` without a key and cannot
# give back what it has made of it, as `loadlock doctor` finds.
@pytest.mark.parametrize(
    "asked", [name for name in TRIED if name not in TAKEN and (os.environ["STORE"], name) != ("seaweedfs", 'encryption = "aws:kms"')]
)
def test_what_the_store_does_not_take_is_not_stored_in_another_way(service, tmp_path, asked):
    other = Service(tmp_path)
    if os.environ["STORE"] == "embedded":
        with pytest.raises(AssertionError, match="did not start"):
            other.start(**document.ASKED[asked])
        return
    other.start(**document.ASKED[asked])
    app = Application(other)
    data = picture()
    begun = app.begin("kept", "Am Pier.png", "image/png", len(data))
    assert put(begun["grant"], data).status_code == 200
    error = app.complete(begun, expect=503)["error"]
    assert "`storage`" in error["message"], error
    assert keys(begun["id"]) == []
    assert other.stop() == 0
