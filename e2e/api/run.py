"""What the API says of itself in /openapi.json, held against what it answers: by schemathesis, for each kind of caller.

    script/stores run embedded python3 e2e/api/run.py [SECONDS]     so long for each caller; 40 unless told
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import requests

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "stores"))
from service import Service  # noqa: E402

OWNER = "ada"
PROGRAM = shutil.which("schemathesis", path=pathlib.Path(sys.executable).parent)
# What a profile takes, whose a file is, and which cursor is the service's own, no schema says: a sound request may be refused.
LEFT_OUT = "positive_data_acceptance"


def uploads(service):
    """Ids of uploads in each state that a begin alone reaches, and of one that has ended."""
    wishes = [
        {"profile": "image", "filename": "a.png", "content_type": "image/png", "size": 10, "method": method}
        for method in ("put", "post")
    ]
    wishes.append({"profile": "video", "filename": "a.mp4", "content_type": "video/mp4", "size": 2**27})
    wishes += [dict(wishes[0], profile="post") for _ in range(8)]
    headers = {"authorization": f"Bearer {service.key}"}
    begun = []
    for wish in wishes:
        answer = requests.post(f"{service.url}/v1/uploads", json=wish | {"owner": OWNER}, headers=headers, timeout=30)
        assert answer.status_code == 201, answer.text
        begun.append(answer.json())
    requests.put(begun[0]["grant"]["url"], data=b"\x89PNG\r\n\x1a\n..", headers=begun[0]["grant"]["headers"], timeout=30)
    requests.delete(f"{service.url}/v1/uploads/{begun[-1]['id']}", headers=headers, timeout=30)
    return begun


def settings(ids, scheme, token):
    """The program's own configuration."""
    lines = [
        f"dictionaries.ids.values = {json.dumps(ids)}",
        "parameters.id = { dictionary = 'ids', probability = 0.7 }",
        # As long as is asked for, an answer is held.
        "dictionaries.waits.values = [0, 1]",
        "parameters.'query.wait' = { dictionary = 'waits', probability = 1.0 }",
    ]
    if scheme:
        lines.append(f"auth.openapi.{scheme}.bearer = {json.dumps(token)}")
    return "\n".join(lines) + "\n"


def run(service, directory, caller, seconds):
    name, scheme, token, ids = caller
    print(f"\n── as {name}", flush=True)
    configuration = directory / "schemathesis.toml"
    configuration.write_text(settings(ids, scheme, token))
    line = [PROGRAM, "--config-file", str(configuration), "run", f"{service.url}/openapi.json", "--max-time", str(seconds)]
    line += ["--max-redirects", "0", "--exclude-checks", LEFT_OUT, "--continue-on-failure", "--warnings", "off", "--seed", "1"]
    return subprocess.run(line, cwd=directory, check=False).returncode == 0


def main(seconds="40"):
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        service = Service(directory)
        service.provision()
        service.start()
        try:
            begun = uploads(service)
            ids = [one["id"] for one in begun]
            callers = [
                ("an application's server", "api_key", service.key, ids),
                ("a user", "user", service.user_token(OWNER), ids),
                ("the holder of an upload token", "upload_token", begun[2]["token"], ids[2:3]),
                ("nobody", None, None, ids),
            ]
            passed = [run(service, directory, caller, seconds) for caller in callers]
        finally:
            stopped = service.stop() == 0
    good = sum(passed) + stopped
    print(f"\n{good} passed, {len(passed) + 1 - good} failed")
    return good == len(passed) + 1


if __name__ == "__main__":
    sys.exit(0 if main(*sys.argv[1:]) else 1)
