"""A local AWS that deploys template.yaml and runs the real Lambda binary: ministack, with IAM enforced, on 127.0.0.1 only.

    .tools/venv/bin/python tools/ministack_launch.py PORT [--with-stdin] [--account ID]

PORT 0 takes a free one. Prints `ready PORT` once it answers, and logs to standard error. With --with-stdin it ends when its
standard input does, so that it never outlives whoever started it. The access key `test` is the account's root.

What is added to ministack:

* PutEvents takes sources `aws.*`, which AWS and ministack keep for services: so a sample CloudTrail event goes through the
  template's own rule.
* S3's account-level public access block, with its IAM actions, counted when a bucket is judged.
* Requests count as sent over TLS, so that policies may ask for it.
* S3 refuses a call that expects another owner of the bucket.
* AWS Config takes evaluations, under IAM, and says them again.

The additions lean on ministack's internals: its version is pinned in tools/requirements.
"""

import argparse
import json
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
from urllib.parse import unquote
from xml.etree import ElementTree

ACCOUNT_BLOCK = "/v20180820/configuration/publicAccessBlock"
FLAGS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def accept_aws_events():
    import ministack.services.eventbridge as eventbridge

    eventbridge._put_events.__defaults__ = (True,)


def add_account_level_block():
    import ministack.app as app
    import ministack.services.s3 as s3

    blocks = {}
    control_request = app._handle_s3_control_request
    public_access_blocked = s3._public_access_blocked

    async def handle(path, method, body, query_params, request_id, headers=None):
        if path.rstrip("/") != ACCOUNT_BLOCK:
            return await control_request(path, method, body, query_params, request_id, headers)
        action = "s3:GetAccountPublicAccessBlock" if method == "GET" else "s3:PutAccountPublicAccessBlock"
        denied = app._enforce_data_plane("s3", action, headers or {}, query_params, request_id, resource_arn="*")
        denied = denied or s3.s3control_account_error(headers or {})
        return denied or answer(method, body, headers["x-amz-account-id"])

    def answer(method, body, account):
        if method == "DELETE":
            blocks.pop(account, None)
            return 204, {}, b""
        if method == "PUT":
            root = ElementTree.fromstring(body)
            given = {one.tag.rpartition("}")[2]: (one.text or "").strip().lower() == "true" for one in root.iter()}
            blocks[account] = {flag: given.get(flag, False) for flag in FLAGS}
            return 201, {}, b""
        if account not in blocks:
            message = "The public access block configuration was not found"
            return s3.s3control_error("NoSuchPublicAccessBlockConfiguration", message, 404)
        flags = "".join(f"<{flag}>{str(on).lower()}</{flag}>" for flag, on in blocks[account].items())
        root = "PublicAccessBlockConfiguration"
        return 200, {"Content-Type": "application/xml"}, f'<{root} xmlns="{s3.S3CONTROL_NS}">{flags}</{root}>'.encode()

    def blocked(owner_account, bucket_name, flag):
        return blocks.get(owner_account, {}).get(flag, False) or public_access_blocked(owner_account, bucket_name, flag)

    app._handle_s3_control_request = handle
    s3._public_access_blocked = blocked


def count_loopback_as_tls():
    """Policies that ask for TLS, as ours do, would refuse everything: the endpoint here speaks plain HTTP."""
    import ministack.core.iam_evaluator as evaluator

    pin_request_origin = evaluator.pin_request_origin
    evaluator.pin_request_origin = lambda source_ip, secure_transport: pin_request_origin(source_ip, True)


def refuse_other_owners():
    import ministack.services.s3 as s3

    handle_request = s3.handle_request

    async def handle(method, path, headers, body, query_params, *args, **kwargs):
        expected = headers.get("x-amz-expected-bucket-owner")
        owner = expected and s3._bucket_owner_account(unquote(path).lstrip("/").partition("/")[0])
        if owner and owner != expected:
            return s3._error("AccessDenied", "Access Denied", 403)
        return await handle_request(method, path, headers, body, query_params, *args, **kwargs)

    s3.handle_request = handle


def take_evaluations():
    import ministack.services.config as config
    from ministack.core.responses import json_response

    handle_request, evaluations = config.handle_request, []

    async def handle(method, path, headers, body, query_params):
        action = headers.get("x-amz-target", "").rpartition(".")[2]
        if action == "PutEvaluations":
            evaluations.extend(json.loads(body)["Evaluations"])
            return json_response({"FailedEvaluations": []})
        if action == "GetComplianceDetailsByResource":
            asked = json.loads(body)
            of_it = [one for one in evaluations if one["ComplianceResourceId"] == asked.get("ResourceId")]
            return json_response({"EvaluationResults": [{"ComplianceType": one["ComplianceType"]} for one in of_it]})
        return await handle_request(method, path, headers, body, query_params)

    config.handle_request = handle


def end_with_stdin(clean_up):
    def wait():
        while sys.stdin.buffer.read(4096):
            pass
        clean_up()
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def announce(port, out):
    def wait():
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        print(f"ready {port}", file=out, flush=True)

    threading.Thread(target=wait, daemon=True).start()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main():
    parser = argparse.ArgumentParser(description="A local AWS that deploys the template and runs its functions.")
    parser.add_argument("port", type=int, help="the port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--with-stdin", action="store_true", help="end when standard input does")
    parser.add_argument("--account", default="123456789012")
    options = parser.parse_args()
    port = options.port or free_port()
    scratch = tempfile.mkdtemp(prefix="portcullis-ministack-")

    # The functions inherit this environment. As on Lambda, they find nothing in it that the caller has set up.
    for name in [n for n in os.environ if n not in ("HOME", "LANG", "PATH")]:
        del os.environ[name]
    os.environ.update(
        GATEWAY_PORT=str(port),
        BIND_HOST="127.0.0.1",
        IOT_MTLS_ENABLED="0",  # an MQTT listener of its own, on all interfaces
        AUTH="true",
        MINISTACK_ACCOUNT_ID=options.account,
        AWS_DEFAULT_REGION="us-east-1",  # the SAM translator asks for one
        TMPDIR=scratch,
        STATE_DIR=os.path.join(scratch, "state"),
    )
    tempfile.tempdir = None
    out, sys.stdout = sys.stdout, sys.stderr  # its log is not our answer
    sys.argv = sys.argv[:1]  # nor are our options its own

    count_loopback_as_tls()
    accept_aws_events()
    add_account_level_block()
    refuse_other_owners()
    take_evaluations()
    if options.with_stdin:
        end_with_stdin(lambda: shutil.rmtree(scratch, ignore_errors=True))
    announce(port, out)
    from ministack.app import main as serve

    try:
        serve()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
