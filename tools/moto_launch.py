"""A local AWS for tests and the demo: moto, with what tests need around it. Listens on 127.0.0.1 only.

    .tools/venv/bin/python tools/moto_launch.py PORT [--with-stdin] [--verbose]

PORT 0 takes a free one. Prints `ready PORT` once it answers. With --with-stdin it ends when its standard input does, so
that it never outlives whoever started it.

What is added to moto:

* An account for each test: sts:AssumeRole of a role in any account gives keys of that account, and makes it.
* `POST /_fault[?key=ACCESS_KEY]` with a list of rules replaces the rules of that key, or of the keys that the rules name;
  an empty list without a key removes all. A rule befalls the calls that fit its `service`, `action` and `key` (with `changes`
  those only that are no GET or HEAD), but for the first `skip` of them, `times` times (once, unless it says more): it waits `delay_ms`, then answers `status` and `code`,
  or with `drop` closes the connection without an answer. With `done` the call is carried out first; with `malformed` its
  answer is no document. The first rule that fits a call decides. `GET` lists the rules with what is left of their times.
* `GET /_calls[?key=ACCESS_KEY]` lists the calls in the order of their answers, `DELETE` forgets them: service, action,
  method, path, resource, region, key, expected bucket owner, status, started_ms and ended_ms of one clock, body, whether it
  was done, whether a fault was injected.
* `GET /_sns?topic=ARN` lists the messages published to a topic, in any account; `DELETE` forgets them.
* What moto lacks answers 501 at once. (moto's HTML 500 makes SDKs retry for seconds.)
* What moto gets wrong, and matters here, is put right in `moto_shims/`, as AWS documents it.

The shims lean on moto's internals: its version is pinned in tools/requirements.
"""

import argparse
import html
import io
import json
import os
import re
import sys
import threading
import time
from urllib.parse import parse_qs, unquote

# Nothing that the caller has set up for real accounts may reach what runs here. EC2's 1,300 AMIs cost a second.
for name in [n for n in os.environ if n.startswith(("AWS_", "MOTO_"))]:
    del os.environ[name]
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"

import moto_shims
import moto_shims.fast
from botocore.loaders import Loader
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

BODY_LIMIT = 64 * 1024  # of a body in the log of calls
CALLS_KEPT = 200_000

QUERY_SERVICES = {"sns", "rds", "iam", "sts", "redshift", "cloudformation", "elasticloadbalancing", "monitoring"}
# Services whose action stands only in method and path, with the names that botocore has for them.
REST_SERVICES = {
    "s3": "s3",
    "s3control": "s3control",
    "lambda": "lambda",
    "elasticfilesystem": "efs",
    "es": "opensearch",
    "securityhub": "securityhub",
}


# ------------------------------------------------------------------------------------------------ reading a request


