"""Names, values and addresses that mean harm."""

import urllib.parse

import pytest
import requests

from gate import HOSTILE, put, raw

WISH = {"profile": "raw", "filename": "a.png", "content_type": "image/png", "size": 1}

NAMES = {
    "up": "../../../../etc/passwd",
    "up-encoded": "..%2f..%2fheld%2fx",
    "windows": "..\\..\\windows\\x.png",
    "header": 'a"\r\nset-cookie: x=1\r\n\r\n<script>.png',
    "quotes": 'a";filename="b.exe',
    "turned": "a\u202egnp.exe",
    "nul": "a\0.png",
    "controls": "".join(map(chr, range(1, 32))) + "\x7f\x85\u2028.png",
    "emoji": "写真 😀 ñ.png",
    "long": "x" * 100_000 + ".png",
    "dots": "..",
    "empty": "",
    "template": "{owner}/{id}/${jndi:ldap://x}/%s%n.png",
    "markup": "<img src=x onerror=alert(1)>.png",
}


@pytest.mark.parametrize("kind", NAMES)
def test_a_hostile_filename(gate, attempt, kind):
    """File names: paths, CR LF, quotes, NUL, turned text, markup, 100,000 letters"""
    begun = gate.begin("raw", gate.picture(), filename=NAMES[kind])
    assert put(begun["grant"], begun["data"]).status_code == 200
    gate.stored(begun)
    file = gate.call("GET", f"/v1/files/{begun['id']}").json()
    assert len(file["filename"].encode()) <= 255 and "/" not in file["filename"] and "\\" not in file["filename"]
    assert all(ord(c) >= 32 and c not in "\x7f\u2028\u202e" for c in file["filename"])
    url = urllib.parse.urlsplit(file["url"])
    key = urllib.parse.unquote(url.path)
    assert key.rsplit("/", 1)[1] in (f"{begun['id']}.png",) and ".." not in key
    shown = requests.get(file["url"], timeout=60)
    assert "set-cookie" not in shown.headers and shown.headers["content-type"] == "image/png"
    attempt.held("API cleaned name, key of its own")


@pytest.mark.parametrize(
    "wish",
    [
        {"content_type": "image/png\r\nx-amz-acl: public-read"},
        {"content_type": "image/png\0"},
        {"content_type": "image/" + "p" * 5000},
        {"content_type": "image"},
        {"content_type": "é/é"},
        {"content_type": ""},
        {"size": -1},
        {"size": 2**64},
        {"size": 1.5},
        {"size": "1"},
        {"size": None},
        {"size": True},
        {"filename": ["a"]},
        {"filename": {"a": 1}},
        {"filename": None},
        {"method": "PATCH"},
        {"method": "put\r\n"},
        {"checksum": {"algorithm": "md4", "value": "AA=="}},
        {"checksum": {"algorithm": "sha256", "value": "AA=="}},
        {"checksum": {"algorithm": "sha256", "value": "\r\nx-amz-acl: public-read"}},
        {"checksum": "x"},
        {"key": "in/elsewhere"},
        {"staged_key": "in/elsewhere"},
        {"id": "01ARZ3NDEKTSV4RRFFQ69G5FAV"},
        {"state": "stored"},
        {"__proto__": {"owner": "ada"}},
        {"return_to": "https://evil.example/"},
        {"return_to": "http://127.0.0.1:3000@evil.example/", "method": "post"},
        {"return_to": "http://127.0.0.1:3000.evil.example/", "method": "post"},
        {"return_to": "http://127.0.0.1:3000\\@evil.example/", "method": "post"},
        {"return_to": "//evil.example/", "method": "post"},
        {"return_to": "javascript:alert(1)//http://127.0.0.1:3000", "method": "post"},
        {"return_to": "http://127.0.0.1:3000/\r\nset-cookie: x=1", "method": "post"},
        {"return_to": "http://127.0.0.1:3000/" + "x" * 100_000, "method": "post"},
    ],
    ids=lambda wish: "-".join("".join(c for c in str(value)[:14] if c.isalnum()) for pair in wish.items() for value in pair),
)
def test_a_hostile_wish(gate, attempt, wish):
    """Begin: types, sizes, checksums, methods and ways back that make no sense or lead astray; fields that are the service's"""
    answer = gate.call("POST", "/v1/uploads", WISH | wish)
    assert answer.status_code in (400, 413, 422), answer.text
    attempt.held(f"API {answer.status_code} {answer.json()['error']['code']}")


