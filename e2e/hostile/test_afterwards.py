"""What is left when all has been tried."""

import os
import time

import document
import requests

from gate import FINAL, operator, post, put, until


def test_an_expired_grant(gate, attempt):
    """PUT, form, part: used after the grant's end"""
    until(lambda: time.time() > os.path.getmtime(gate.configuration) + 8)
    single, form, parts = gate.brief
    attempt.store(put(single["grant"], single["data"]))
    attempt.store(post(form["grant"], form["data"]))
    [part] = parts["grant"]["parts"]
    attempt.store(requests.put(part["url"], data=parts["data"], headers=part["headers"], timeout=60))
    for begun in gate.brief:
        gate.abort(begun)


def test_nothing_wrong_has_become_a_file(gate, attempt):
    """All of it together: files that nobody was granted, or with other bytes; objects without a file"""
    files, cursor = {}, ""
    while cursor is not None:
        page = gate.call("GET", f"/v1/files?limit=100{cursor}", token=gate.key).json()
        files |= {file["id"]: file for file in page["files"]}
        cursor = f"&cursor={page['next_cursor']}" if "next_cursor" in page else None
    assert set(files) == set(gate.files)
    for id, data in gate.files.items():
        assert gate.bytes_of({"id": id}) == data
    pages = operator().get_paginator("list_objects_v2").paginate(Bucket=FINAL)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    assert len(keys) == len(files)
    assert all(any(id in key for id in files) for key in keys)
    attempt.held("nothing")


def test_the_log_keeps_the_secrets(gate, attempt):
    """The log, asked for everything (`LOADLOCK_LOG=trace`): tokens, keys, signatures, the keys of staged objects"""
    log = gate.log.read_text(errors="replace")
    assert len(log) > 100_000 and "POST" in log
    assert len(gate.secrets) > 100
    for secret in gate.secrets:
        assert secret not in log, log[max(0, log.index(secret) - 500) : log.index(secret) + 100]
    for name, secret in os.environ.items():
        if name.endswith("SECRET_ACCESS_KEY"):
            assert secret not in log, name
    attempt.held("nothing")


def test_the_page_says_what_was_found(gate, sheet, request):
    found = document.found(sheet)
    assert all(row["held"] for row in found["attempts"]), "nobody knows what held it"
    if request.config.getoption("--write"):
        document.keep(found)
    elif document.is_whole(request.session):
        assert found == document.kept(os.environ["STORE"])
    assert document.PAGE.read_text() == document.page()
