"""The operator's part: the three identities' policies, in the form each store takes.

    identities.py embedded|seaweedfs    print the store's own configuration file, with everybody in it
    identities.py ceph                  tell the running store what its users may do

Key pairs and bucket names come from the environment, as `script/stores` writes them.
"""

import json
import os
import sys

NAMES = "uploader", "server", "reader"

# What a stranger might add to a request that was signed for them. `StringLike` is how every store tells that a header
# is there: Ceph 16 takes `Null` for "is missing", whatever its value. There an ACL is always there, at times empty.
ADDED = {
    "s3:x-amz-acl": "?*",
    "s3:x-amz-copy-source": "*",
    "s3:x-amz-grant-full-control": "*",
    "s3:x-amz-grant-read": "*",
    "s3:x-amz-grant-read-acp": "*",
    "s3:x-amz-grant-write-acp": "*",
    "s3:x-amz-server-side-encryption": "*",
    "s3:x-amz-server-side-encryption-customer-algorithm": "*",
    "s3:x-amz-storage-class": "*",
}
# Everything but putting an object, spelt out: neither SeaweedFS nor Ceph 16 makes sense of `NotAction`.
NOTHING_ELSE = [
    "s3:Get*", "s3:List*", "s3:Delete*", "s3:AbortMultipartUpload", "s3:RestoreObject",
    "s3:PutObjectAcl", "s3:PutObjectVersionAcl", "s3:PutObjectTagging", "s3:PutObjectVersionTagging",
    "s3:PutObjectRetention", "s3:PutObjectLegalHold", "s3:PutBucket*",
]  # fmt: skip
OBJECTS = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
LISTS = ["s3:ListBucket", "s3:ListBucketMultipartUploads"]


def allow(actions, *resources):
    return {"Effect": "Allow", "Action": actions, "Resource": list(resources)}


def deny(actions, *resources, **more):
    return {"Effect": "Deny", "Action": actions, "Resource": list(resources), **more}


def uploader(bucket):
    everything = bucket, f"{bucket}/*"
    return [
        allow("s3:PutObject", f"{bucket}/in/*"),
        deny(NOTHING_ELSE, *everything),
        *(
            deny("s3:PutObject", *everything, Condition={"StringLike": {header: value}})
            for header, value in ADDED.items()
        ),
    ]


def server(bucket):
    return [allow(OBJECTS, f"{bucket}/*"), allow(LISTS, bucket)]


def reader(bucket):
    return [allow("s3:GetObject", f"{bucket}/*")]


def arn(purpose):
    return "arn:aws:s3:::" + os.environ[f"LOADLOCK_STORE_{purpose}_BUCKET"]


def document(statements):
    return {"Version": "2012-10-17", "Statement": statements}


def policies():
    """One document for each identity."""
    staging, final = arn("STAGING"), arn("FINAL")
    both = {"uploader": uploader(staging), "server": server(staging) + server(final), "reader": reader(final)}
    return {name: document(statements) for name, statements in both.items()}


def keys(name):
    prefix = "OPERATOR" if name == "operator" else f"LOADLOCK_STORE_{name.upper()}"
    return os.environ[f"{prefix}_ACCESS_KEY_ID"], os.environ[f"{prefix}_SECRET_ACCESS_KEY"]


def embedded():
    def identity(name, **more):
        key, secret = keys(name)
        return {"name": name, "access_key_id": key, "secret_access_key": secret, **more}

    everyone = [identity(name, policy=policy) for name, policy in policies().items()]
    return {"region": os.environ["LOADLOCK_STORE_REGION"], "identities": [identity("operator"), *everyone]}


def seaweedfs():
    def identity(name, **more):
        key, secret = keys(name)
        return {"name": name, "credentials": [{"accessKey": key, "secretKey": secret}], **more}

    # A form is judged by the plain action, every other request by the policies.
    forms = "Write:" + os.environ["LOADLOCK_STORE_STAGING_BUCKET"]
    return {
        "identities": [
            identity("operator", actions=["Admin"]),
            identity("uploader", policyNames=["uploader"], actions=[forms]),
            identity("server", policyNames=["server"]),
            identity("reader", policyNames=["reader"]),
        ],
        "policies": [{"name": name, "content": json.dumps(policy)} for name, policy in policies().items()],
    }


def ceph():
    """Each identity's policy by the IAM API; and for forms, which that judges by the bucket's policy alone, one more."""
    import boto3

    def client(service):
        key, secret = keys("operator")
        return boto3.client(
            service,
            endpoint_url=os.environ["LOADLOCK_STORE_ENDPOINT"],
            region_name=os.environ["LOADLOCK_STORE_REGION"],
            aws_access_key_id=key,
            aws_secret_access_key=secret,
        )

    for name, policy in policies().items():
        client("iam").put_user_policy(UserName=name, PolicyName="loadlock", PolicyDocument=json.dumps(policy))
    bucket = os.environ["LOADLOCK_STORE_STAGING_BUCKET"]
    forms = {**allow("s3:PutObject", f"{arn('STAGING')}/in/*"), "Principal": {"AWS": ["arn:aws:iam:::user/uploader"]}}
    client("s3").create_bucket(Bucket=bucket)
    client("s3").put_bucket_policy(Bucket=bucket, Policy=json.dumps(document([forms])))


if __name__ == "__main__":
    made = {"embedded": embedded, "seaweedfs": seaweedfs, "ceph": ceph}[sys.argv[1]]()
    if made:
        print(json.dumps(made, indent=2))
