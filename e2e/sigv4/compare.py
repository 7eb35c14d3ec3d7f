"""Our signer and verifier beside botocore, on thousands of seeded random cases.

Python and botocore decide what a URL, a header or a form must look like; the Rust example `sign_lines` answers for us.
For every case: we sign what botocore signs and must get the same; our verifier must accept what botocore signed; and it must
refuse it once one character is another.

    pip install -r e2e/sigv4/requirements.txt && python3 e2e/sigv4/compare.py [SEED]
"""

import base64
import datetime
import json
import os
import random
import subprocess
import sys
import unittest.mock
from urllib.parse import quote, urlsplit

import botocore.session
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PRESIGNED, AUTHORIZED, CALLED, POSTED = 2500, 2500, 600, 1200
CLIENTS = 12

ALPHABETS = [
    "abcXYZ019",
    "aé日本🦀ßжك",
    "a +%&=?#/:;,~-_.!*'()@[]{}|\\^`\"<>$",
]


class Cases:
    """Random inputs; the same seed makes the same."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        # Making a client takes botocore long: a few serve them all.
        session = botocore.session.get_session()
        # A bucket with dots would not be a virtual host over https there.
        self.callers = [{**self.signer(), **self.place(), "bucket": "my-bucket"} for _ in range(CLIENTS)]
        self.clients = [client(session, caller) for caller in self.callers]

    def caller(self):
        """Someone with a client, at some time."""
        chosen = self.random.randrange(CLIENTS)
        return {**self.callers[chosen], "now": self.signer()["now"]}, self.clients[chosen]

    def text(self, least=0, most=24):
        alphabet = self.random.choice(ALPHABETS + ["".join(ALPHABETS)])
        return "".join(self.random.choice(alphabet) for _ in range(self.random.randint(least, most)))

    def key(self):
        parts = [self.random.choice(["", ".", "..", "a b", "x+y", self.text(1), self.text(1)])
                 for _ in range(self.random.randint(1, 4))]
        return "/".join(parts) or "k"

    def header_value(self):
        return self.text(0, 30) + self.random.choice(["", " ", "  two  blanks ", "\ttab"])

    def headers(self):
        names = ["Content-Type", "content-length", "x-amz-meta-" + self.random.choice(["a", "Name", "z-9_x"]), "x-amz-acl",
                 "If-None-Match", "X-Amz-Storage-Class", "x-amz-tagging", "Content-MD5", "range", "a"]
        chosen = self.random.sample(names, self.random.randint(0, 5))
        return [[name, self.header_value()] for name in chosen]

    def query(self, most=4):
        names = ["partNumber", "uploadId", "uploads", "response-content-type", "prefix", "A", "x-id", "versionId"]
        query = {}
        for _ in range(self.random.randint(0, most)):
            query[self.random.choice(names + [self.text(1, 6)])] = self.text(0, 12)
        return [[name, value] for name, value in query.items() if not name.lower().startswith("x-amz-")]

    def place(self):
        style = self.random.choice(["path", "virtual"])
        scheme = self.random.choice(["http", "https"])
        host = self.random.choice(["s3.eu-central-1.amazonaws.com", "localhost", "store.example"])
        if style == "path" and self.random.random() < 0.3:
            host = self.random.choice(["127.0.0.1", "[::1]"])
        port = self.random.choice(["", "", ":9000", ":443", ":80", ":8080"])
        bucket = self.random.choice(["photos", "my-bucket", "a.b.c"])
        return {"style": style, "endpoint": f"{scheme}://{host}{port}", "bucket": bucket}

    def signer(self):
        return {
            "access_key": "AKIA" + "".join(self.random.choice("ABCDEFGH234") for _ in range(16)),
            "secret": "".join(self.random.choice("abcXYZ019+/=") for _ in range(self.random.randint(1, 80))),
            # A header loses the blanks around its value.
            "token": self.text(1, 60).strip() or "t" if self.random.random() < 0.4 else None,
            "region": self.random.choice(["us-east-1", "eu-central-1", "auto", "garage"]),
            "now": self.random.randint(1_000_000_000, 4_000_000_000),
        }


def credentials(case):
    return Credentials(case["access_key"], case["secret"], case["token"])


def at(case):
    """botocore's clock, set."""
    moment = datetime.datetime.fromtimestamp(case["now"], datetime.timezone.utc).replace(tzinfo=None)
    clock = unittest.mock.Mock(return_value=moment)
    patches = [unittest.mock.patch(f"botocore.{module}.get_current_datetime", clock) for module in ("auth", "signers")]
    return patches


