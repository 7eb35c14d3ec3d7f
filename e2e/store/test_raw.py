"""What no client library would send: bodies cut short, chunks with wrong signatures, lengths that contradict."""

import base64
import hashlib
import hmac
import pathlib
import socket
import time
import zlib

import pytest
import requests

from conftest import FINAL, IDENTITIES, REGION, STAGING
from wire import Raw, code_of, presigned, refused, send, signed

UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"


def body_of(answer):
    return answer.partition("\r\n\r\n")[2]


def status_of(answer):
    return int(answer.split(" ", 2)[1])


def crc32(data):
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def unsigned_chunks(data, checksum, sizes=(5, 7)):
    out, at = b"", 0
    for size in sizes:
        out += b"%x\r\n%s\r\n" % (size, data[at : at + size])
        at += size
    return out + b"0\r\nx-amz-checksum-crc32:%s\r\n\r\n" % checksum.encode()


def trailer_head(server, key, length, announced, **more):
    headers = {
        "x-amz-decoded-content-length": str(length), "x-amz-trailer": "x-amz-checksum-crc32",
        "content-encoding": "aws-chunked", "content-length": str(announced),
    } | more
    return signed(server, "admin", "PUT", f"/{FINAL}/{key}", headers, UNSIGNED_TRAILER)


def put_chunks(server, key, body, length, whole=None):
    """Sends a chunked body as it is; `whole` is what Content-Length says."""
    raw = Raw(server)
    raw.head("PUT", f"/{FINAL}/{key}", trailer_head(server, key, length, len(body) if whole is None else whole))
    raw.send(body)
    if whole is not None:
        raw.end()
    return raw.answer()


def absent(admin, key):
    return refused(lambda: admin.head_object(Bucket=FINAL, Key=key))[1] == 404


DATA = b"hello, world"


def test_chunks_with_a_trailing_checksum_are_stored(server, admin, key):
    answer = put_chunks(server, key, unsigned_chunks(DATA, crc32(DATA)), len(DATA))
    assert status_of(answer) == 200
    got = admin.get_object(Bucket=FINAL, Key=key)
    assert (got["Body"].read(), got.get("ContentEncoding")) == (DATA, None)


def test_a_wrong_trailing_checksum_is_refused(server, admin, key):
    answer = put_chunks(server, key, unsigned_chunks(DATA, crc32(b"other")), len(DATA))
    assert (status_of(answer), code_of(body_of(answer))) == (400, "BadDigest")
    assert absent(admin, key)


def test_a_missing_trailer_is_refused(server, admin, key):
    body = unsigned_chunks(DATA, crc32(DATA))
    body = body[: body.index(b"x-amz-checksum")] + b"\r\n"
    answer = put_chunks(server, key, body, len(DATA))
    assert (status_of(answer), code_of(body_of(answer))) == (400, "InvalidRequest")
    assert absent(admin, key)


@pytest.mark.parametrize("length", [0, len(DATA) - 1, len(DATA) + 1])
def test_the_decoded_length_must_match(server, admin, key, length):
    answer = put_chunks(server, key, unsigned_chunks(DATA, crc32(DATA)), length)
    assert (status_of(answer), code_of(body_of(answer))) == (400, "IncompleteBody")
    assert absent(admin, key)


@pytest.mark.parametrize("kept", ["5\r\nhello\r\n", "5\r\nhel", "5\r\n", "5\r\nhello\r\n7\r\n, world\r\n", "5\r\nhello\r\n7\r\n, world\r\n0\r\n"])
def test_a_stream_cut_off_is_an_error_even_between_chunks(server, admin, key, kept):
    body = unsigned_chunks(DATA, crc32(DATA))
    assert body.startswith(kept.encode())
    # Cut off on the wire, and as a body that ends there by its own Content-Length.
    answer = put_chunks(server, key, kept.encode(), len(DATA), whole=len(body))
    assert answer == "" or status_of(answer) == 400
    answer = put_chunks(server, key, kept.encode(), len(DATA))
    assert (status_of(answer), code_of(body_of(answer))) == (400, "IncompleteBody")
    assert absent(admin, key)


def memory(server):
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


def test_a_huge_chunk_is_not_buffered(server, admin, key):
    """One chunk that says it has 4 GiB: what has come of it is on disk, not in memory."""
    before = memory(server)
    raw = Raw(server)
    size = 4 << 30
    raw.head("PUT", f"/{FINAL}/{key}", trailer_head(server, key, size, size + 100))
    raw.send(b"%x\r\n" % size)
    piece = b"\0" * (1 << 20)
    for _ in range(200):
        raw.send(piece)
    assert memory(server) - before < 50_000
    raw.socket.close()
    assert absent(admin, key)


def test_an_endless_chunk_header_is_refused(server, admin, key):
    answer = put_chunks(server, key, b"5;chunk-signature=" + b"a" * 5000, 5)
    assert (status_of(answer), code_of(body_of(answer))) == (400, "InvalidRequest")
    assert absent(admin, key)