METADATA = {
    "long-value": {"a": "x" * 5000},
    "long-name": {"a" * 5000: "x"},
    "many": {f"a{n}": "x" for n in range(1000)},
    "nested": {"a": {"b": {"c": "d"}}},
    "list": {"a": ["b"]},
    "number": {"a": 1},
    "null": {"a": None},
    "no-object": ["a"],
    "text": "a=b",
}


@pytest.mark.parametrize("kind", METADATA)
def test_metadata_of_another_shape(gate, attempt, kind):
    """Metadata: too long, too many, nested, no text"""
    answer = gate.call("POST", "/v1/uploads", WISH | {"metadata": METADATA[kind]})
    assert answer.status_code in (400, 422), answer.text
    attempt.held(f"API {answer.status_code} {answer.json()['error']['code']}")


@pytest.mark.parametrize(
    "metadata",
    [
        {"note": "a\r\nx-amz-acl: public-read"},
        {"note\r\nx": "a"},
        {"note": "\0\x01\x7f"},
        {"x-amz-meta-a": "b"},
        {"note": "\u202e写真 😀"},
        {"": "a"},
        {"note": "<script>alert(1)</script>"},
        {"note": "'; DROP TABLE uploads; --"},
        {"__proto__": "a", "constructor": "b"},
    ],
    ids=lambda metadata: "".join(c for pair in metadata.items() for text in pair for c in text if c.isalnum())[:16] or "controls",
)
def test_hostile_metadata(gate, attempt, metadata):
    """Metadata: CR LF, NUL, markup, SQL, names of headers"""
    answer = gate.call("POST", "/v1/uploads", WISH | {"size": 73, "metadata": metadata})
    if answer.status_code != 201:
        assert answer.status_code in (400, 422), answer.text
        return attempt.held(f"API {answer.status_code} {answer.json()['error']['code']}")
    data = gate.picture()
    begun = gate.begin("raw", data, metadata=metadata)
    assert put(begun["grant"], data).status_code == 200
    gate.stored(begun)
    file = gate.call("GET", f"/v1/files/{begun['id']}").json()
    assert file["metadata"] == metadata
    shown = requests.get(file["url"], timeout=60).headers
    assert not [name for name in shown if name.lower().startswith("x-amz-meta-")]
    return attempt.held("kept as data, in no header")


BODIES = {
    "deep": b"[" * 100_000,
    "deep-object": b'{"metadata":' * 20_000,
    "large": b'{"filename":"' + b"a" * 300_000 + b'"}',
    "twice": b'{"profile":"raw","profile":"image","filename":"a","content_type":"image/png","size":1}',
    "not-utf8": b'{"profile":"raw","filename":"\xff\xfe","content_type":"image/png","size":1}',
    "surrogate": b'{"profile":"raw","filename":"\\ud800","content_type":"image/png","size":1}',
    "exponent": b'{"profile":"raw","filename":"a","content_type":"image/png","size":1e400}',
    "digits": b'{"profile":"raw","filename":"a","content_type":"image/png","size":' + b"9" * 10_000 + b"}",
    "nan": b'{"profile":"raw","filename":"a","content_type":"image/png","size":NaN}',
    "bom": b'\xef\xbb\xbf{"profile":"raw","filename":"a","content_type":"image/png","size":1}',
    "trailing": b'{"profile":"raw","filename":"a","content_type":"image/png","size":1}{}',
    "empty": b"",
    "null": b"null",
    "xml": b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
}


