"""The holder of a PUT's URL."""

import base64
import hashlib

import pytest
import requests

from gate import ENDPOINT, FINAL, HONEST, STAGING, put, raw, target


@pytest.fixture
def begun(gate):
    return gate.begin("raw", gate.picture())


def test_longer_or_shorter(gate, attempt, begun):
    """PUT: a longer or a shorter body"""
    grant, data = begun["grant"], begun["data"]
    for other in (data + b"x", data[:-1], b""):
        attempt.store(put(grant, other))
    assert gate.complete(begun).status_code == 409


def test_another_type(gate, attempt, begun):
    """PUT: another content type, or none"""
    grant, data = begun["grant"], begun["data"]
    attempt.store(put(grant, data, content_type="text/html"))
    attempt.store(put(grant, data, content_type="image/png; charset=utf-7"))
    attempt.store(put(grant | {"headers": {"if-none-match": "*"}}, data, content_type=""))


def test_another_place(gate, attempt, begun, victim):
    """PUT: another key or bucket"""
    grant, data = begun["grant"], begun["data"]
    path, _, query = grant["url"].partition("?")
    key = path.split(f"/{STAGING}/")[1]
    stored = gate.display(victim).partition("?")[0]
    for place in (
        path + "x",
        f"{ENDPOINT}/{STAGING}/in/elsewhere",
        f"{ENDPOINT}/{STAGING}/held/{begun['id']}/1",
        f"{ENDPOINT}/{FINAL}/{key}",
        stored,
        path.replace("/in/", "/in/../held/"),
        path.replace("/in/", "/in/%2e%2e/held/"),
        path.replace("/in/", "//in/"),
    ):
        attempt.store(put(grant, data, f"{place}?{query}"), place)
    assert gate.bytes_of(victim) == victim["data"]


def test_another_method(gate, attempt, begun):
    """PUT: the URL used to read, list, delete or post"""
    assert put(begun["grant"], begun["data"]).status_code == 200
    url = begun["grant"]["url"]
    for method in ("GET", "HEAD", "DELETE", "POST", "PATCH"):
        answer = requests.request(method, url, headers=begun["grant"]["headers"], timeout=60)
        attempt.store(answer, method)
        assert begun["data"] not in answer.content
    gate.stored(begun)


@pytest.mark.parametrize(
    "change",
    [
        ("X-Amz-Expires=900", "X-Amz-Expires=604800"),
        ("X-Amz-Expires=900", "X-Amz-Expires=900&X-Amz-Expires=604800"),
        ("%3Bif-none-match", ""),
        ("content-length%3B", ""),
        ("content-type%3B", ""),
        ("X-Amz-Signature=", "X-Amz-Signature=0"),
        ("X-Amz-Signature=", "x-amz-acl=public-read&X-Amz-Signature="),
        ("X-Amz-Signature=", "acl&X-Amz-Signature="),
        ("X-Amz-Signature=", "tagging&X-Amz-Signature="),
        ("X-Amz-Signature=", "uploads&X-Amz-Signature="),
        ("X-Amz-Signature=", "partNumber=1&uploadId=1&X-Amz-Signature="),
        ("X-Amz-Signature=", "x-amz-tagging=a%3Db&X-Amz-Signature="),
        ("X-Amz-Signature=", "x-amz-copy-source=a%2Fb&X-Amz-Signature="),
    ],
    ids=lambda change: "".join(c for c in change[1] if c.isalnum()) or "dropped",
)
def test_another_query(gate, attempt, begun, change):
    """PUT: a query with other terms, or with more in it (`acl`, `tagging`, `uploads`, `x-amz-…`)"""
    url = begun["grant"]["url"].replace(*change)
    assert url != begun["grant"]["url"]
    attempt.store(put(begun["grant"], begun["data"], url))
    gate.abort(begun)


def test_a_second_write(gate, attempt, begun):
    """PUT: a second one before inspection"""
    grant, data = begun["grant"], begun["data"]
    assert put(grant, data).status_code == 200
    attempt.store(put(grant, data[::-1]))
    gate.stored(begun)