class Chain:
    """Chunk signatures, each over the one before, by AWS's description alone."""

    def __init__(self, date, seed):
        self.date, self.last = date, seed
        self.scope = f"{date[:8]}/{REGION}/s3/aws4_request"
        self.key = f"AWS4{IDENTITIES[0]['secret']}".encode()
        for part in self.scope.split("/"):
            self.key = hmac.new(self.key, part.encode(), hashlib.sha256).digest()

    def sign(self, kind, *lines):
        text = "\n".join([f"AWS4-HMAC-SHA256-{kind}", self.date, self.scope, self.last, *lines])
        self.last = hmac.new(self.key, text.encode(), hashlib.sha256).hexdigest()
        return self.last

    def chunk(self, data):
        return self.sign("PAYLOAD", hashlib.sha256(b"").hexdigest(), hashlib.sha256(data).hexdigest())


def signed_chunks(server, key, chunks, trailer=None, tamper=None):
    """Puts chunks; the signature numbered `tamper` is wrong."""
    chunks = [*chunks, b""]
    length = sum(map(len, chunks))
    # 85 bytes around each chunk, beside the digits of its length.
    framed = sum(len(b"%x" % len(chunk)) + len(chunk) + 85 for chunk in chunks)
    headers = {"x-amz-decoded-content-length": str(length), "content-encoding": "aws-chunked"}
    if trailer:
        headers["x-amz-trailer"] = trailer.split(":")[0]
        framed += len(trailer) + 2 + len("x-amz-trailer-signature:") + 64 + 2
    headers["content-length"] = str(framed)
    headers = signed(server, "admin", "PUT", f"/{FINAL}/{key}", headers, SIGNED + "-TRAILER" if trailer else SIGNED)
    chain = Chain(headers["X-Amz-Date"], headers["Authorization"].rpartition("Signature=")[2])
    body = b""
    for index, chunk in enumerate(chunks):
        signature = chain.chunk(chunk)
        body += b"%x;chunk-signature=%s\r\n%s" % (len(chunk), ("0" * 64 if tamper == index else signature).encode(), chunk)
        body += b"\r\n" if chunk or not trailer else b""
    if trailer:
        signature = chain.sign("TRAILER", hashlib.sha256(f"{trailer}\n".encode()).hexdigest())
        signature = "0" * 64 if tamper == len(chunks) else signature
        body += f"{trailer}\r\nx-amz-trailer-signature:{signature}\r\n\r\n".encode()
    assert len(body) == framed
    raw = Raw(server)
    raw.head("PUT", f"/{FINAL}/{key}", headers)
    raw.send(body)
    return raw.answer()


CHUNKS = [b"a" * 70_000, b"b" * 10, b"c"]


@pytest.mark.parametrize("trailer", [None, "x-amz-checksum-crc32:" + crc32(b"".join(CHUNKS))])
def test_signatures_of_chunks_and_trailers_are_verified_one_by_one(server, admin, key, trailer):
    for tamper in range(5 if trailer else 4):
        answer = signed_chunks(server, key, CHUNKS, trailer, tamper)
        assert (status_of(answer), code_of(body_of(answer))) == (403, "SignatureDoesNotMatch"), tamper
    assert absent(admin, key)
    assert status_of(signed_chunks(server, key, CHUNKS, trailer)) == 200
    assert admin.get_object(Bucket=FINAL, Key=key)["Body"].read() == b"".join(CHUNKS)


def test_a_wrong_checksum_in_a_signed_trailer_is_refused(server, admin, key):
    answer = signed_chunks(server, key, CHUNKS, "x-amz-checksum-crc32:" + crc32(b"other"))
    assert (status_of(answer), code_of(body_of(answer))) == (400, "BadDigest")
    assert absent(admin, key)


def test_a_put_needs_a_length(server, admin, key):
    url = presigned(server, "admin", "PUT", f"/{FINAL}/{key}")
    answer = requests.put(url, data=iter([b"hello"]), timeout=30)
    assert (answer.status_code, code_of(answer.text)) == (411, "MissingContentLength")
    assert absent(admin, key)


def test_two_lengths_are_refused(server, admin, key):
    """A signed Content-Length would not be the one that counts."""
    for length, status in [({"content-length": "5"}, 403), ({}, 411)]:
        url = presigned(server, "admin", "PUT", f"/{FINAL}/{key}", length)
        raw = Raw(server)
        raw.head("PUT", url[len(server.url) :], {"Content-Length": "5", "Transfer-Encoding": "chunked"})
        raw.send(b"a\r\n0123456789\r\n0\r\n\r\n")
        assert status_of(raw.answer()) == status
        assert absent(admin, key)


