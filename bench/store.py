#!/usr/bin/env python3
"""The embedded store's data plane beside `dd conv=fsync`, every figure from one run: bench/store.py [MIB]

Needs curl, boto3 and a release build.
"""
import concurrent.futures, json, os, statistics, subprocess, sys, tempfile, time
import boto3
from botocore.client import Config

MIB = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
ROUNDS = int(os.environ.get("ROUNDS", "3"))
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LOADLOCK = os.environ.get("LOADLOCK_BIN", f"{ROOT}/target/release/loadlock")


def timed(action):
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def sh(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def curl(*arguments):
    sh("curl", "-sS", "--fail", "-o", "/dev/null", *arguments)


def main():
    folder = tempfile.mkdtemp(prefix="bench.", dir=os.environ.get("LOADLOCK_BENCH_DIR", f"{ROOT}/target"))
    server = None
    try:
        command = [LOADLOCK, "store", "--data", f"{folder}/data", "--port", "0", "--json"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        ready = json.loads(server.stdout.readline())
        owner = ready["identities"][0]
        s3 = boto3.client("s3", endpoint_url=ready["s3"], region_name=ready["region"],
                          aws_access_key_id=owner["access_key_id"], aws_secret_access_key=owner["secret_access_key"],
                          config=Config(signature_version="s3v4", s3={"addressing_style": "path"}))
        s3.create_bucket(Bucket="bench")
        measure(folder, s3, server.pid)
    finally:
        if server:
            server.terminate()
            server.wait()
        sh("rm", "-rf", folder)


def measure(folder, s3, pid):
    file, part, parts = f"{folder}/file", MIB // 8, range(1, 9)
    sh("dd", "if=/dev/urandom", f"of={file}", "bs=1M", f"count={MIB}", "status=none")
    for number in parts:
        sh("dd", f"if={file}", f"of={file}.{number}", "bs=1M", f"skip={(number - 1) * part}", f"count={part}", "status=none")
    sign = lambda what, **more: s3.generate_presigned_url(what, Params={"Bucket": "bench", **more}, ExpiresIn=3600)
    took = {}

    def note(name, action):
        took.setdefault(name, []).append(timed(action))

    for _ in range(ROUNDS):
        note("dd conv=fsync", lambda: sh("dd", f"if={file}", f"of={folder}/copy", "bs=1M", "conv=fsync", "status=none"))
        note("PUT", lambda: curl("-T", file, sign("put_object", Key="put")))
        upload = s3.create_multipart_upload(Bucket="bench", Key="parts")["UploadId"]
        url = lambda number: sign("upload_part", Key="parts", UploadId=upload, PartNumber=number)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            note("8 parts in parallel", lambda: list(pool.map(lambda n: curl("-T", f"{file}.{n}", url(n)), parts)))
        held = s3.list_parts(Bucket="bench", Key="parts", UploadId=upload)["Parts"]
        wanted = {"Parts": [{"PartNumber": p["PartNumber"], "ETag": p["ETag"]} for p in held]}
        note("complete", lambda: s3.complete_multipart_upload(Bucket="bench", Key="parts", UploadId=upload, MultipartUpload=wanted))
        form = s3.generate_presigned_post("bench", "post")
        fields = [word for name, value in form["fields"].items() for word in ("-F", f"{name}={value}")]
        note("POST form", lambda: curl(*fields, "-F", f"file=@{file}", form["url"]))
        note("GET", lambda: curl(sign("get_object", Key="put")))
        note("copy", lambda: s3.copy_object(Bucket="bench", Key="copy", CopySource={"Bucket": "bench", "Key": "parts"}))
    base = statistics.median(took["dd conv=fsync"])
    print(f"| {MIB} MiB | seconds (median of {ROUNDS}) | MiB/s | of dd |\n|---|---|---|---|")
    for name, seconds in took.items():
        middle = statistics.median(seconds)
        rate = ("–", "–") if name in ("complete", "copy") else (f"{MIB / middle:.0f}", f"{base / middle:.2f}")
        print(f"| {name} | {middle:.3f} | {rate[0]} | {rate[1]} |")
    peak = [line.split()[1] for line in open(f"/proc/{pid}/status") if line.startswith("VmHWM")][0]
    print(f"\npeak memory of the store: {int(peak) / 1024:.0f} MiB")


main()