def frozen(case, act):
    first, second = at(case)
    with first, second:
        return act()


def url_of(case):
    scheme, host = case["endpoint"].split("://")
    key = "" if case["key"] is None else "/" + quote(case["key"], safe="/~")
    if case["style"] == "path":
        return f"{scheme}://{host}/{case['bucket']}{key}"
    return f"{scheme}://{case['bucket']}.{host}{key or '/'}"


def encoded(query):
    return "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in query)


def presigned(cases):
    case = {"do": "presign", **cases.signer(), **cases.place(), "method": cases.random.choice(["GET", "PUT", "HEAD", "DELETE"])}
    case["key"] = None if cases.random.random() < 0.1 else cases.key()
    case["query"], case["headers"] = cases.query(), cases.headers()
    case["expires"] = cases.random.choice([1, 900, 604800, cases.random.randint(1, 604800)])
    url = url_of(case)
    if case["query"]:
        url += "?" + encoded(case["query"])
    request = AWSRequest(method=case["method"], url=url, headers=dict(case["headers"]))
    auth = S3SigV4QueryAuth(credentials(case), "s3", case["region"], case["expires"])
    frozen(case, lambda: auth.add_auth(request))
    return case, request.url, wire(case, request.url, case["headers"])


def authorized(cases):
    case = {"do": "authorize", **cases.signer(), **cases.place(), "method": cases.random.choice(["GET", "PUT", "POST", "DELETE"])}
    case["key"] = None if cases.random.random() < 0.1 else cases.key()
    case["query"], case["headers"] = cases.query(), cases.headers()
    if case["query"] and cases.random.random() < 0.3:
        case["query"].append([case["query"][0][0], cases.text(0, 5)])
    url = url_of(case) + ("?" + encoded(case["query"]) if case["query"] else "")
    request = AWSRequest(method=case["method"], url=url, headers=dict(case["headers"]), data=cases.text().encode())
    enabled = cases.random.random() < 0.5
    request.context["client_config"] = Config(s3={"payload_signing_enabled": enabled})
    auth = S3SigV4Auth(credentials(case), "s3", case["region"])
    frozen(case, lambda: auth.add_auth(request))
    case["payload"] = request.headers["X-Amz-Content-SHA256"]
    expected = {name.lower(): value for name, value in request.headers.items()}
    headers = [[name, value] for name, value in request.headers.items()]
    return case, expected, wire(case, url, headers)


def called(cases):
    """As people do: through a client's own calls."""
    caller, theirs = cases.caller()
    case = {"do": "presign", **caller, "key": cases.key().strip("/") or "k"}
    case["expires"], content_type = cases.random.randint(1, 604800), "image/jpeg"
    object_ = {"Bucket": case["bucket"], "Key": case["key"]}
    call, method, params, query, headers = cases.random.choice([
        ("put_object", "PUT", {"ContentType": content_type, "Metadata": {"name": "a b"}, "IfNoneMatch": "*"}, [],
         [["content-type", content_type], ["x-amz-meta-name", "a b"], ["if-none-match", "*"]]),
        ("get_object", "GET", {"ResponseContentDisposition": 'attachment; filename="é"'},
         [["response-content-disposition", 'attachment; filename="é"']], []),
        ("upload_part", "PUT", {"UploadId": "x/y+z==", "PartNumber": 7}, [["uploadId", "x/y+z=="], ["partNumber", "7"]], []),
        ("head_object", "HEAD", {}, [], []),
        ("create_multipart_upload", "POST", {"ContentType": "a/b"}, [["uploads", ""]], [["content-type", "a/b"]]),
    ])
    case.update(method=method, query=query, headers=headers)
    url = frozen(case, lambda: theirs.generate_presigned_url(call, {**object_, **params}, case["expires"]))
    return case, url, wire(case, url, headers)