def test_a_write_after_inspection(gate, attempt):
    """PUT: a second one after inspection, before the claim and after it"""
    begun = gate.begin("claimed", gate.picture())
    grant, data = begun["grant"], begun["data"]
    assert put(grant, data).status_code == 200
    assert gate.complete(begun).json()["state"] == "ready"
    attempt.store(put(grant, data[::-1]))
    gate.stored(begun)
    attempt.store(put(grant, data[::-1]))
    assert gate.bytes_of(begun) == data


ADDED = {
    "x-amz-acl": "public-read",
    "x-amz-copy-source": f"/{FINAL}/any",
    "x-amz-grant-full-control": 'uri="http://acs.amazonaws.com/groups/global/AllUsers"',
    "x-amz-grant-read": 'uri="http://acs.amazonaws.com/groups/global/AllUsers"',
    "x-amz-grant-read-acp": 'uri="http://acs.amazonaws.com/groups/global/AllUsers"',
    "x-amz-grant-write-acp": 'uri="http://acs.amazonaws.com/groups/global/AllUsers"',
    "x-amz-object-lock-legal-hold": "ON",
    "x-amz-object-lock-mode": "COMPLIANCE",
    "x-amz-server-side-encryption": "AES256",
    "x-amz-server-side-encryption-customer-algorithm": "AES256",
    "x-amz-storage-class": "REDUCED_REDUNDANCY",
    "x-amz-tagging": "a=b",
    "x-amz-website-redirect-location": "https://example.com/",
    "x-amz-meta-a": "b",
}


@pytest.mark.parametrize("name", ADDED)
def test_amazon_headers_that_nobody_signed(gate, attempt, begun, name):
    """PUT: added `x-amz-…` headers: ACLs, grants, copies, locks, encryption, class, tags, redirects, metadata"""
    answer = requests.put(
        begun["grant"]["url"], data=begun["data"], headers=begun["grant"]["headers"] | {name: ADDED[name]}, timeout=60
    )
    shown = requests.get(begun["grant"]["url"].partition("?")[0], timeout=60)
    assert begun["data"] not in shown.content, "anybody can read it"
    attempt.come_to(begun, answer, name)


@pytest.mark.parametrize(
    "header",
    [
        ("content-encoding", "gzip"),
        ("content-encoding", "aws-chunked"),
        ("content-disposition", 'attachment; filename="x.exe"'),
        ("content-language", "en"),
        ("cache-control", "public, max-age=31536000"),
        ("expires", "Thu, 01 Dec 2094 16:00:00 GMT"),
        ("content-md5", base64.b64encode(hashlib.md5(b"else").digest()).decode()),
        ("if-match", "*"),
    ],
    ids=lambda header: f"{header[0]}-{header[1][:4]}",
)
def test_plain_headers_that_nobody_signed(gate, attempt, begun, header):
    """PUT: added `content-encoding`, `-disposition`, `-language`, `-md5`, `cache-control`, `expires`, `if-match`"""
    name, value = header
    headers = begun["grant"]["headers"] | {name: value}
    attempt.come_to(begun, requests.put(begun["grant"]["url"], data=begun["data"], headers=headers, timeout=60), name)


def test_another_framing(gate, attempt, begun):
    """PUT: `transfer-encoding: chunked`, chunked signatures, two lengths, and bodies that break off"""
    grant, data = begun["grant"], begun["data"]
    attempt.store(requests.put(grant["url"], data=iter([data, b"more"]), headers=grant["headers"], timeout=60), "chunked")
    streaming = {"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-decoded-content-length": "4"}
    attempt.store(put(grant, b"4\r\nmore\r\n0\r\n\r\n", **streaming), "aws-chunked")
    head = f"PUT {target(grant['url'])} HTTP/1.1\r\nhost: {ENDPOINT.removeprefix('http://')}\r\ncontent-type: image/png\r\nif-none-match: *\r\n"
    for length, body, then in (
        (f"content-length: {len(data)}\r\ncontent-length: {len(data) + 4}\r\n", data + b"more", None),
        (f"content-length: {len(data)}\r\ntransfer-encoding: chunked\r\n", b"%x\r\n%s\r\n0\r\n\r\n" % (len(data) + 4, data + b"more"), None),
        (f"content-length: {len(data)}\r\n", data[:-1], "hang up"),
    ):
        status, _ = raw(grant["url"], f"{head}{length}connection: close\r\n\r\n".encode() + body, then)
        # A store may take the first length at its word, and exactly as many bytes.
        assert status != 200 or gate.complete(begun).status_code == 200, length
    if gate.complete(begun).status_code == 200:
        gate.stored(begun)
    attempt.held("store")


