"""The whole flow over HTTP, on a store that is not ours."""

import base64
import hashlib
import itertools
import json
import os
import subprocess
import time
import urllib.parse

import pytest
import requests

from application import OWNER
from media import png, video
from service import PAGES, program

MIB = 2**20
SEEDS = itertools.count(1)


def put(grant, data, **headers):
    return requests.put(grant["url"], data=data, headers=grant["headers"] | headers, timeout=60)


def post(grant, data, **fields):
    return requests.post(
        grant["url"], data=grant["fields"] | fields, files={"file": data}, timeout=60, allow_redirects=False
    )


def picture():
    return png(next(SEEDS))


def refused(answer):
    return answer.status_code in (400, 403, 411, 412)


def until(condition):
    """Waits for what the service does by itself; half a minute at most."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


@pytest.fixture
def stored(app):
    """A picture that has been sent and promoted."""
    data = picture()
    begun = app.begin("image", "pier.png", "image/png", len(data))
    assert put(begun["grant"], data).status_code == 200
    done = app.complete(begun)
    assert (done["state"], done["file"]["size"], done["file"]["width"]) == ("stored", len(data), 2)
    return done["id"], data


def test_a_put_is_inspected_promoted_and_shown(app, stored, staging):
    id, data = stored
    assert app.bytes_of(id) == data


def test_a_display_url_gives_ranges_and_304(app, stored):
    id, data = stored
    url = app.ask("POST", "/v1/files/urls", {"ids": [id]})["urls"][0]["url"]
    whole = requests.get(url, timeout=60)
    assert whole.headers["content-type"] == "image/png"
    assert whole.headers["content-disposition"].startswith("inline")
    etag = whole.headers["etag"]
    part = requests.get(url, headers={"range": "bytes=1-3"}, timeout=60)
    assert (part.status_code, part.content) == (206, data[1:4])
    again = requests.get(url, headers={"if-none-match": etag}, timeout=60)
    assert (again.status_code, again.content) == (304, b"")


def test_a_stable_address_takes_ranges_and_heads(app, stored):
    id, data = stored
    address = f"{app.service.url}/f/{id}"
    part = requests.get(address, headers={"range": "bytes=4-"}, timeout=60)
    assert (part.status_code, part.content) == (206, data[4:])
    head = requests.head(address, allow_redirects=True, timeout=60)
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(data)))


def test_a_put_grant_is_good_for_one_object_of_one_length(app):
    data = picture()
    begun = app.begin("image", "one.png", "image/png", len(data))
    grant = begun["grant"]
    assert refused(put(grant, data + b"more")), "another length"
    assert refused(put(grant, data, **{"content-type": "text/html"})), "another type"
    assert put(grant, data).status_code == 200
    assert put(grant, data).status_code == 412, "a second object"
    assert app.complete(begun)["state"] == "stored"
    assert refused(put(grant, data)), "after inspection"
    assert app.bytes_of(begun["id"]) == data


def test_a_put_grant_reads_and_publishes_nothing(app, stored, staging):
    id, _ = stored
    final = os.environ["LOADLOCK_STORE_FINAL_BUCKET"]
    url = app.ask("GET", f"/v1/files/{id}")["url"]
    key = urllib.parse.urlsplit(url).path.removeprefix(f"/{final}/")
    grant = app.begin("image", "leak.png", "image/png", 10)["grant"]
    for name, value in {
        "x-amz-copy-source": f"/{final}/{key}",
        "x-amz-acl": "public-read",
        "x-amz-grant-read": 'uri="http://acs.amazonaws.com/groups/global/AllUsers"',
        "x-amz-server-side-encryption-customer-algorithm": "AES256",
    }.items():
        assert refused(put(grant, b"0123456789", **{name: value})), name
    assert refused(requests.get(grant["url"], timeout=60))
    assert refused(requests.delete(grant["url"], timeout=60))


def test_headers_that_no_grant_gave_are_refused_by_store_or_inspection(app):
    data = picture()
    begun = app.begin("image", "zipped.png", "image/png", len(data))
    if put(begun["grant"], data, **{"content-encoding": "gzip", "x-amz-meta-a": "b"}).status_code == 200:
        assert app.complete(begun, expect=422)["error"]["code"] == "rejected"
    assert app.look(begun)["state"] != "stored"


def test_bytes_of_another_kind_are_rejected(app):
    data = b"<script>alert(1)</script>"
    begun = app.begin("image", "trick.png", "image/png", len(data))
    assert put(begun["grant"], data).status_code == 200
    assert app.complete(begun, expect=422)["error"]["code"] == "rejected"
    assert app.look(begun)["state"] == "rejected"


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_a_checksum_is_shown_only_where_the_store_has_verified_it(app, algorithm):
    data = picture()
    value = base64.b64encode(hashlib.new(algorithm, data).digest()).decode()
    checksum = {"algorithm": algorithm, "value": value}
    right = app.begin("image", "sum.png", "image/png", len(data), checksum=checksum)
    assert put(right["grant"], data).status_code == 200
    shown = app.complete(right)["file"].get("checksum")
    wrong = app.begin("image", "sum.png", "image/png", len(data), checksum=checksum)
    answer = put(wrong["grant"], bytes(reversed(data)))
    if answer.status_code == 200:
        # This store takes no notice of the header. Then nobody may say that it did.
        assert shown is None
        assert algorithm == "sha256", "an MD5 is verified everywhere"
    else:
        assert answer.status_code == 400
        assert shown == checksum


def test_a_form_is_held_to_its_limits_and_claimed(app, staging):
    data = picture()
    begun = app.begin("post", "form.png", "image/png", len(data), method="post")
    grant = begun["grant"]
    assert refused(post(grant, data + b"more")), "another length"
    assert refused(post(grant, data, key="in/elsewhere")), "another key"
    assert refused(post(grant, data, acl="public-read")), "a field that was not signed"
    assert post(grant, data).status_code in (200, 201, 204)
    assert app.complete(begun)["state"] == "ready"
    # The form can be sent again until it expires; what was inspected is promoted nevertheless.
    assert post(grant, bytes(reversed(data))).status_code in (200, 201, 204)
    [file] = app.claim(begun["id"], title="At the pier")["files"]
    assert (file["metadata"], file["size"]) == ({"title": "At the pier"}, len(data))
    assert app.bytes_of(begun["id"]) == data
    assert app.claim(begun["id"], title="At the pier")["files"][0]["id"] == file["id"], "claiming twice"


def test_many_are_begun_at_once_and_claimed_together(app):
    all_data = {"one": picture(), "two": picture()}
    files = [
        {"ref": ref, "filename": f"{ref}.png", "content_type": "image/png", "size": len(data)}
        for ref, data in all_data.items()
    ]
    notes = {"ref": "notes", "filename": "notes.txt", "content_type": "text/plain", "size": 5}
    wish = {"profile": "post", "owner": OWNER, "files": [*files, notes]}
    one, two, none = app.ask("POST", "/v1/uploads", wish)["uploads"]
    assert (none["ref"], none["error"]["code"]) == ("notes", "type_not_allowed")
    for begun in (one, two):
        assert put(begun["grant"], all_data[begun["ref"]]).status_code == 200
    assert app.complete(one)["state"] == "ready"
    claimed = app.claim(one["id"], two["id"], title="Two")["files"]
    assert [file["id"] for file in claimed] == [one["id"], two["id"]]
    for begun in (one, two):
        assert app.bytes_of(begun["id"]) == all_data[begun["ref"]]


def test_a_form_rendered_before_a_file_is_chosen_comes_back(app):
    wish = {"profile": "post", "method": "post", "owner": OWNER, "return_to": f"{PAGES[0]}/new?draft=7"}
    begun = app.ask("POST", "/v1/uploads", wish, expect=201)
    sent = post(begun["grant"], picture())
    assert sent.status_code == 303, sent.text
    back = requests.get(sent.headers["location"], timeout=60, allow_redirects=False)
    assert back.status_code == 303, back.text
    address = urllib.parse.urlsplit(back.headers["location"])
    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{PAGES[0]}/new"
    query = dict(urllib.parse.parse_qsl(address.query))
    assert query == {"draft": "7", "upload": begun["id"], "state": "ready"}
    [file] = app.claim(begun["id"])["files"]
    assert (file["content_type"], file["filename"]) == ("image/png", "unnamed.png")


def test_parts_are_resumed_from_what_the_store_holds(app, staging):
    data = video(70 * MIB)
    begun = app.begin("video", "walk.mp4", "video/mp4", len(data))
    path = f"/v1/uploads/{begun['id']}"
    size = begun["grant"]["part_size"]
    piece = lambda number: data[(number - 1) * size : number * size]

    def send(part):
        return requests.put(part["url"], data=piece(part["number"]), headers=part["headers"], timeout=60)

    first, second, *rest = begun["grant"]["parts"]
    assert refused(requests.put(first["url"], data=piece(first["number"])[1:], timeout=60)), "another length"
    # One of them twice, as after a lost answer.
    for part in (second, first, second):
        assert send(part).status_code == 200
    assert app.call("POST", f"{path}/complete", token=begun["token"]).status_code == 409
    missing = [part["number"] for part in rest]
    signed = app.ask("POST", f"{path}/parts", {"parts": missing}, token=begun["token"])
    assert sorted(part["number"] for part in signed["held"]) == [1, 2]
    for part in signed["parts"]:
        assert send(part).status_code == 200
    assert app.complete(begun)["state"] == "stored"
    assert hashlib.sha256(app.bytes_of(begun["id"])).digest() == hashlib.sha256(data).digest()
    assert refused(send(first)) or send(first).status_code == 404, "a part after completion"
    assert staging.unfinished(begun["id"]) == []


def test_a_part_cannot_be_copied_from_elsewhere(app, stored):
    id, _ = stored
    final = os.environ["LOADLOCK_STORE_FINAL_BUCKET"]
    source = urllib.parse.urlsplit(app.ask("GET", f"/v1/files/{id}")["url"]).path
    assert source.startswith(f"/{final}/")
    begun = app.begin("video", "leak.mp4", "video/mp4", 70 * MIB)
    [part, *_] = begun["grant"]["parts"]
    answer = requests.put(part["url"], headers=part["headers"] | {"x-amz-copy-source": source}, timeout=60)
    assert refused(answer), answer.status_code
    app.call("DELETE", f"/v1/uploads/{begun['id']}")


def test_an_abort_leaves_neither_object_nor_parts(app, staging):
    data = picture()
    single = app.begin("post", "gone.png", "image/png", len(data))
    assert put(single["grant"], data).status_code == 200
    parts = app.begin("video", "gone.mp4", "video/mp4", 70 * MIB)
    [part, *_] = parts["grant"]["parts"]
    sent = requests.put(part["url"], data=video(70 * MIB)[: part["size"]], headers=part["headers"], timeout=60)
    assert sent.status_code == 200
    for begun in (single, parts):
        assert app.call("DELETE", f"/v1/uploads/{begun['id']}", token=begun["token"]).status_code in (200, 204)
        assert app.look(begun)["state"] == "aborted"
    until(lambda: staging.unfinished(parts["id"]) == [])
    late = requests.put(part["url"], data=video(70 * MIB)[: part["size"]], headers=part["headers"], timeout=60)
    assert late.status_code in (403, 404), "a part of an aborted upload"
    assert app.claim(single["id"], expect=409)["error"]["code"] == "upload_ended"


def test_the_tutorials_contract_is_kept(app):
    wish = {"path": "avatars/me.png", "content_type": "image/png", "owner": OWNER}
    answer = app.ask("POST", "/upload_url", wish, expect=201)
    data = picture()
    sent = requests.put(answer["put_url"], data=data, headers={"content-type": "image/png"}, timeout=60)
    assert sent.status_code == 200, sent.text
    shown = requests.get(answer["get_url"], timeout=60)
    assert (shown.status_code, shown.content) == (200, data)


def test_files_are_put_by_the_command_line(app, tmp_path):
    small, large = tmp_path / "small.png", tmp_path / "large.mp4"
    small.write_bytes(picture())
    large.write_bytes(video(66 * MIB))
    token = app.service.user_token(OWNER)
    line = [program(), "put", "--json", "--api", app.service.url, str(small), str(large)]
    done = subprocess.run(line, env=os.environ | {"LOADLOCK_TOKEN": token}, capture_output=True, timeout=120, text=True)
    assert done.returncode == 0, done.stderr
    files = [json.loads(line) for line in done.stdout.splitlines()]
    assert [file["state"] for file in files] == ["stored", "stored"]
    assert app.bytes_of(files[1]["id"]) == large.read_bytes()


def test_a_deleted_file_is_gone_from_the_store(app, stored):
    id, _ = stored
    url = app.ask("GET", f"/v1/files/{id}")["url"]
    assert app.call("DELETE", f"/v1/files/{id}").status_code in (200, 204)
    until(lambda: requests.get(url, timeout=60).status_code in (403, 404))