def client(session, case):
    config = Config(signature_version="s3v4", s3={"addressing_style": case["style"]}, request_checksum_calculation="when_required")
    return session.create_client("s3", region_name=case["region"], endpoint_url=case["endpoint"], config=config,
                                 aws_access_key_id=case["access_key"], aws_secret_access_key=case["secret"],
                                 aws_session_token=case["token"])


def wire(case, url, headers):
    """The request as a server would see it, to be verified."""
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}[parts.scheme]
    host = parts.netloc.removesuffix(f":{default}")
    same = {name: case[name] for name in ("access_key", "secret", "token", "region", "now")}
    return {"do": "verify", **same, "method": case["method"], "path": parts.path, "query": parts.query,
            "headers": [["Host", host], *headers]}


def posted(cases):
    caller, browser = cases.caller()
    case = {"do": "form", **caller, "expires": cases.random.randint(1, 604800)}
    start = "u/" + cases.text(0, 10).replace("$", "")
    key = start + cases.random.choice(["${filename}", "x"])
    known = [["acl", "public-read"], ["success_action_status", "201"], ["success_action_redirect", "https://example.org/?a=1&b=é"],
             ["x-amz-meta-name", cases.text()], ["x-amz-server-side-encryption", "AES256"], ["Cache-Control", "max-age=1"],
             ["tagging", "<Tagging><TagSet><Tag><Key>a</Key><Value>\"b\"</Value></Tag></TagSet></Tagging>"],
             ["x-amz-checksum-sha256", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="], ["x-amz-storage-class", "STANDARD"]]
    fields = [[name, value.replace("$", "")] for name, value in cases.random.sample(known, cases.random.randint(0, 5))]
    case["conditions"] = [["eq", name, value] for name, value in fields]
    theirs = [{name: value} for name, value in fields]
    if cases.random.random() < 0.5:
        case["conditions"].append(["starts-with", "Content-Type", "image/"])
        theirs.append(["starts-with", "$Content-Type", "image/"])
    if cases.random.random() < 0.5:
        sizes = sorted(cases.random.randint(0, 5 * 2**30) for _ in range(2))
        case["conditions"].append(["content-length-range", *sizes])
        theirs.append(["content-length-range", *sizes])
    case["conditions"].append(["eq", "key", key])
    post = frozen(case, lambda: browser.generate_presigned_post(
        case["bucket"], key, Fields=dict(fields), Conditions=list(theirs), ExpiresIn=case["expires"]))
    sent = [[name, value] for name, value in post["fields"].items()]
    sent = [[name, value.replace("${filename}", "p.jpg")] for name, value in sent]
    if any(condition[0] == "starts-with" for condition in case["conditions"]):
        sent.append(["content-type", "image/jpeg"])
    same = {name: case[name] for name in ("access_key", "secret", "token", "region", "now", "bucket")}
    return case, post, {"do": "verify_form", **same, "fields": sent}


def tampered(cases, signed):
    """The same request with one character changed, somewhere that counts."""
    changed = json.loads(json.dumps(signed))
    spots = []
    if signed["do"] == "verify":
        spots += [("path", at) for at in range(1, len(signed["path"]))]
        spots += [("query", at) for at in range(len(signed["query"]))]
    pairs = "headers" if signed["do"] == "verify" else "fields"
    spots += [((index, 1), at) for index, (_, value) in enumerate(signed[pairs]) for at in range(len(value))]
    text = lambda where: changed[where] if isinstance(where, str) else changed[pairs][where[0]][1]
    # Letters and digits, so that no escape, blank or letter case makes an equal of what is different.
    spots = [(where, at) for where, at in spots if text(where)[at].isascii() and text(where)[at].isalnum()]
    spots = [(where, at) for where, at in spots if not unsigned(changed, pairs, where)]
    where, at = cases.random.choice(spots)
    old = text(where)
    other = cases.random.choice([c for c in "bdf2468wk" if c != old[at].lower()])
    new = old[:at] + other + old[at + 1:]
    if isinstance(where, str):
        changed[where] = new
    else:
        changed[pairs][where[0]][1] = new
    return changed


def unsigned(signed, pairs, where):
    """Of a form's content type and of a key with the file's name in it, the policy only knows how they begin."""
    if pairs != "fields" or isinstance(where, str):
        return False
    name, value = signed[pairs][where[0]]
    return name == "content-type" or (name == "key" and value.endswith("p.jpg"))


def canonical(url):
    parts = urlsplit(url)
    host = parts.netloc.removesuffix({"http": ":80", "https": ":443"}[parts.scheme])
    return parts.scheme, host, parts.path, sorted(parts.query.split("&"))


def same_url(case, expected, answer):
    return canonical(answer["url"]) == canonical(expected)


def same_headers(case, expected, answer):
    loose = lambda value: value.replace(", ", ",")
    return all(loose(expected[name]) == loose(value) for name, value in answer["headers"])


def same_policy(case, expected, answer):
    """Order is free in a policy, so that meaning is compared; and botocore signs our very policy."""
    ours, theirs = dict(answer["fields"]), dict(expected["fields"])
    signer = SigV4Auth(credentials(case), "s3", case["region"])
    request = AWSRequest()
    request.context["timestamp"] = ours["x-amz-date"]
    signature = signer.signature(ours["policy"], request)
    policies = [json.loads(base64.b64decode(fields.pop("policy"))) for fields in (ours, theirs)]
    unordered = [sorted(json.dumps(condition, sort_keys=True) for condition in policy.pop("conditions")) for policy in policies]
    signed = ours.pop("x-amz-signature") == signature
    theirs.pop("x-amz-signature")
    urls = [canonical(url.rstrip("/")) for url in (expected["url"], answer["url"])]
    return signed and urls[0] == urls[1] and ours == theirs and policies[0] == policies[1] and unordered[0] == unordered[1]


def collect(seed):
    cases = Cases(seed)
    checks = []
    for make, compare, count in ((presigned, same_url, PRESIGNED), (authorized, same_headers, AUTHORIZED),
                                 (called, same_url, CALLED), (posted, same_policy, POSTED)):
        for _ in range(count):
            case, expected, signed = make(cases)
            checks.append((f"{make.__name__}: sign", case, lambda answer, c=case, e=expected, f=compare: f(c, e, answer)))
            checks.append((f"{make.__name__}: verify", signed, lambda answer: "payload" in answer or "checked" in answer))
            changed = tampered(cases, signed)
            checks.append((f"{make.__name__}: refuse", changed, lambda answer: "refused" in answer))
    return checks


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 20130524
    checks = collect(seed)
    command = ["cargo", "run", "--quiet", "-p", "loadlock-sigv4", "--example", "sign_lines"]
    lines = "".join(json.dumps(case) + "\n" for _, case, _ in checks)
    run = subprocess.run(command, cwd=ROOT, input=lines, capture_output=True, encoding="utf-8")
    if run.returncode != 0:
        sys.exit(run.stderr)
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(answers) == len(checks), (len(answers), len(checks))
    failed = 0
    for (name, case, holds), answer in zip(checks, answers):
        if not holds(answer):
            failed += 1
            if failed <= 5:
                print(f"FAILED {name}\n  case   {json.dumps(case)}\n  answer {json.dumps(answer)}", file=sys.stderr)
    print(f"seed {seed}")
    print(f"{len(checks) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
