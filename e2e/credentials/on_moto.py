"""Amazon's token services as moto has them, and `loadlock serve` on moto's S3.

    python3 on_moto.py cognito|web_identity COMMAND…    run COMMAND with LOADLOCK_URL and a user's own token, LOADLOCK_USER_TOKEN

Moto looks at no signature, token or policy: this shows the calls and their answers, and refuses nothing.
"""

import os
import pathlib
import secrets
import subprocess
import sys
import tempfile
import time

import boto3
import requests

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "stores"))
from service import Service, free_port, token  # noqa: E402

REGION = "us-east-1"
LOGIN = f"cognito-idp.{REGION}.amazonaws.com/{REGION}_Example"
# Of the user pool, which signs with a secret here.
SECRET = secrets.token_hex(32)
CLAIMS = {"iss": f"https://{LOGIN}", "aud": "app", "token_use": "id", "sub": "ada"}
KEYS = {"ACCESS_KEY_ID": "AKIAEXAMPLE", "SECRET_ACCESS_KEY": "example"}


def settings(via, endpoint, pool):
    store = {
        "STORE_ENDPOINT": endpoint,
        "STORE_REGION": REGION,
        "STORE_STAGING_BUCKET": "loadlock-staging",
        "STORE_FINAL_BUCKET": "loadlock-files",
        "STORE_CONDITIONAL_WRITES": "false",
        "CREDENTIALS_VIA": via,
        "CREDENTIALS_ENDPOINT": endpoint,
        "ISSUERS_ISSUER": CLAIMS["iss"],
        "ISSUERS_CLIENT_IDS": CLAIMS["aud"],
        "ISSUERS_SECRETS": SECRET,
        "PROFILES_IMAGE_METHODS": "put,post,multipart,credentials",
    }
    ways = {
        "cognito": {"CREDENTIALS_IDENTITY_POOL": pool, "CREDENTIALS_LOGIN": LOGIN},
        "web_identity": {"CREDENTIALS_ROLE_ARN": "arn:aws:iam::123456789012:role/uploads"},
    }
    identities = {f"STORE_{who}_{name}": value for who in ("UPLOADER", "SERVER", "READER") for name, value in KEYS.items()}
    return {f"LOADLOCK_{name}": value for name, value in (store | ways[via] | identities).items()}


def make(endpoint):
    """The two buckets and a pool; the pool's id."""
    keys = {f"aws_{name.lower()}": value for name, value in KEYS.items()}
    client = lambda service: boto3.client(service, endpoint_url=endpoint, region_name=REGION, **keys)  # noqa: E731
    for bucket in ("loadlock-staging", "loadlock-files"):
        client("s3").create_bucket(Bucket=bucket)
    pool = client("cognito-identity").create_identity_pool(
        IdentityPoolName="uploads", AllowUnauthenticatedIdentities=False, SupportedLoginProviders={LOGIN: "app"}
    )
    return pool["IdentityPoolId"]


def await_answer(endpoint):
    for _ in range(300):
        try:
            return requests.get(endpoint, timeout=5)
        except requests.ConnectionError:
            time.sleep(0.1)
    raise AssertionError("moto does not answer")


def main(via, *command):
    port, page = free_port(), free_port()
    endpoint = f"http://127.0.0.1:{port}"
    moto = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        await_answer(endpoint)
        os.environ.update(settings(via, endpoint, make(endpoint)))
        with tempfile.TemporaryDirectory() as directory:
            service = Service(pathlib.Path(directory), [f"http://127.0.0.1:{page}"])
            service.start()
            told = {"LOADLOCK_URL": service.url, "LOADLOCK_USER_TOKEN": token(SECRET, CLAIMS), "PAGE_PORT": str(page), "STORE": "moto"}
            try:
                return subprocess.run(command, env=os.environ | told, check=False).returncode
            finally:
                service.stop()
    finally:
        moto.terminate()
        moto.wait(timeout=30)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
