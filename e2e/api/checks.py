"""What run.py has schemathesis do besides: try EXAMPLES first, list in ANSWERS what was answered, and hold a 429 to its headers."""

import json
import os
import re

import schemathesis


@schemathesis.hook
def before_add_examples(context, examples):
    name = context.operation.definition.raw["operationId"]
    for body in json.loads(os.environ["EXAMPLES"]).get(name, []):
        examples.append(context.operation.Case(body=body, media_type="application/json"))


@schemathesis.check
def too_many_requests(ctx, response, case):
    # A preflight is answered by its own.
    if case.method == case.operation.method.upper():
        with open(os.environ["ANSWERS"], "a") as answers:
            print(case.operation.definition.raw["operationId"], response.status_code, file=answers)
    if response.status_code != 429:
        return
    details = response.json()["error"]["details"]
    wait = response.headers.get("retry-after", [""])[0]
    assert re.fullmatch("[1-9][0-9]*", wait), f"a 429 without a sound Retry-After: {wait!r}"
    assert details["retry_after"] == int(wait), f"Retry-After is {wait}, and the answer says {details}"
    # Failures are counted where nobody else's are, and sign-in by doors of its own: neither has a rate to show.
    if details["policy"] in ("owner", "address", "key"):
        standing = response.headers.get("ratelimit", [""])[0]
        assert f'"{details["policy"]}";r=0;t=' in standing, f"RateLimit shows no empty {details['policy']}: {standing!r}"