class Call:
    """One signed request, as far as the log, the faults and the shims want to know it."""

    def __init__(self, environ):
        self.environ = environ
        self.method = environ["REQUEST_METHOD"]
        self.path = environ.get("PATH_INFO", "")
        self.query_string = environ.get("QUERY_STRING", "")
        self.query = parse_qs(self.query_string, keep_blank_values=True)
        self.body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(self.body)
        self.form = {}
        if "x-www-form-urlencoded" in environ.get("CONTENT_TYPE", ""):
            self.form = {name: values[0] for name, values in parse_qs(self.body.decode(errors="replace"), True).items()}
        scope = re.search(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
        self.key, self.region, self.service = scope.groups() if scope else ("", "", "")
        if self.service == "s3" and self.path.startswith("/v20180820/"):
            self.service = "s3control"
        self.action = (
            environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
            or self.form.get("Action")
            or rest_action(self.service, self.method, self.path, self.query)
            or f"{self.method} {self.path}"
        )

    def header(self, name):
        return self.environ.get("HTTP_" + name.upper().replace("-", "_"))

    def resource(self):
        """What the call is about, for people: the bucket, table, topic or parameter."""
        if self.service == "s3":
            return unquote(self.path).lstrip("/").partition("/")[0]
        if self.form:
            return self.form.get("TopicArn") or self.form.get("RoleArn")
        try:
            body = json.loads(self.body)
            return next((body[name] for name in ("TableName", "Name", "KeyId", "QueueUrl") if name in body), None)
        except (ValueError, TypeError):
            return None


OPERATIONS = {}


def rest_action(service, method, path, query):
    """The action of a REST call: the operation in botocore's model whose path fits, with most of its query parameters."""
    if service not in REST_SERVICES:
        return None
    if service not in OPERATIONS:
        found = []
        model = Loader().load_service_model(REST_SERVICES[service], "service-2")
        for name, operation in model["operations"].items():
            uri, _, parameters = operation["http"]["requestUri"].partition("?")
            pattern = re.sub(r"\\\{[^}]*?\\\+\\\}", "(.+)", re.escape(uri))
            pattern = re.compile(re.sub(r"\\\{[^}+]+\\\}", "([^/]+)", pattern) + "/?")
            parameters = [parameter.partition("=")[0] for parameter in parameters.split("&") if parameter]
            found.append((bool(operation.get("deprecated")), -len(parameters), name, operation, pattern, parameters))
        OPERATIONS[service] = sorted(found, key=lambda entry: entry[:3])
    for _, _, name, operation, pattern, parameters in OPERATIONS[service]:
        if operation["http"]["method"] == method and all(p in query for p in parameters):
            if pattern.fullmatch(unquote(path)):
                return name
    return None


def error_body(service, code, message):
    """An error in the words of the service's protocol: content type and body."""
    if service == "s3":
        return "application/xml", f"<Error><Code>{code}</Code><Message>{message}</Message><RequestId>local</RequestId></Error>"
    if service == "ec2":
        error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        return "text/xml", f"<Response><Errors>{error}</Errors><RequestID>local</RequestID></Response>"
    if service in QUERY_SERVICES or service == "s3control":
        error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        return "text/xml", f"<ErrorResponse>{error}<RequestId>local</RequestId></ErrorResponse>"
    return "application/x-amz-json-1.1", json.dumps({"__type": code, "message": message})


# ------------------------------------------------------------------------------------------------------- the server


class LocalAws:
    """The WSGI application: control paths, then faults, refusals and the log around moto."""

    def __init__(self):
        self.moto = DomainDispatcherApplication(self.moto_app)
        self.lock = threading.Lock()
        self.faults = {}  # by access key, None for all
        self.calls = {}  # by access key
        self.kept = 0
        self.messages = {}

    @staticmethod
    def moto_app(backend):
        app = create_backend_app(backend)
        app.config["PROPAGATE_EXCEPTIONS"] = True  # so that NotImplementedError is ours to answer
        return app

    def __call__(self, environ, start_response):
        path = environ.get("PATH_INFO", "")
        control = {"/_fault": self.control_faults, "/_calls": self.control_calls, "/_sns": self.control_sns}.get(path)
        if control:
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            query = {name: values[0] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
            try:
                answer = control(environ["REQUEST_METHOD"], query, json.loads(body or b"[]"))
            except (ValueError, TypeError, AttributeError) as refused:
                return reply(start_response, 400, "application/json", json.dumps({"error": str(refused)}))
            return reply(start_response, 200, "application/json", json.dumps(answer, default=str))
        if path == "/moto-api/reset":
            with self.lock:
                self.messages.clear()
            moto_shims.reset()
        if "HTTP_AUTHORIZATION" not in environ:
            return self.moto(environ, start_response)
        return self.signed(Call(environ), start_response)

    def signed(self, call, start_response):
        started = time.monotonic()
        fault = self.fault_for(call)
        answered = {"done": False}

        def watched(status, headers, *rest):
            answered["status"] = int(status.split()[0])
            return start_response(status, headers, *rest)

        def refuse(status, code, message):
            return reply(watched, status, *error_body(call.service, code, message))

        try:
            if fault and fault.get("done"):
                self.carry_out(call, refuse, lambda *_: None, answered)
            if fault and fault.get("delay_ms"):
                time.sleep(fault["delay_ms"] / 1000)
            if fault and fault.get("drop"):
                raise ConnectionAbortedError("a fault dropped the connection")
            if fault and fault.get("lag"):
                return self.lagging(call, fault["rule"], refuse, watched, answered)
            if fault and fault.get("malformed"):
                return reply(watched, 200, "application/xml", "<<< this is {no document")
            if fault and fault.get("status"):
                message = fault.get("message", "a fault was injected")
                return refuse(fault["status"], fault.get("code", "InternalFailure"), message)
            return self.carry_out(call, refuse, watched, answered)
        finally:
            self.log(call, started, answered.get("status"), answered["done"], bool(fault))

    def lagging(self, call, rule, refuse, start_response, answered):
        """Answers what it answered to the same call the first time: AWS may show for a while what was so before."""
        first = rule.setdefault("answers", {}).get((call.method, call.environ.get("PATH_INFO"), call.environ.get("QUERY_STRING")))
        if first:
            start_response(first[0], first[1])
            return first[2]
        said = []

        def watched(line, headers, *rest):
            said[:] = [line, list(headers)]
            return start_response(line, headers, *rest)

        output = list(self.carry_out(call, refuse, watched, answered))
        rule["answers"][(call.method, call.environ.get("PATH_INFO"), call.environ.get("QUERY_STRING"))] = (*said, output)
        return output

    def carry_out(self, call, refuse, start_response, answered):
        """Lets moto do the call, as far as it can."""
        status = {}

        def watched(line, headers, *rest):
            status["code"] = int(line.split()[0])
            return start_response(line, headers, *rest)

        moto_shims.install(call.service)
        refusal = moto_shims.refusal(call)
        if refusal:
            return refuse(*refusal)
        try:
            output = list(self.moto(call.environ, watched))
        except Exception as missing:  # NotImplementedError, or moto tripped over what it does not know
            what = f"the local AWS lacks {call.service}:{call.action}: {missing!r}"
            print(what, file=sys.stderr, flush=True)
            return refuse(501, "NotImplemented", html.escape(what))
        answered["done"] = status.get("code", 500) < 400
        if call.service == "sns" and call.action == "Publish" and answered["done"]:
            self.published(call.form)
        return output

    # -- faults

    def fault_for(self, call):
        with self.lock:
            # Rules of one key come before those for everybody.
            for rule in self.faults.get(call.key, []) + self.faults.get(None, []):
                fits = all(rule.get(name) in (None, getattr(call, name)) for name in ("service", "action"))
                fits = fits and not (rule.get("changes") and call.method in ("GET", "HEAD"))
                if fits and rule.get("skip", 0) > 0:
                    rule["skip"] -= 1
                elif fits and rule["times"] > 0:
                    rule["times"] -= 1
                    return {**rule, "rule": rule}
        return None

    def control_faults(self, method, query, rules):
        key = query.get("key")
        if method != "POST":
            return [{name: value for name, value in rule.items() if name != "answers"} for of, rules in self.faults.items() if key in (None, of) for rule in rules]
        rules = [{"times": 1, **rule, **({"key": key} if key else {})} for rule in rules]
        replaced = {key} if key else {rule.get("key") for rule in rules}
        with self.lock:
            for of in replaced or list(self.faults):
                self.faults.pop(of, None)
            for rule in rules:
                self.faults.setdefault(rule.get("key"), []).append(rule)
        return {}

    # -- calls

    def log(self, call, started, status, done, injected):
        entry = {
            "service": call.service,
            "action": call.action,
            "method": call.method,
            "path": call.path + ("?" + call.query_string if call.query_string else ""),
            "resource": call.resource(),
            "region": call.region,
            "key": call.key,
            "expected_owner": call.header("x-amz-expected-bucket-owner"),
            "status": status,
            "started_ms": started * 1000,
            "ended_ms": time.monotonic() * 1000,
            "body": call.body[:BODY_LIMIT].decode(errors="replace"),
            "done": done,
            "injected": injected,
        }
        with self.lock:
            self.calls.setdefault(call.key, []).append(entry)
            self.kept += 1
            if self.kept > CALLS_KEPT:  # the oldest key's are nobody's any more
                oldest = next(iter(self.calls))
                self.kept -= len(self.calls.pop(oldest))

    def control_calls(self, method, query, _):
        with self.lock:
            keys = [query["key"]] if "key" in query else list(self.calls)
            listed = [call for key in keys for call in self.calls.get(key, [])]
            if method == "DELETE":
                for key in keys:
                    self.kept -= len(self.calls.pop(key, []))
        return listed

    # -- messages

    def published(self, form):
        attributes = {}
        for number in range(1, 11):
            entry = f"MessageAttributes.entry.{number}."
            if entry + "Name" in form:
                value = form.get(entry + "Value.StringValue", form.get(entry + "Value.BinaryValue"))
                attributes[form[entry + "Name"]] = {"Type": form.get(entry + "Value.DataType"), "Value": value}
        message = {
            "topic": form.get("TopicArn") or form.get("TargetArn"),
            "subject": form.get("Subject"),
            "message": form.get("Message"),
            "message_structure": form.get("MessageStructure"),
            "attributes": attributes,
        }
        with self.lock:
            self.messages.setdefault(message["topic"], []).append(message)

    def control_sns(self, method, query, _):
        topic = query.get("topic")
        with self.lock:
            topics = [topic] if topic else list(self.messages)
            listed = [message for arn in topics for message in self.messages.get(arn, [])]
            if method == "DELETE":
                for arn in topics:
                    self.messages.pop(arn, None)
        return listed


def reply(start_response, status, content_type, body):
    body = body.encode()
    start_response(f"{status} Local", [("Content-Type", content_type), ("Content-Length", str(len(body)))])
    return [body]


class Handler(MotoRequestHandler):
    verbose = False

    def log_request(self, *args):
        if self.verbose:
            super().log_request(*args)

    def connection_dropped(self, *_):
        self.close_connection = True  # werkzeug would wait for another request on it


def end_with_stdin():
    def wait():
        while sys.stdin.buffer.read(4096):
            pass
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def main():
    parser = argparse.ArgumentParser(description="A local AWS for tests: moto with faults, a log of calls and shims.")
    parser.add_argument("port", type=int, help="the port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--with-stdin", action="store_true", help="end when standard input does")
    parser.add_argument("--verbose", action="store_true", help="log each request")
    options = parser.parse_args()
    if options.with_stdin:
        end_with_stdin()
    Handler.verbose = options.verbose
    server = make_server("127.0.0.1", options.port, LocalAws(), threaded=True, request_handler=Handler)
    print(f"ready {server.server_port}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
