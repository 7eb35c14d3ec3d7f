"""Uploads through the API, scanned by `clamd`."""

import io
import json
import pathlib
import subprocess
import time
import zipfile

import pytest
import requests

from conftest import EICAR, FILE_MAX, STREAM_MAX
from service import program

PDF = b"%PDF-1.7\n"


def archive(name, content):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(name, content)
    return packed.getvalue()


def encrypted(content):
    """An archive whose one entry says that it is encrypted (APPNOTE.TXT, 4.4.4: bit 0), as a scanner sees it."""
    packed = bytearray(archive("secret.txt", content))
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        packed[packed.index(header) + flags] |= 1
    return bytes(packed)


def send(app, content, profile="strict", content_type="application/octet-stream", method="put"):
    begun = app.begin(profile, "sample", content_type, len(content), method=method)
    grant = begun["grant"]
    match grant["method"]:
        case "put":
            answers = [requests.put(grant["url"], data=content, headers=grant["headers"], timeout=60)]
        case "post":
            answers = [requests.post(grant["url"], data=grant["fields"], files={"file": content}, timeout=60)]
        case "multipart":
            size = grant["part_size"]
            answers = [
                requests.put(part["url"], data=content[(part["number"] - 1) * size :][: part["size"]], timeout=60)
                for part in grant["parts"]
            ]
    assert all(answer.ok for answer in answers), answers[-1].text
    return begun


def complete(app, begun):
    """Once; the status, and how the upload then stands, or why it was refused."""
    answer = app.call("POST", f"/v1/uploads/{begun['id']}/complete", token=begun["token"])
    said = answer.json()
    return answer.status_code, said.get("state") or said["error"]["details"]["reason"]


def settled(app, begun, seconds=60):
    """Looks until it is settled."""
    deadline = time.monotonic() + seconds
    while True:
        upload = app.ask("GET", f"/v1/uploads/{begun['id']}?wait=10")
        if upload["state"] not in ("issued", "received"):
            return upload
        assert time.monotonic() < deadline, upload


@pytest.mark.parametrize("method", ["put", "post", "multipart"])
def test_what_is_clean_passes(app, method):
    begun = send(app, b"nothing wrong with it", method=method)
    assert complete(app, begun) == (200, "stored")
    assert app.bytes_of(begun["id"]) == b"nothing wrong with it"


@pytest.mark.parametrize("method", ["put", "post", "multipart"])
def test_malware_is_rejected_and_gone_from_the_store(app, staging, method):
    begun = send(app, EICAR, method=method)
    assert complete(app, begun) == (422, "malware")
    upload = app.look(begun)
    assert "Eicar-Test-Signature" in upload["reason"]["message"]
    deadline = time.monotonic() + 30
    while any(staging.size(key) for key in staging.keys(begun["id"])):
        assert time.monotonic() < deadline, "the content is still there"
        time.sleep(0.1)


def test_a_grant_of_rejected_content_cannot_be_used_again(app, staging):
    begun = send(app, EICAR)
    assert complete(app, begun) == (422, "malware")
    while any(staging.size(key) for key in staging.keys(begun["id"])):
        time.sleep(0.1)
    grant = begun["grant"]
    again = requests.put(grant["url"], data=EICAR, headers=grant["headers"], timeout=60)
    assert again.status_code == 412


def test_malware_is_kept_in_quarantine_where_the_profile_says_so(app, staging, service):
    begun = send(app, EICAR, profile="patient")
    assert complete(app, begun) == (422, "malware")
    key = f"quarantine/{begun['id']}"
    assert staging.read(key) == EICAR

    def quarantine(*arguments):
        line = [program(), "quarantine", *arguments, "--config", str(service.configuration)]
        return subprocess.run(line, check=True, stdout=subprocess.PIPE, timeout=60).stdout

    kept = [json.loads(line) for line in quarantine("list", "--json").splitlines()]
    [found] = [entry for entry in kept if entry["id"] == begun["id"]]
    assert (found["key"], found["reason"]) == (key, "malware")
    quarantine("delete", begun["id"])
    deadline = time.monotonic() + 30
    while staging.size(key):
        assert time.monotonic() < deadline, "it is still kept"
        time.sleep(0.1)


def test_malware_within_an_archive_is_rejected(app):
    begun = send(app, archive("readme.txt", EICAR), content_type="application/zip")
    assert complete(app, begun) == (422, "malware")


def test_malware_at_the_end_of_a_long_file_is_rejected(app):
    begun = send(app, PDF + bytes(5 << 20) + EICAR, content_type="application/pdf", method="multipart")
    assert complete(app, begun) == (422, "malware")


def test_an_archive_that_nobody_can_look_into_is_rejected(app):
    begun = send(app, encrypted(b"secret"), content_type="application/zip")
    assert complete(app, begun) == (422, "malware")
    assert "Encrypted" in app.look(begun)["reason"]["message"]


@pytest.mark.parametrize("size", [FILE_MAX + 1, STREAM_MAX + 1, 64 << 20])
def test_what_is_larger_than_the_scanner_takes_is_not_let_through(app, size):
    content = PDF + bytes(size - len(PDF))
    begun = send(app, content, content_type="application/pdf")
    assert complete(app, begun) == (422, "not_scanned")
    held = send(app, content, profile="patient", content_type="application/pdf")
    assert complete(app, held) == (202, "received")
    app.ask("DELETE", f"/v1/uploads/{held['id']}", token=held["token"])


def test_while_the_scanner_is_away_uploads_wait_for_it(app, clamd):
    clamd.stop()
    try:
        waiting = [send(app, b"clean", profile="patient"), send(app, EICAR, profile="patient")]
        strict = send(app, b"clean")
        assert [complete(app, begun) for begun in waiting] == [(202, "received")] * 2
        assert complete(app, strict) == (202, "received")
        assert settled(app, strict)["reason"]["code"] == "not_scanned"
        assert [app.look(begun)["state"] for begun in waiting] == ["received"] * 2
    finally:
        clamd.start()
    clean, infected = [settled(app, begun, 120) for begun in waiting]
    assert clean["state"] == "stored"
    assert infected["reason"]["code"] == "malware"
    assert app.bytes_of(clean["id"]) == b"clean"


def test_a_long_file_is_scanned_without_being_kept_in_memory(app, service):
    """The scanner takes the first megabytes and hangs up; what counts is that the service never holds the file."""
    content = PDF + bytes((256 << 20) - len(PDF))
    begun = send(app, content, content_type="application/pdf", method="multipart")
    assert complete(app, begun) == (422, "not_scanned")
    status = pathlib.Path(f"/proc/{service.process.pid}/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    assert int(peak.split()[1]) < 128 << 10, peak
