"""Those who ask under a name that is not theirs."""

import base64
import json
import time

import pytest
import requests

from gate import HONEST, HOSTILE, put, raw, unpadded

HS256 = {"alg": "HS256", "typ": "JWT"}


def test_another_users_upload(gate, attempt):
    """Another user: look at, sign, complete, abort what is somebody else's"""
    theirs = gate.begin("claimed", gate.picture(), owner=HONEST)
    path = gate.path(theirs)
    for method, tail, body in (
        ("GET", "", None),
        ("GET", "?wait=1", None),
        ("DELETE", "", None),
        ("POST", "/complete", None),
        ("POST", "/parts", {"parts": [1]}),
    ):
        attempt.service(gate.call(method, path + tail, body), 404, "not_found", method + tail)
    assert put(theirs["grant"], theirs["data"]).status_code == 200
    gate.stored(theirs)


def test_another_users_file(gate, attempt, victim):
    """Another user: show, delete, link, list somebody else's file"""
    path = f"/v1/files/{victim['id']}"
    attempt.service(gate.call("GET", path), 404, "not_found")
    attempt.service(gate.call("DELETE", path), 404, "not_found")
    attempt.service(gate.call("GET", f"/f/{victim['id']}"), 404, "not_found")
    assert gate.call("GET", f"/f/{victim['id']}", token="").status_code in (401, 404)
    for route, key in (("urls", "urls"), ("links", "links")):
        answer = gate.call("POST", f"/v1/files/{route}", {"ids": [victim["id"]]}).json()
        assert (answer[key], answer["missing"]) == ([], [victim["id"]])
    attempt.service(gate.call("GET", f"/v1/files?owner={HONEST}"), 403, "forbidden")
    assert victim["id"] not in gate.call("GET", "/v1/files?limit=100").text


def test_another_owners_name(gate, attempt):
    """Another user: begin, claim or list in somebody else's name"""
    wish = {"profile": "raw", "filename": "a", "content_type": "image/png", "size": 1, "owner": HONEST}
    attempt.service(gate.call("POST", "/v1/uploads", wish), 403, "forbidden")
    files = {"profile": "raw", "owner": HONEST, "files": [{"ref": "a", "filename": "a", "content_type": "image/png", "size": 1}]}
    attempt.service(gate.call("POST", "/v1/uploads", files), 403, "forbidden")
    ready = gate.begin("claimed", gate.picture(), owner=HONEST)
    assert put(ready["grant"], ready["data"]).status_code == 200
    for owner, token, status, kind in (
        (HONEST, gate.tokens[HOSTILE], 403, "forbidden"),
        (HONEST, ready["token"], 403, "forbidden"),
        (HOSTILE, gate.key, 404, "not_found"),
    ):
        answer = gate.call("POST", "/v1/uploads/claim", {"ids": [ready["id"]], "owner": owner}, token=token)
        attempt.service(answer, status, kind, owner)
    gate.stored(ready)


def test_what_is_not_inspected_is_claimed(gate, attempt):
    """A server: claims what has not arrived, what was rejected, and twice with other words"""
    empty = gate.begin("claimed", gate.picture())
    claim = lambda begun, **more: gate.call(
        "POST", "/v1/uploads/claim", {"ids": [begun["id"]], "owner": HOSTILE} | more, token=gate.key
    )
    attempt.service(claim(empty), 409, "not_ready")
    gate.abort(empty)
    attempt.service(claim(empty), 409, "upload_ended")
    twice = gate.begin("claimed", gate.picture())
    assert put(twice["grant"], twice["data"]).status_code == 200
    gate.stored(twice)
    attempt.service(claim(twice, metadata={"title": "other"}), 409, "already_claimed")


