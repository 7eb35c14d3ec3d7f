"""ClamAV's own `clamd` beside the service, on the store that the environment names (`script/stores run STORE …`)."""

import pathlib
import signal
import socket
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "stores"))

from fixtures import app, running, staging  # noqa: E402, F401
from service import Service, free_port  # noqa: E402

# The EICAR test file, which every scanner knows and which does nothing; in two pieces, so that none finds it here.
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
STREAM_MAX = 8 << 20
FILE_MAX = 6 << 20

CLAMD = """
Foreground yes
{listen}
DatabaseDirectory {directory}/signatures
TemporaryDirectory {directory}
StreamMaxLength {stream_max}
MaxFileSize {file_max}
MaxScanSize {file_max}
AlertExceedsMax yes
AlertEncrypted yes
"""

SCANNING = """
[scanning]
clamd = "{address}"

[profiles.strict]
types = ["*/*"]
max_size = "1 GiB"
read = "public"
inspect = {{ clamav = true, patience = "4 seconds" }}

[profiles.patient]
types = ["*/*"]
max_size = "1 GiB"
read = "public"
inspect = {{ clamav = true, unscanned = "hold", quarantine = "7 days" }}
"""


class Clamd:
    """With one signature, made by hand: none can be downloaded where tests run."""

    def __init__(self, directory, kind):
        self.directory = directory
        if kind == "tcp":
            port = free_port()
            self.address = f"tcp://127.0.0.1:{port}"
            listen = f"TCPSocket {port}\nTCPAddr 127.0.0.1"
            self.reach = lambda: socket.create_connection(("127.0.0.1", port))
        else:
            path = directory / "clamd.ctl"
            self.address = f"unix://{path}"
            listen = f"LocalSocket {path}"
            self.reach = lambda: self.connect_unix(path)
        (directory / "signatures").mkdir()
        (directory / "signatures" / "eicar.ndb").write_text(f"Eicar-Test-Signature:0:*:{EICAR.hex()}\n")
        self.configuration = directory / "clamd.conf"
        self.configuration.write_text(
            CLAMD.format(directory=directory, listen=listen, stream_max=STREAM_MAX, file_max=FILE_MAX)
        )

    @staticmethod
    def connect_unix(path):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(path))
        return connection

    def start(self):
        log = (self.directory / "clamd.log").open("a")
        line = ["clamd", "--config-file", str(self.configuration)]
        self.process = subprocess.Popen(line, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while True:
            assert self.process.poll() is None, (self.directory / "clamd.log").read_text()
            try:
                with self.reach() as connection:
                    connection.sendall(b"zPING\0")
                    if connection.recv(5) == b"PONG\0":
                        return
            except OSError:
                pass
            assert time.monotonic() < deadline, "clamd does not answer"
            time.sleep(0.05)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=30)


@pytest.fixture(scope="session", params=["unix", "tcp"])
def clamd(request, tmp_path_factory):
    clamd = Clamd(tmp_path_factory.mktemp("clamd"), request.param)
    clamd.start()
    yield clamd
    clamd.stop()


@pytest.fixture(scope="session")
def service(clamd, tmp_path_factory):
    service = Service(tmp_path_factory.mktemp("service"))
    with service.configuration.open("a") as more:
        more.write(SCANNING.format(address=clamd.address))
    with running(service):
        yield service