def test_a_copy_of_what_is_anothers(gate, attempt, victim):
    """PUT: `x-amz-copy-source` of another's file, of what another sends, and of what is inspected"""
    secret = gate.begin("claimed", gate.picture(), owner=HONEST)
    assert put(secret["grant"], secret["data"]).status_code == 200
    sources = [gate.display(victim), secret["grant"]["url"]]
    sources = [target(source).partition("?")[0] for source in sources] + [f"/{STAGING}/held/{secret['id']}/1"]
    for source in sources:
        wish = {"path": "a.png", "content_type": "image/png"}
        least = gate.call("POST", "/upload_url", wish)
        assert least.status_code == 201, least.text
        for url, headers, data in (
            (least.json()["put_url"], {"content-type": "image/png"}, b""),
            (None, None, gate.picture()),
        ):
            if url is None:
                begun = gate.begin("raw", data)
                url, headers = begun["grant"]["url"], begun["grant"]["headers"]
            answer = requests.put(url, data=data, headers=headers | {"x-amz-copy-source": source}, timeout=60)
            attempt.store(answer, source)
    gate.stored(secret)


def test_content_of_another_kind(gate, attempt):
    """PUT: a page under a picture's type"""
    for data in (b"<!doctype html><script>alert(1)</script>", b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'):
        begun = gate.begin("image", data)
        assert put(begun["grant"], data).status_code == 200
        attempt.inspection(begun, "type_mismatch")


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_other_content_than_the_checksum(gate, attempt, algorithm):
    """PUT: other bytes than those whose checksum was announced"""
    data = gate.picture()
    checksum = {"algorithm": algorithm, "value": base64.b64encode(hashlib.new(algorithm, data).digest()).decode()}
    begun = gate.begin("raw", data, content_type="application/octet-stream", checksum=checksum)
    answer = put(begun["grant"], data[::-1])
    if answer.status_code == 200:
        # This store takes the header and does not look: then the file says nothing of a checksum.
        gate.stored(begun, data[::-1])
        file = gate.call("GET", f"/v1/files/{begun['id']}").json()
        assert "checksum" not in file
        attempt.held("no checksum shown")
    else:
        attempt.store(answer)


def test_reading_what_lies_in_staging(gate, attempt, begun, victim):
    """No signature, or one for something else: reading and listing staging, changing what a display URL shows"""
    assert put(begun["grant"], begun["data"]).status_code == 200
    plain = begun["grant"]["url"].partition("?")[0]
    shown = gate.display(victim)
    path, _, query = shown.partition("?")
    for url in (
        plain,
        f"{ENDPOINT}/{STAGING}/",
        f"{ENDPOINT}/{STAGING}/?uploads",
        f"{ENDPOINT}/{FINAL}/?list-type=2",
        path,
        f"{plain}?{query}",
        f"{ENDPOINT}/{FINAL}/?{query}",
        shown.replace("X-Amz-Signature=", "response-content-type=text%2Fhtml&X-Amz-Signature="),
        shown.replace("response-content-disposition=inline", "response-content-disposition=attachment") + "0",
    ):
        attempt.store(requests.get(url, timeout=60), url)
    attempt.store(requests.put(shown, data=b"x", timeout=60), "writing by a display URL")
    attempt.store(requests.delete(shown, timeout=60), "deleting by a display URL")
    gate.stored(begun)
    assert gate.bytes_of(victim) == victim["data"]
    assert victim["owner"] == HONEST
