"""The operator's part: makes each store know the three identities and what they may do.

    identities.py embedded|seaweedfs    print the store's own configuration file, with everybody in it
    identities.py ceph                  tell the running store what its users may do

Key pairs and bucket names come from the environment, as `script/stores` writes them; the policies are those of
`loadlock provision --policy`.
"""

import json
import os
import pathlib
import sys
import tempfile

from service import Service

STAGING = os.environ["LOADLOCK_STORE_STAGING_BUCKET"]
FORMS = {
    "Effect": "Allow",
    "Principal": {"AWS": ["arn:aws:iam:::user/uploader"]},
    "Action": "s3:PutObject",
    "Resource": f"arn:aws:s3:::{STAGING}/in/*",
}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": ["arn:aws:iam:::user/uploader"]},
            "Action": ["sts:AssumeRole"],
            # The role's own keys would do as well: for others, without a session's policy, again and again.
            "Condition": {"Bool": {"sts:authentication": "false"}},
        }
    ],
}


def policies():
    with tempfile.TemporaryDirectory() as directory:
        service = Service(pathlib.Path(directory))
        return {
            name: service.loadlock("provision", "--policy", name) for name in ("uploader", "server", "reader", "session")
        }


def keys(name):
    who = "OPERATOR" if name == "operator" else f"LOADLOCK_STORE_{name.upper()}"
    return os.environ[f"{who}_ACCESS_KEY_ID"], os.environ[f"{who}_SECRET_ACCESS_KEY"]


def embedded():
    def identity(name, **more):
        key, secret = keys(name)
        return {"name": name, "access_key_id": key, "secret_access_key": secret, **more}

    everyone = policies()
    role = {"name": "uploads", "policy": everyone.pop("session")}
    identities = [identity(name, policy=policy) for name, policy in everyone.items()]
    return {"region": os.environ["LOADLOCK_STORE_REGION"], "identities": [identity("operator"), *identities], "roles": [role]}


def seaweedfs():
    def identity(name, **more):
        key, secret = keys(name)
        return {"name": name, "credentials": [{"accessKey": key, "secretKey": secret}], **more}

    return {
        "identities": [
            identity("operator", actions=["Admin"]),
            # It judges a form by the plain action, and every other request by the policy.
            identity("uploader", policyNames=["uploader"], actions=[f"Write:{STAGING}"]),
            identity("server", policyNames=["server"]),
            identity("reader", policyNames=["reader"]),
        ],
        "policies": [
            {"name": name, "content": json.dumps(policy)} for name, policy in policies().items() if name != "session"
        ],
    }


def ceph():
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

    everyone = policies()
    # It takes a plus in a form for a plus: no blanks.
    role, trust = (json.dumps(policy, separators=(",", ":")) for policy in (everyone.pop("session"), TRUST))
    client("iam").create_role(RoleName="uploads", Path="/", AssumeRolePolicyDocument=trust)
    client("iam").put_role_policy(RoleName="uploads", PolicyName="loadlock", PolicyDocument=role)
    for name, policy in everyone.items():
        client("iam").put_user_policy(UserName=name, PolicyName="loadlock", PolicyDocument=json.dumps(policy))
    # It judges a form by the bucket's policy alone. Once the bucket blocks public policies it takes none any more.
    policy = json.dumps({"Version": "2012-10-17", "Statement": [FORMS]})
    client("s3").create_bucket(Bucket=STAGING)
    client("s3").put_bucket_policy(Bucket=STAGING, Policy=policy)


if __name__ == "__main__":
    made = {"embedded": embedded, "seaweedfs": seaweedfs, "ceph": ceph}[sys.argv[1]]()
    if made:
        print(json.dumps(made, indent=2))
