"""What the API says of itself in /openapi.json, held against what it answers: by schemathesis, for each kind of caller, and once
more where rates are small.

    script/stores run embedded python3 e2e/api/run.py [SECONDS]     so long for each caller; 40 unless told
"""

import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import requests

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "stores"))
from service import Service, program  # noqa: E402

OWNER = "ada"
# A local user.
NAME, PASSWORD = "grace", "correct horse battery staple"
# Strangers may begin here, with whatever an image is called.
OPEN = """
[profiles.open]
types = ["*/*"]
max_size = "1 GiB"
active_content = "attach"
admits.anonymous = true
"""
SMALL_RATES = {
    "LOADLOCK_LIMITS_PER_OWNER": "2 per minute",
    "LOADLOCK_LIMITS_PER_ADDRESS": "10 per minute",
    "LOADLOCK_LIMITS_FAILURES": "2 per minute",
}
# What chance would hardly find: tried by each caller, before their time begins.
EXAMPLES = {
    "begin": [{"profile": "open", "filename": "a.png", "content_type": "image/png", "size": 10}] * 3,
    "sign_in": [{"name": NAME, "password": PASSWORD}, {"name": NAME, "password": PASSWORD[:-1]}],
}
PROGRAM = shutil.which("schemathesis", path=pathlib.Path(sys.executable).parent)
# What a profile takes, whose a file is, and which cursor is the service's own, no schema says: a sound request may be refused.
LEFT_OUT = ["positive_data_acceptance"]
# With what invalid data may be refused: as the program has it, and a size that no file has as too large a file.
REFUSED = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429]
CHECKS = pathlib.Path(__file__).with_name("checks.py")


@dataclasses.dataclass
class Caller:
    name: str
    # Of the document, and what goes with it.
    scheme: str | None
    token: str | None
    ids: list[str]
    # What must have been answered at least once, or the run has proved less than it says.
    must: list[str]
    left_out: list[str] = dataclasses.field(default_factory=list)


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


def add_user(service):
    line = [program(), "user", "add", NAME, "--config", str(service.configuration), "--password-stdin"]
    subprocess.run(line, input=PASSWORD, text=True, stdout=subprocess.DEVNULL, timeout=60, check=True)


def settings(caller):
    """The program's own configuration."""
    lines = [f"hooks = {json.dumps(str(CHECKS))}", f"checks.negative_data_rejection.expected-statuses = {REFUSED}"]
    # As long as is asked for, an answer is held.
    values = {
        "id": (caller.ids, 0.7),
        "query.wait": ([0, 1], 1.0),
        "body.profile": (["open"], 0.5),
    }
    for number, (parameter, (those, probability)) in enumerate(values.items()):
        lines.append(f"dictionaries.d{number}.values = {json.dumps(those)}")
        lines.append(f"parameters.{json.dumps(parameter)} = {{ dictionary = 'd{number}', probability = {probability} }}")
    if caller.scheme:
        lines.append(f"auth.openapi.{caller.scheme}.bearer = {json.dumps(caller.token)}")
    return "\n".join(lines) + "\n"


def run(service, directory, caller, *passes):
    """Whether all held, in passes of the program with these options, and all was answered that must be."""
    print(f"\n── {caller.name}", flush=True)
    configuration = directory / "schemathesis.toml"
    configuration.write_text(settings(caller))
    answers = directory / "answers"
    answers.write_text("")
    line = [PROGRAM, "--config-file", str(configuration), "run", f"{service.url}/openapi.json"]
    line += ["--max-redirects", "0", "--exclude-checks", ",".join(LEFT_OUT + caller.left_out)]
    line += ["--continue-on-failure", "--warnings", "off", "--seed", "1"]
    environment = os.environ | {"ANSWERS": str(answers), "EXAMPLES": json.dumps(EXAMPLES)}
    runs = [subprocess.run(line + options, cwd=directory, env=environment, check=False) for options in passes]
    held = all(one.returncode == 0 for one in runs)
    missed = set(caller.must) - set(answers.read_text().splitlines())
    if missed:
        print(f"never answered: {', '.join(sorted(missed))}")
    return held and not missed


def main(seconds="40"):
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        service = Service(directory)
        with service.configuration.open("a") as configuration:
            configuration.write(OPEN)
        service.provision()
        add_user(service)
        service.start()
        try:
            begun = uploads(service)
            ids = [one["id"] for one in begun]
            user = service.user_token(OWNER)
            callers = [
                Caller("as an application's server", "api_key", service.key, ids, ["sign_in 200"]),
                Caller("as a user", "user", user, ids, ["begin 201"]),
                Caller("as the holder of an upload token", "upload_token", begun[2]["token"], ids[2:3], ["sign_in 200"]),
                Caller("as nobody", None, None, ids, ["begin 201", "sign_in 200", "sign_in 401"]),
            ]
            examples = ["--phases", "examples"]
            others = ["--phases", "coverage,fuzzing,stateful", "--max-time", str(seconds)]
            passed = []
            for caller in callers:
                passed.append(run(service, directory, caller, examples, others))
                # The next one has attempts to sign in of their own.
                assert service.stop() == 0
                service.start()
            assert service.stop() == 0
            service.start(**SMALL_RATES)
            # Whoever asks too often is refused before their token is looked at, or what they send.
            hasty = Caller("as a user in haste", "user", user, ids, ["begin 429", "files 429", "sign_in 429"])
            hasty.left_out = ["ignored_auth", "negative_data_rejection", "missing_required_header"]
            passed.append(run(service, directory, hasty, ["--phases", "examples,coverage"]))
        finally:
            stopped = service.stop() == 0
    good = sum(passed) + stopped
    print(f"\n{good} passed, {len(passed) + 1 - good} failed")
    return good == len(passed) + 1


if __name__ == "__main__":
    sys.exit(0 if main(*sys.argv[1:]) else 1)
