"""Those who use a service on the store that the environment names: an application's server, and the store's operator."""

import os

import boto3
import requests
from botocore.config import Config

OWNER = "ada"


class Application:
    """An application's server: it acts for an owner, by API key."""

    def __init__(self, service):
        self.service = service

    def call(self, method, path, body=None, token=None, **headers):
        return requests.request(
            method,
            self.service.url + path,
            json=body,
            headers={"authorization": f"Bearer {token or self.service.key}", **headers},
            timeout=60,
            allow_redirects=False,
        )

    def ask(self, method, path, body=None, expect=200, **more):
        answer = self.call(method, path, body, **more)
        assert answer.status_code == expect, answer.text
        return answer.json()

    def begin(self, profile, filename, content_type, size, **more):
        wish = {"profile": profile, "filename": filename, "content_type": content_type, "size": size, "owner": OWNER}
        return self.ask("POST", "/v1/uploads", wish | more, expect=201)

    def complete(self, begun, expect=200):
        """As the browser does, with the upload token; waits while work goes on."""
        path = f"/v1/uploads/{begun['id']}"
        answer = self.call("POST", f"{path}/complete", token=begun["token"])
        while answer.status_code == 202:
            answer = self.call("GET", f"{path}?wait=30", token=begun["token"])
        assert answer.status_code == expect, answer.text
        return answer.json()

    def claim(self, *ids, expect=200, **metadata):
        body = {"ids": list(ids), "owner": OWNER, "metadata": metadata}
        return self.ask("POST", "/v1/uploads/claim", body, expect=expect)

    def look(self, begun):
        return self.ask("GET", f"/v1/uploads/{begun['id']}")

    def bytes_of(self, id):
        """By the stable address, as a browser gets them."""
        answer = requests.get(f"{self.service.url}/f/{id}", timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.content


def client(who):
    return boto3.client(
        "s3",
        endpoint_url=os.environ["LOADLOCK_STORE_ENDPOINT"],
        region_name=os.environ["LOADLOCK_STORE_REGION"],
        aws_access_key_id=os.environ[f"{who}_ACCESS_KEY_ID"],
        aws_secret_access_key=os.environ[f"{who}_SECRET_ACCESS_KEY"],
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )


class Staging:
    """The staging bucket as the server sees it."""

    def __init__(self):
        self.bucket = os.environ["LOADLOCK_STORE_STAGING_BUCKET"]
        self.server = client("LOADLOCK_STORE_SERVER")

    def keys(self, id):
        """All keys that have the id in them."""
        pages = self.server.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return [entry["Key"] for page in pages for entry in page.get("Contents", []) if id in entry["Key"]]

    def unfinished(self, id):
        uploads = self.server.list_multipart_uploads(Bucket=self.bucket).get("Uploads", [])
        return [upload["Key"] for upload in uploads if id in upload["Key"]]

    def read(self, key):
        return self.server.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def size(self, key):
        """Zero also where there is nothing any more."""
        pages = self.server.list_objects_v2(Bucket=self.bucket, Prefix=key)
        return sum(entry["Size"] for entry in pages.get("Contents", []))
