"""What the store holds is what docs/stores.md says."""

import os

import document


def test_provisioning_again_changes_nothing(service):
    first = {(step["bucket"], step["what"]) for step in service.first}
    again = service.provision()
    assert {(step["bucket"], step["what"]) for step in again} == first
    assert {step["outcome"] for step in again} <= {"kept", "left", "lacking"}, again


def test_the_doctor_finds_what_the_page_says(service):
    assert document.look(service) == document.kept(os.environ["STORE"])
    assert document.PAGE.read_text() == document.page()


def test_no_store_breaks_a_promise(service):
    checks = service.loadlock("doctor")["checks"]
    assert len(checks) >= 30
    broken = [check["name"] for check in checks if check["outcome"] in ("breached", "unreachable")]
    assert broken == []