def test_anothers_upload_token(gate, attempt):
    """An upload token: for another upload, to begin, to list, to delete, after the end"""
    mine, theirs = (gate.begin("claimed", gate.picture(), owner=owner) for owner in (HOSTILE, HONEST))
    token = mine["token"]
    for method, path, body in (
        ("GET", gate.path(theirs), None),
        ("DELETE", gate.path(theirs), None),
        ("POST", f"{gate.path(theirs)}/complete", None),
        ("POST", f"{gate.path(theirs)}/parts", {"parts": []}),
    ):
        attempt.service(gate.call(method, path, body, token=token), 404, "not_found", path)
    wish = {"profile": "raw", "filename": "a", "content_type": "image/png", "size": 1}
    attempt.service(gate.call("POST", "/v1/uploads", wish, token=token), 403, "forbidden")
    attempt.service(gate.call("GET", "/v1/files", token=token), 403, "forbidden")
    attempt.service(gate.call("DELETE", f"/v1/files/{mine['id']}", token=token), 403, "forbidden")
    changed = token[:20] + ("A" if token[20] != "A" else "B") + token[21:]
    for forged in (token + "x", token[:-1], "llt_", "llt_" + "A" * len(token), changed, token.upper()):
        attempt.service(gate.call("GET", gate.path(mine), token=forged), 401, "unauthenticated", forged)
    gate.abort(mine)
    gate.abort(theirs)


def test_a_token_in_the_wrong_place(gate, attempt):
    """A token: in the query, in a cookie, in another scheme, twice, with blanks and control characters"""
    token = gate.tokens[HONEST]
    attempt.service(gate.call("GET", f"/v1/files?token={token}", token=""), 401, "unauthenticated")
    attempt.service(gate.call("GET", "/v1/files", token="", headers={"cookie": f"token={token}"}), 401, "unauthenticated")
    for value in (token, f"Basic {token}", f"Token {token}", "Bearer", f"Bearer{token}", f"Bearer x {token}"):
        answer = gate.call("GET", "/v1/files", token="", headers={"authorization": value})
        attempt.service(answer, 401, "unauthenticated", value)
    head = b"GET /v1/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \xff\xfe\r\nconnection: close\r\n\r\n"
    assert raw(gate.url, head)[0] in (400, 401)


JWTS = {
    "none": lambda gate: gate.forged({"alg": "none"}, {}, b""),
    "None": lambda gate: gate.forged({"alg": "None", "typ": "JWT"}, {}, b""),
    "no-alg": lambda gate: gate.forged({"typ": "JWT"}, {}, b""),
    "empty-signature": lambda gate: gate.forged(HS256, {}, b""),
    "another-secret": lambda gate: gate.forged(HS256, {}, b"another secret of thirty-two bytes"),
    "empty-secret": lambda gate: gate.forged(HS256, {}, b"\0"),
    "rs256": lambda gate: gate.forged({"alg": "RS256", "typ": "JWT"}, {}),
    "hs512": lambda gate: gate.forged({"alg": "HS512", "typ": "JWT"}, {}),
    "embedded-key": lambda gate: gate.forged(
        HS256 | {"jwk": {"kty": "oct", "k": unpadded(b"mine").decode()}}, {}, b"mine"
    ),
    "key-elsewhere": lambda gate: gate.forged(HS256 | {"jku": "http://127.0.0.1:9/jwks", "x5u": "file:///etc/passwd"}, {}, b"mine"),
    "key-by-path": lambda gate: gate.forged(HS256 | {"kid": "../../../../dev/null"}, {}, b"\0"),
    "key-by-sql": lambda gate: gate.forged(HS256 | {"kid": "' UNION SELECT 'mine' --"}, {}, b"mine"),
    "critical": lambda gate: gate.forged(HS256 | {"crit": ["exp"], "b64": False}, {}, b"mine"),
    "expired": lambda gate: gate.forged(HS256, {"exp": int(time.time()) - 3600}),
    "no-end": lambda gate: gate.forged(HS256, {"exp": None}),
    "far-end": lambda gate: gate.forged(HS256, {"exp": int(time.time()) + 10**9}),
    "end-as-text": lambda gate: gate.forged(HS256, {"exp": "9999999999"}),
    "not-yet": lambda gate: gate.forged(HS256, {"nbf": int(time.time()) + 3600}),
    "no-audience": lambda gate: gate.forged(HS256, {"aud": None}),
    "another-audience": lambda gate: gate.forged(HS256, {"aud": "elsewhere"}),
    "no-subject": lambda gate: gate.forged(HS256, {"sub": None}),
    "empty-subject": lambda gate: gate.forged(HS256, {"sub": ""}),
    "long-subject": lambda gate: gate.forged(HS256, {"sub": "a" * 256}),
    "subject-no-text": lambda gate: gate.forged(HS256, {"sub": [HONEST]}),
    "changed": lambda gate: ".".join(
        [
            (parts := gate.tokens[HOSTILE].split("."))[0],
            unpadded(json.dumps({"sub": HONEST, "aud": "loadlock", "exp": int(time.time()) + 3600}).encode()).decode(),
            parts[2],
        ]
    ),
    "two-parts": lambda gate: gate.tokens[HONEST].rpartition(".")[0],
    "four-parts": lambda gate: gate.tokens[HONEST] + ".x",
    "padded": lambda gate: gate.tokens[HONEST] + "==",
    "huge": lambda gate: gate.forged(HS256, {"x": "a" * 12_000}, b"mine"),
    "no-json": lambda gate: "e30.e30.e30",
}


