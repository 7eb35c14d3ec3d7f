"""The holder of a form."""

import base64
import json
import pathlib

import pytest
import requests

from gate import ENDPOINT, FINAL, STAGING, boundaried, post

COLLISION = pathlib.Path(__file__).parent / "collision"
# Two byte strings with one MD5 (Wang, Feng, Lai, Yu: "Collisions for hash functions MD4, MD5, HAVAL-128 and RIPEMD", 2004).
ONE, OTHER = ((COLLISION / name).read_bytes() for name in ("one", "other"))


@pytest.fixture
def begun(gate):
    return gate.begin("raw", gate.picture(), method="post")


def taken(answer):
    return answer.status_code in (200, 201, 204)


def send(url, body):
    headers = {"content-type": "multipart/form-data; boundary=x7q"}
    return requests.post(url, data=body, headers=headers, timeout=60, allow_redirects=False)


def fields(grant):
    return [(f'content-disposition: form-data; name="{name}"'.encode(), value.encode()) for name, value in grant["fields"].items()]


FILE = b'content-disposition: form-data; name="file"; filename="a.png"\r\ncontent-type: image/png'


def test_a_longer_or_shorter_file(gate, attempt, begun):
    """Form: a longer or a shorter file"""
    for other in (begun["data"] + b"x", begun["data"][:-1], b""):
        attempt.store(post(begun["grant"], other))
    assert gate.complete(begun).status_code == 409


@pytest.mark.parametrize(
    "change",
    [
        {"key": "in/elsewhere"},
        {"key": "in/${filename}"},
        {"key": "held/x/1"},
        {"key": ""},
        {"content-type": "text/html"},
        {"x-amz-date": "20990101T000000Z"},
        {"x-amz-credential": "nobody/20990101/us-east-1/s3/aws4_request"},
        {"x-amz-algorithm": "none"},
        {"x-amz-signature": "0" * 64},
        {"policy": ""},
    ],
    ids=lambda change: "-".join([*change, "".join(c for c in next(iter(change.values()))[:8] if c.isalnum())]),
)
def test_other_values(gate, attempt, begun, change):
    """Form: another key, type, date, signer, or none"""
    attempt.store(post(begun["grant"], begun["data"], **change))
    gate.abort(begun)


def test_another_policy(gate, attempt, begun):
    """Form: a policy with wider limits under the same signature"""
    policy = json.loads(base64.b64decode(begun["grant"]["fields"]["policy"]))
    policy["conditions"] = [one for one in policy["conditions"] if "content-length-range" not in one]
    wider = base64.b64encode(json.dumps(policy).encode()).decode()
    attempt.store(post(begun["grant"], begun["data"] * 2, policy=wider))
    gate.abort(begun)


EXTRA = {
    "acl": "public-read",
    "bucket": FINAL,
    "tagging": "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>",
    "Cache-Control": "public",
    "Content-Encoding": "gzip",
    "Content-Disposition": "attachment",
    "Expires": "Thu, 01 Dec 2094 16:00:00 GMT",
    "success_action_redirect": "https://example.com/",
    "success_action_status": "201",
    "x-amz-meta-a": "b",
    "x-amz-storage-class": "REDUCED_REDUNDANCY",
    "x-amz-server-side-encryption": "AES256",
    "x-amz-website-redirect-location": "https://example.com/",
    "x-amz-copy-source": f"/{FINAL}/any",
    "x-ignore-a": "b",
}


@pytest.mark.parametrize("name", EXTRA)
def test_more_fields(gate, attempt, begun, name):
    """Form: fields that the policy does not name"""
    answer = post(begun["grant"], begun["data"], **{name: EXTRA[name]})
    assert "example.com" not in answer.headers.get("location", ""), "sent astray"
    shown = requests.get(f"{ENDPOINT}/{STAGING}/{begun['grant']['fields']['key']}", timeout=60)
    assert begun["data"] not in shown.content, "anybody can read it"
    attempt.come_to(begun, answer, name)