def test_a_body_cut_off_is_not_stored(server, admin, key):
    raw = Raw(server)
    raw.head("PUT", presigned(server, "admin", "PUT", f"/{FINAL}/{key}")[len(server.url) :], {"Content-Length": "10"})
    raw.send(b"hello")
    raw.end()
    raw.answer()
    assert absent(admin, key)


def test_more_than_5_gib_is_refused_unseen(server, key):
    raw = Raw(server)
    url = presigned(server, "admin", "PUT", f"/{FINAL}/{key}")
    raw.head("PUT", url[len(server.url) :], {"Content-Length": str((5 << 30) + 1), "Expect": "100-continue"})
    answer = raw.answer()
    assert (status_of(answer), code_of(body_of(answer))) == (400, "EntityTooLarge")


def test_a_client_that_asks_first_is_told_to_continue_or_refused_at_once(server, admin, key):
    raw = Raw(server)
    good = presigned(server, "admin", "PUT", f"/{FINAL}/{key}")[len(server.url) :]
    raw.head("PUT", good, {"Content-Length": "5", "Expect": "100-continue"})
    assert raw.socket.recv(100).startswith(b"HTTP/1.1 100")
    raw.send(b"hello")
    assert status_of(raw.answer()) == 200
    raw = Raw(server)
    raw.head("PUT", f"/{FINAL}/{key}", {"Content-Length": "5", "Expect": "100-continue"})
    answer = raw.answer()
    assert (status_of(answer), "connection: close" in answer.lower()) == (403, True)
    # Not drained: the store closes at once.
    assert raw.socket.recv(10) == b""


def test_an_early_refusal_reaches_a_client_that_is_still_sending(server):
    """300 MB to a store that refuses at the head: a browser must see the reason, not a reset connection."""
    for _ in range(5):
        raw = Raw(server)
        size = 300_000_000
        raw.head("PUT", f"/{STAGING}/in/x", {"Content-Length": str(size), "Origin": "http://localhost:1"})
        piece = b"\0" * 1_000_000
        for _ in range(size // len(piece)):
            raw.send(piece)
        answer = raw.answer()
        assert (status_of(answer), code_of(body_of(answer))) == (403, "AccessDenied")
        assert "access-control-allow-origin" in answer.lower()


def test_a_connection_survives_a_refused_body(server, admin, key):
    raw = Raw(server)
    raw.head("PUT", f"/{FINAL}/{key}", {"Content-Length": "100000"})
    raw.send(b"x" * 100_000)
    assert status_of(raw.answer()) == 403
    raw.head("PUT", presigned(server, "admin", "PUT", f"/{FINAL}/{key}")[len(server.url) :], {"Content-Length": "5"})
    raw.send(b"hello")
    assert status_of(raw.answer()) == 200
    assert admin.get_object(Bucket=FINAL, Key=key)["Body"].read() == b"hello"


def test_connections_beyond_the_limit_wait_for_a_place(server, admin):
    """480 that say nothing: the next one waits, and is served when they have gone."""
    idle = [Raw(server) for _ in range(480)]
    url = presigned(server, "admin", "GET", f"/{FINAL}/x")
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.get(url, timeout=1)
    for raw in idle:
        raw.socket.close()
    assert requests.get(url, timeout=30).status_code == 404


def test_what_is_not_http_does_not_stop_the_store(server, admin):
    for nonsense in [b"\0\0\0\0\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"A" * 400_000]:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            try:
                connection.sendall(nonsense)
                connection.recv(1000)
            except OSError:
                pass
    assert send(server, "GET", "/").status_code == 200


def test_a_wrong_xml_is_refused(server):
    bomb = b'<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><Delete><Object><Key>&b;</Key></Object></Delete>'
    for body in [b"", b"<", b"<Delete>", b"<Other/>", b"<Delete/>", bomb, b"\xff\xfe"]:
        answer = send(server, "POST", f"/{FINAL}?delete", data=body)
        assert (answer.status_code, code_of(answer.text)) == (400, "MalformedXML"), body
    large = Raw(server)
    large.head("POST", f"/{FINAL}?delete", signed(server, "admin", "POST", f"/{FINAL}?delete", {"content-length": "99999999"}))
    answer = large.answer()
    assert (status_of(answer), code_of(body_of(answer))) == (400, "MaxMessageLengthExceeded")


def test_silent_and_trickling_clients_do_not_keep_others_out(server, admin, key):
    path = presigned(server, "uploader", "PUT", f"/{STAGING}/{key}").removeprefix(server.url)
    crowd = [Raw(server) for _ in range(480)]
    try:
        for number, one in enumerate(crowd):
            if number % 2:
                one.head("PUT", path, {"Content-Length": "1000000"})
                one.send(b"x")
        begun = time.monotonic()
        admin.put_object(Bucket=STAGING, Key=f"{key}-other", Body=b"let in")
        assert time.monotonic() - begun < 20, "it had to wait until the others timed out"
    finally:
        for one in crowd:
            one.socket.close()
