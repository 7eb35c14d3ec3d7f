"""One service for all attempts, and the sheet on which each is noted."""

import pytest

from gate import HAS_KEYS, Attempt, Gate


def pytest_addoption(parser):
    parser.addoption("--write", action="store_true", help="keep what was found, and write docs/hostile.md")


def pytest_collection_modifyitems(items):
    """What looks back at everything comes last."""
    items.sort(key=lambda item: item.module.__name__ == "test_afterwards")


@pytest.fixture(scope="session")
def sheet():
    return {}


@pytest.fixture(scope="session")
def gate(tmp_path_factory):
    gate = Gate(tmp_path_factory.mktemp("gate"))
    gate.provision()
    gate.start()
    data = b"late"
    brief = {"profile": "brief", "data": data, "content_type": "text/plain"}
    gate.brief = [gate.begin(**brief, method=method) for method in ("put", "post", "multipart")]
    yield gate
    assert gate.stop() == 0, "the service did not stop cleanly"


@pytest.fixture
def attempt(gate, sheet, request):
    says = request.function.__doc__.strip()
    row = sheet.setdefault(says, {"says": says, "held": set()})
    return Attempt(gate, row)


@pytest.fixture
def keys(gate, attempt):
    """The hostile user's own."""
    if not HAS_KEYS:
        attempt.held("no STS")
        pytest.skip("no token service of this store is tried")
    return gate.vend()


@pytest.fixture(scope="session")
def victim(gate):
    """A file of somebody else's."""
    return gate.victim()