def test_headers_beside_the_form(gate, attempt, begun):
    """Form: `x-amz-…` and `content-encoding` as headers of the request, a copy's source among them"""
    for name, value in (("x-amz-acl", "public-read"), ("x-amz-copy-source", f"/{FINAL}/any"), ("x-amz-tagging", "a=b")):
        body = boundaried([*fields(begun["grant"]), (FILE, begun["data"])])
        headers = {"content-type": "multipart/form-data; boundary=x7q", name: value}
        answer = requests.post(begun["grant"]["url"], data=body, headers=headers, timeout=60)
        assert taken(answer) or answer.status_code in (400, 403, 501), answer.text
        shown = requests.get(f"{ENDPOINT}/{STAGING}/{begun['grant']['fields']['key']}", timeout=60)
        assert begun["data"] not in shown.content, name
    attempt.come_to(begun, post(begun["grant"], begun["data"]))


def test_doubled_parts(gate, attempt):
    """Form: fields twice, two files, a file before its fields, CR LF in a name"""
    page = b"<script>alert(1)</script>"
    for parts in (
        lambda grant, data: [*fields(grant), (b'content-disposition: form-data; name="key"', b"in/elsewhere"), (FILE, data)],
        lambda grant, data: [(b'content-disposition: form-data; name="key"', b"in/elsewhere"), *fields(grant), (FILE, data)],
        lambda grant, data: [*fields(grant), (FILE, data), (FILE, page)],
        lambda grant, data: [(FILE, data), *fields(grant)],
        lambda grant, data: [*fields(grant), (b'content-disposition: form-data; name="x-amz-acl\r\nx: y"', b"public-read"), (FILE, data)],
    ):
        begun = gate.begin("raw", gate.picture(), method="post")
        answer = send(begun["grant"]["url"], boundaried(parts(begun["grant"], begun["data"])))
        attempt.come_to(begun, answer)


@pytest.mark.parametrize("name", ["../../held/x", "..\\..\\x", "a\"; name=\"key", "a%0d%0ax: y", "\u202egnp.exe", "x" * 5000])
def test_a_hostile_filename(gate, attempt, begun, name):
    """Form: a hostile file name"""
    attempt.come_to(begun, post(begun["grant"], begun["data"], name=name))


def test_another_bucket(gate, attempt, begun):
    """Form: sent to another bucket"""
    grant = begun["grant"]
    attempt.store(post(grant | {"url": grant["url"].replace(STAGING, FINAL)}, begun["data"]))
    gate.abort(begun)


def test_a_replay_before_inspection(gate, attempt):
    """Form: sent twice; the second time, before inspection, with content of another kind"""
    begun = gate.begin("image", gate.picture(), method="post")
    assert taken(post(begun["grant"], begun["data"]))
    page = b"<script>".ljust(len(begun["data"]))
    answer = post(begun["grant"], page)
    if taken(answer):
        attempt.inspection(begun, "type_mismatch")
    else:
        attempt.store(answer)
        gate.stored(begun)


def test_a_replay_with_a_colliding_md5(gate, attempt):
    """Form: replayed after inspection with other bytes of the same MD5, before the claim and after it"""
    begun = gate.begin("claimed", ONE, content_type="application/octet-stream", method="post")
    assert taken(post(begun["grant"], ONE))
    assert gate.complete(begun).json()["state"] == "ready"
    assert taken(post(begun["grant"], OTHER))
    gate.stored(begun, ONE)
    assert taken(post(begun["grant"], OTHER))
    assert gate.bytes_of(begun) == ONE
    attempt.held("copy in held/")


def test_a_replay_on_completion(gate, attempt):
    """Form: replayed with other bytes of the same MD5 while it is completed, again and again"""
    from concurrent.futures import ThreadPoolExecutor

    begun = gate.begin("raw", ONE, content_type="application/octet-stream", method="post")
    assert taken(post(begun["grant"], ONE))
    with ThreadPoolExecutor(4) as pool:
        sent = [pool.submit(post, begun["grant"], [OTHER, ONE][n % 2]) for n in range(12)]
        answer = gate.complete(begun)
        assert all(taken(one.result()) for one in sent)
    assert answer.status_code == 200, answer.text
    bytes_of = gate.bytes_of(begun)
    assert bytes_of in (ONE, OTHER)
    for _ in range(4):
        assert taken(post(begun["grant"], OTHER if bytes_of == ONE else ONE))
    gate.stored(begun, bytes_of)
    attempt.held("copy in held/")