@pytest.mark.parametrize("kind", BODIES)
def test_a_hostile_body(gate, attempt, kind):
    """Bodies: nested 100,000 deep, over 256 KiB, no UTF-8, half surrogates, fields twice, no JSON"""
    headers = {"authorization": f"Bearer {gate.tokens[HOSTILE]}", "content-type": "application/json"}
    answer = requests.post(f"{gate.url}/v1/uploads", data=BODIES[kind], headers=headers, timeout=60)
    assert answer.status_code in (400, 413), answer.text
    attempt.held(f"API {answer.status_code} {answer.json()['error']['code']}")


PATHS = [
    "/v1/uploads/..%2f..%2fv1%2ffiles",
    "/v1/uploads/%2e%2e/%2e%2e/healthz",
    "/v1/uploads/%00",
    "/v1/uploads/%ff%fe",
    "/v1/uploads/" + "0" * 26,
    "/v1/uploads/" + "Z" * 26,
    "/v1/uploads/01arz3ndektsv4rrffq69g5fav%20",
    "/v1/uploads/" + "a" * 8000,
    "/v1/files/'%20OR%201=1--",
    "/v1/files/*",
    "/f/..",
    "/f/../v1/files",
    "/f/%2e%2e/v1/files",
    "/f/..%2fv1%2ffiles",
    "/f//etc/passwd",
    "//f/x",
    "/f/x/../../healthz",
    "/f/http://evil.example/",
    "/f/\\evil.example",
    "/v1/profiles/..%2f..",
    "/v1/profiles/%00",
    "/v1/profiles/" + "a" * 8000,
    "/assets/../../../../etc/passwd",
    "/docs/..%2f..%2fetc%2fpasswd",
    "/docs/%2e%2e/%2e%2e/etc/passwd",
    "/.git/config",
    "/openapi.json/../../x",
]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path[:40])
def test_a_path_out(gate, attempt, path):
    """Addresses: `/f/..`, ids and profiles with slashes, NUL, no UTF-8, as they are and encoded"""
    host = gate.url.removeprefix("http://")
    head = f"GET {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {gate.tokens[HOSTILE]}\r\nconnection: close\r\n\r\n"
    status, said = raw(gate.url, head.encode())
    assert status in (400, 404, 414, 431), said[:300]
    assert b"root:" not in said
    head, _, _ = said.partition(b"\r\n\r\n")
    assert b"location:" not in head.lower()
    attempt.held(f"API {status}")


QUERIES = [
    ("/v1/uploads/{id}?wait=-1", 400),
    ("/v1/uploads/{id}?wait=NaN", 400),
    ("/v1/uploads/{id}?wait=99999999999999999999", 400),
    ("/v1/files?limit=0", 400),
    ("/v1/files?limit=-1", 400),
    ("/v1/files?limit=1000000", 400),
    ("/v1/files?cursor=%00", 400),
    ("/v1/files?cursor=' OR 1=1", 400),
    ("/v1/files?cursor=" + "A" * 5000, 400),
    ("/v1/files?owner=mallory&owner=ada", 400),
    ("/v1/files?unknown=1", 400),
]


@pytest.mark.parametrize(("path", "status"), QUERIES, ids=[path.partition("?")[2][:24] for path, _ in QUERIES])
def test_a_hostile_query(gate, attempt, path, status):
    """Queries: waits, limits and cursors that make no sense, parameters twice or unknown"""
    begun = gate.begin("raw", b"x")
    answer = gate.call("GET", path.format(id=begun["id"]))
    attempt.service(answer, status, "invalid_request", path)
    gate.abort(begun)


