"""`loadlock serve` on the store that the environment names (`script/stores run STORE …`).

    python3 service.py COMMAND…     provision, serve, and run COMMAND with LOADLOCK_URL and LOADLOCK_API_KEY; PAGE_CONFIG and
                                    PAGE_PORT let e2e/browser run `loadlock dev` on the same store
"""

import base64
import hashlib
import hmac
import json
import os
import pathlib
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Where the examples' pages are; a form may return there.
PAGES = ["http://127.0.0.1:3000", "http://127.0.0.1:8000"]
IMAGES = ["image/jpeg", "image/png", "image/gif", "image/webp", "image/avif"]
VIDEOS = ["video/mp4", "video/webm", "video/quicktime"]

# Everything of the store comes from the environment.
CONFIGURATION = """
listen = "{listen}"
public_url = "http://{listen}"
records = "{records}"
origins = {origins}
secrets = ["{secret}"]
user_secrets = ["{user_secret}"]
upload_url = "image"

# All that is tried comes from one address.
[limits]
per_owner = "off"
per_address = "off"
failures = "off"

[[api_keys]]
name = "tests"
sha256 = "{key_sha256}"

[profiles.image]
types = {images}
max_size = "25 MiB"
read = "public"

[profiles.video]
types = {videos}
max_size = "5 GiB"
read = "public"

[profiles.post]
types = {both}
max_size = "5 GiB"
promote = "on_claim"
read = "public"

[profiles.kept]
types = {images}
max_size = "25 MiB"
read = "public"

[profiles.kept.storage]
class = "STANDARD"
cache_control = "private, max-age=60"
disposition = "attachment"

[profiles.kept.storage.tags]
"team:name" = "photo room"
whose = "{{profile}}/{{owner}}/{{id}}"
"""


def program():
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return os.environ.get("LOADLOCK_BIN", str(target / "release" / "loadlock"))


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def unpadded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def token(secret, claims):
    """A JWT that is good for an hour (RFC 7519, HS256)."""
    claims = claims | {"exp": int(time.time()) + 3600}
    signed = b".".join(unpadded(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return (signed + b"." + unpadded(hmac.digest(secret.encode(), signed, "sha256"))).decode()


class Service:
    def __init__(self, directory, pages=PAGES):
        self.configuration = directory / "loadlock.toml"
        self.key = "llk_" + secrets.token_urlsafe(32)
        self.user_secret = secrets.token_urlsafe(32)
        listen = f"127.0.0.1:{free_port()}"
        self.url = f"http://{listen}"
        self.configuration.write_text(
            CONFIGURATION.format(
                listen=listen,
                records=directory / "records.db",
                origins=json.dumps(pages),
                secret=secrets.token_urlsafe(32),
                user_secret=self.user_secret,
                key_sha256=hashlib.sha256(self.key.encode()).hexdigest(),
                images=json.dumps(IMAGES),
                videos=json.dumps(VIDEOS),
                both=json.dumps(IMAGES + VIDEOS),
            )
        )

    def user_token(self, owner):
        """A JWT, as an application's server makes one for its user."""
        return token(self.user_secret, {"sub": owner, "aud": "loadlock"})

    def loadlock(self, command, *arguments, **environment):
        """Runs a command to its end; what it printed as JSON, whatever it thinks of it."""
        line = [program(), command, "--config", str(self.configuration), "--json", *arguments]
        done = subprocess.run(line, env=os.environ | environment, stdout=subprocess.PIPE, timeout=300)
        assert done.stdout, f"`loadlock {command}` ended with {done.returncode}"
        return json.loads(done.stdout)

    def provision(self):
        return self.loadlock(
            "provision",
            AWS_ACCESS_KEY_ID=os.environ["OPERATOR_ACCESS_KEY_ID"],
            AWS_SECRET_ACCESS_KEY=os.environ["OPERATOR_SECRET_ACCESS_KEY"],
        )["steps"]

    def start(self, **environment):
        line = [program(), "serve", "--config", str(self.configuration), "--json"]
        self.process = subprocess.Popen(line, stdout=subprocess.PIPE, env=os.environ | environment)
        assert self.process.stdout.readline(), "the service did not start"

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


def main(command):
    with tempfile.TemporaryDirectory() as directory:
        # Beside the examples' pages, that of `loadlock dev --config`.
        port = free_port()
        service = Service(pathlib.Path(directory), [*PAGES, *(f"http://{host}:{port}" for host in ("127.0.0.1", "localhost"))])
        service.provision()
        service.start()
        try:
            environment = os.environ | {
                "LOADLOCK_URL": service.url,
                "LOADLOCK_API_KEY": service.key,
                "PAGE_CONFIG": str(service.configuration),
                "PAGE_PORT": str(port),
            }
            return subprocess.run(command, env=environment, check=False).returncode
        finally:
            service.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
