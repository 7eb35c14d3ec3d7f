"""A service on the store that the environment names, and those who use it."""

import pytest

from fixtures import app, running, staging  # noqa: F401
from service import Service


@pytest.fixture(scope="session")
def service(tmp_path_factory):
    with running(Service(tmp_path_factory.mktemp("service"))) as service:
        yield service