def test_headers_that_rewrite(gate, attempt, victim):
    """Headers: another method, address, host or client in so many words; a Host that leads astray"""
    for name, value in (
        ("x-http-method-override", "DELETE"),
        ("x-original-url", f"/v1/files/{victim['id']}"),
        ("x-rewrite-url", f"/v1/files/{victim['id']}"),
        ("x-forwarded-user", "ada"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-remote-user", "ada"),
    ):
        answer = gate.call("GET", "/v1/files", headers={name: value})
        assert answer.status_code == 200
        assert victim["id"] not in answer.text
    begun = gate.call("POST", "/v1/uploads", WISH, headers={"host": "evil.example", "x-forwarded-host": "evil.example"})
    assert "evil.example" not in begun.text
    gate.call("DELETE", f"/v1/uploads/{begun.json()['id']}")
    assert gate.call("GET", f"/v1/files/{victim['id']}", token=gate.key).status_code == 200
    attempt.held("without effect")


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"POST /v1/uploads HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
        b"POST /v1/uploads HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /v1/files HTTP/1.1\r\n\r\n",
        b"POST /v1/uploads HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: -5\r\n\r\n",
        b"GET /v1/files HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx: " + b"a" * 500_000 + b"\r\n\r\n",
        b"GET /v1/files HTTP/1.1\r\nhost: x\r\nconnection: close\r\n" + b"x: y\r\n" * 2000 + b"\r\n",
        b"GET /v1/files\xff HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        b"GET /v1/files HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx\r\n y: z\r\n\r\n",
        b"GET /v1/files HTTP/1.1\r\nhost: x\r\nconnection: close\r\nbad name: z\r\n\r\n",
        b"GET http://169.254.169.254/latest/meta-data HTTP/1.1\r\nhost: 169.254.169.254\r\nconnection: close\r\n\r\n",
        b"CONNECT 169.254.169.254:80 HTTP/1.1\r\nhost: 169.254.169.254\r\nconnection: close\r\n\r\n",
        b"TRACE /v1/files HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\0" * 1000,
    ],
    ids=["two-lengths", "length-and-chunked", "negative", "long-header", "many-headers", "raw-byte", "folded", "bad-name", "proxy", "connect", "trace", "tls", "nul"],
)
def test_broken_http(gate, attempt, request_bytes):
    """HTTP itself: two lengths, smuggled requests, huge and folded headers, proxy requests, no HTTP at all"""
    status, said = raw(gate.url, request_bytes)
    assert status < 500 and status not in (200, 201), said[:300]
    assert said.count(b"HTTP/1.1 ") <= 1, "a request in a request was answered"
    assert gate.call("GET", "/healthz", token="").status_code == 200
    attempt.held("API 4xx or hung up")


def test_anothers_idempotency_key(gate, attempt):
    """`Idempotency-Key`: another's, with another body, too long, with blanks"""
    key = {"idempotency-key": "the-same"}
    theirs = gate.call("POST", "/v1/uploads", WISH, token=gate.tokens["ada"], headers=key).json()
    mine = gate.call("POST", "/v1/uploads", WISH, headers=key).json()
    assert theirs["id"] != mine["id"] and theirs["token"] != mine["token"]
    answer = gate.call("POST", "/v1/uploads", WISH | {"size": 2}, headers=key)
    attempt.service(answer, 422, "idempotency_mismatch")
    for bad in ("", "x" * 256, "a b", "a\tb", "é"):
        answer = gate.call("POST", "/v1/uploads", WISH, headers={"idempotency-key": bad.encode()})
        attempt.service(answer, 400, "invalid_request", bad)
    for begun, token in ((theirs, "ada"), (mine, HOSTILE)):
        gate.call("DELETE", f"/v1/uploads/{begun['id']}", token=gate.tokens[token])


def test_many_at_once(gate, attempt):
    """Begin: more files than the profile takes, two with one name, none"""
    one = {"ref": "a", "filename": "a", "content_type": "image/png", "size": 1}
    many = lambda files: gate.call("POST", "/v1/uploads", {"profile": "raw", "files": files})
    attempt.service(many([one | {"ref": str(n)} for n in range(101)]), 422, "too_many_files")
    attempt.service(many([one, one]), 400, "invalid_request")
    attempt.service(many([]), 400, "invalid_request")
    attempt.service(many([one | {"ref": "x" * 65}]), 400, "invalid_request")