@pytest.mark.parametrize("kind", JWTS)
def test_a_forged_jwt(gate, attempt, kind):
    """A JWT: `alg` `none`, RS256 or HS512 under the HMAC's secret, keys of its own, `kid` as a path, expired, for others, changed"""
    answer = gate.call("GET", "/v1/files", token=JWTS[kind](gate))
    attempt.service(answer, 401, "unauthenticated", kind)
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_forged_api_key(gate, attempt):
    """An API key: cut, changed, its hash, empty, with more behind it"""
    import hashlib

    for key in (
        gate.key[:-1],
        gate.key[:-1] + ("A" if gate.key[-1] != "A" else "B"),
        gate.key.swapcase(),
        "llk_",
        "llk_" + hashlib.sha256(gate.key.encode()).hexdigest(),
        gate.key + " " + gate.key,
        "llk_' OR '1'='1",
        "llk_" + "A" * 10_000,
    ):
        attempt.service(gate.call("GET", "/v1/files", token=key), 401, "unauthenticated", key[:20])


def test_a_changed_link(gate, attempt):
    """A link: changed, another file's, its end moved"""
    one, other = gate.victim("linked"), gate.victim("linked")
    links = gate.call("POST", "/v1/files/links", {"ids": [one["id"], other["id"]], "expires_in": 600}, token=gate.key).json()
    first, second = ([link["url"] for link in links["links"] if link["id"] == file["id"]][0] for file in (one, other))
    assert requests.get(first, timeout=60).content == one["data"]
    signature = first.split("s=")[1]
    raw_bytes = bytearray(base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4)))
    forged = []
    for at in range(0, len(raw_bytes), 5):
        changed = raw_bytes.copy()
        changed[at] ^= 1
        forged.append(unpadded(bytes(changed)).decode())
    for s in (*forged, second.split("s=")[1], "", signature[:-2], signature + "AA", "%00", "x" * 5000):
        answer = requests.get(f"{gate.url}/f/{one['id']}?s={s}", timeout=60, allow_redirects=False)
        assert answer.status_code in (400, 403, 404), (s, answer.status_code)
        assert "location" not in answer.headers
        attempt.held(f"API {answer.status_code} {answer.json()['error']['code']}")


def test_a_page_of_another_origin(gate, attempt, victim):
    """A page elsewhere: reads or begins with what its visitor's browser would send"""
    evil = {"origin": "https://evil.example"}
    for method, path, more in (
        ("GET", "/v1/files", {}),
        ("OPTIONS", "/v1/uploads", {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}),
        ("GET", f"/f/{victim['id']}", {}),
    ):
        answer = gate.call(method, path, token="", headers=evil | more)
        assert answer.headers.get("access-control-allow-origin") in (None, "null") or "evil" not in str(answer.headers), path
        assert "access-control-allow-credentials" not in answer.headers
        assert answer.headers.get("access-control-allow-origin") != "*"
    plain = {"content-type": "text/plain"}
    wish = json.dumps({"profile": "raw", "filename": "a", "content_type": "image/png", "size": 1})
    answer = requests.post(
        f"{gate.url}/v1/uploads", data=wish, headers=evil | plain | {"authorization": f"Bearer {gate.tokens[HONEST]}"}, timeout=60
    )
    assert answer.status_code in (400, 415), answer.text
    attempt.held("API no CORS headers")
    attempt.held(f"API {answer.status_code} {answer.json()['error']['code']}")
