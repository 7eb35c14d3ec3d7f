"""The holder of part URLs."""

import time

import pytest
import requests

from gate import HONEST, MIB, REFUSALS, STAGING, put, target, until
from media import video

SIZE = 9 * MIB


@pytest.fixture
def begun(gate):
    data = video(SIZE)
    begun = gate.begin("raw", data, content_type="video/mp4", method="multipart")
    yield begun
    gate.abort(begun)


def pieces(begun, data=None):
    data = begun["data"] if data is None else data
    size = begun["grant"]["part_size"]
    return [(part, data[(part["number"] - 1) * size : part["number"] * size]) for part in begun["grant"]["parts"]]


def send(part, data, url=None, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.put(url or part["url"], data=data, headers=part["headers"] | headers, timeout=60)


def test_a_longer_or_shorter_part(gate, attempt, begun):
    """Part: a longer or a shorter one"""
    for part, data in pieces(begun):
        attempt.store(send(part, data + b"x"))
        attempt.store(send(part, data[:-1]))


def test_a_part_beyond_the_plan(gate, attempt, begun):
    """Part: beyond the plan, by the URL and by the service"""
    part, data = pieces(begun)[-1]
    for number in ("3", "0", "10000", "10001", "-1", "1"):
        attempt.store(send(part, data, part["url"].replace("partNumber=2", f"partNumber={number}")), number)
    for numbers in ([3], [0], [10_000], [-1], [2**70], list(range(1, 200)), ["1"], [1.5], None):
        answer = gate.call("POST", f"{gate.path(begun)}/parts", {"parts": numbers}, token=begun["token"])
        attempt.service(answer, 400, "invalid_request", numbers)


def test_anothers_upload_id(gate, attempt, begun):
    """Part: another's upload id, or none: a part's URL as a PUT of its own"""
    other = gate.begin("raw", begun["data"], content_type="video/mp4", owner=HONEST, method="multipart")
    part, data = pieces(begun)[0]
    theirs = other["grant"]["parts"][0]["url"]
    id_of = lambda url: url.split("uploadId=")[1].split("&")[0]
    attempt.store(send(part, data, part["url"].replace(id_of(part["url"]), id_of(theirs))), "id")
    swapped = theirs.partition("?")[0] + "?" + part["url"].partition("?")[2]
    attempt.store(send(part, data, swapped), "key")
    without = part["url"].replace(f"uploadId={id_of(part['url'])}&", "").replace("partNumber=1&", "")
    assert "uploadId" not in without
    attempt.store(send(part, data, without), "neither")
    gate.abort(other)


def test_completing_at_the_store(gate, attempt, begun):
    """Part: completing, aborting or listing at the store itself"""
    for part, data in pieces(begun):
        assert send(part, data).status_code == 200
    url = begun["grant"]["parts"][0]["url"]
    body = "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>"
    for method, address in (
        ("POST", url),
        ("POST", url.replace("partNumber=1&", "")),
        ("DELETE", url),
        ("DELETE", url.replace("partNumber=1&", "")),
        ("GET", url),
        ("GET", url.replace("partNumber=1&", "")),
    ):
        attempt.store(requests.request(method, address, data=body if method == "POST" else None, timeout=60), method)
    gate.stored(begun)


def test_a_part_copied_from_elsewhere(gate, attempt, victim):
    """Part: `x-amz-copy-source` of another's file, of what is inspected, and of what another sends, even by its secret key"""
    sent = gate.begin("claimed", gate.picture(), owner=HONEST)
    assert put(sent["grant"], sent["data"]).status_code == 200
    begun = gate.begin("raw", bytes(len(sent["data"])), method="multipart")
    stored = target(gate.display(victim)).partition("?")[0]
    staged = target(sent["grant"]["url"]).partition("?")[0]
    # An id and an owner are no secrets; the rest of a staged key is.
    known = staged[: staged.index(sent["id"]) + len(sent["id"])]
    [(part, data)] = pieces(begun)
    for source in (stored, staged, known, f"{known}-{'A' * 22}", f"{known}*", f"/{STAGING}/held/{sent['id']}/1"):
        for headers in ({}, {"x-amz-copy-source-range": f"bytes=0-{len(data) - 1}"}):
            # The length is signed: with and without so many bytes.
            for body in (data, b""):
                attempt.store(send(part, body, x_amz_copy_source=source, **headers), source)
    held = gate.call("POST", f"{gate.path(begun)}/parts", {"parts": []}, token=begun["token"])
    assert held.json()["held"] == [], "something was copied"
    gate.abort(begun)
    gate.stored(sent)


def test_headers_that_nobody_signed(gate, attempt, begun):
    """Part: added `x-amz-acl`, encryption under a key of the client's, `content-encoding`"""
    for name, value in (
        ("x-amz-acl", "public-read"),
        ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
        ("content-encoding", "gzip"),
    ):
        for part, data in pieces(begun):
            answer = send(part, data, **{name: value})
            assert answer.status_code == 200 or answer.status_code in REFUSALS, answer.text
            if answer.status_code != 200:
                attempt.store(answer)
                assert send(part, data).status_code == 200
    gate.stored(begun)
    attempt.held("without effect")


def test_parts_missing(gate, attempt, begun):
    """Part: completed with parts missing"""
    part, data = pieces(begun)[0]
    assert send(part, data).status_code == 200
    attempt.service(gate.complete(begun), 409, "not_received")


def test_a_part_replaced(gate, attempt):
    """Part: the first one replaced by a page before completion, and after"""
    data = video(SIZE)
    begun = gate.begin("video", data, content_type="video/mp4", method="multipart")
    for part, piece in pieces(begun):
        assert send(part, piece).status_code == 200
    # A store may tell by the second which of two came last.
    now = int(time.time())
    until(lambda: int(time.time()) > now)
    first, piece = pieces(begun)[0]
    page = b"<!doctype html><script>alert(1)</script>".ljust(len(piece))
    assert send(first, page).status_code == 200
    attempt.inspection(begun, "type_mismatch")
    attempt.store(send(first, piece), "after completion")


def test_a_part_after_completion(gate, attempt, begun):
    """Part: one more after completion"""
    for part, data in pieces(begun):
        assert send(part, data).status_code == 200
    gate.stored(begun)
    for part, data in pieces(begun):
        attempt.store(send(part, data[::-1]))
    assert gate.bytes_of(begun) == begun["data"]


def test_a_part_after_the_abort(gate, attempt, begun):
    """Part: one after the abort"""
    gate.abort(begun)
    for part, data in pieces(begun):
        # The answer to an abort does not wait for the store.
        until(lambda: send(part, data).status_code != 200)
        attempt.store(send(part, data))
    assert gate.look(begun)["state"] == "aborted"
