"""A service that runs, and those who use it: for every folder of tests that starts one of its own."""

import contextlib

import pytest

from application import Application, Staging


@contextlib.contextmanager
def running(service):
    service.first = service.provision()
    service.start()
    yield service
    assert service.stop() == 0, "the service did not stop cleanly"


@pytest.fixture(scope="session")
def app(service):
    return Application(service)


@pytest.fixture(scope="session")
def staging():
    return Staging()
