"""A service on the store that the environment names, and those who use it."""

import pytest

from application import Application, Staging
from service import Service


@pytest.fixture(scope="session")
def service(tmp_path_factory):
    service = Service(tmp_path_factory.mktemp("service"))
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
