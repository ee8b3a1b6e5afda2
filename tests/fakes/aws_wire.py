"""AWS without a network, where moto is unfaithful: answers and errors by ``service:Operation``, for several accounts.

Answers are SDK shapes, checked against the SDK's own model of the operation. Errors and throttling go over the real parser and
the real retries: they are sent back as the bytes that the service's protocol has for them. A call that no test scripted fails.
"""

import datetime as dt
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ParamValidationError
from botocore.loaders import Loader
from botocore.session import Session
from botocore.validate import validate_parameters

HOME = "111111111111"
LOADER = Loader()  # the service models are large: read once
REGIONS = ("us-east-1", "eu-west-1")


@dataclass(frozen=True)
class Fault:
    """What a service sends instead of an answer."""

    code: str
    status: int = 403
    message: str = "User: arn:aws:sts::111111111111:assumed-role/x is not authorized SECRETMESSAGE"


@dataclass
class Wire:
    """Scripted services. ``sent`` holds (account, region, operation, parameters) of every call, in order."""

    sent: list[tuple[str, str, str, Mapping[str, Any]]] = field(default_factory=list)
    script: dict[tuple[str, str, str], list[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._local = threading.local()
        self._lock = threading.Lock()
        self.on("ec2:DescribeRegions", {"Regions": [{"RegionName": name} for name in REGIONS]})

    def on(self, name: str, *answers: Any, account: str = "", region: str = "") -> "Wire":
        """Answer ``name`` with ``answers`` in turn, the last one for ever: a shape, a :class:`Fault`, or a function of the parameters."""
        self.script[name, account, region] = list(answers)
        return self

    def session(self, profile: str) -> Session:
        """An SDK session whose clients end here; its credentials are those of the home account."""
        session = Session()
        session.register_component("data_loader", LOADER)
        session.set_credentials(f"AKIA{HOME}", "SECRETKEY", "SECRETTOKEN")
        events = session.get_component("event_emitter")
        events.register_last("before-parameter-build", self._note)
        events.register_last("before-call", self._call)
        events.register_last("before-send", self._send)
        return session

    def calls(self, name: str) -> list[Mapping[str, Any]]:
        return [params for _, _, sent, params in self.sent if sent == name]

    def _note(self, params, **_):
        self._local.params = dict(params)

    def _call(self, model, request_signer, **_):
        name = f"{model.service_model.service_name}:{model.name}"
        account = request_signer._credentials.get_frozen_credentials().access_key[4:]
        region = request_signer._region_name
        params = self._local.params
        with self._lock:
            self.sent.append((account, region, name, params))
            answer = self._next(name, account, region, params)
        self._local.fault = answer if isinstance(answer, Fault) else None
        if self._local.fault:
            self._local.model, self._local.again = model, (name, account, region, params)
            return None
        answer = {key: value for key, value in answer.items() if key != "ResponseMetadata"}
        if model.output_shape is not None:
            streaming = {key: b"" for key, value in answer.items() if hasattr(value, "read")}
            try:
                validate_parameters({**answer, **streaming}, model.output_shape)
            except ParamValidationError as exc:
                raise AssertionError(f"{name}: the fake answers what the service would not: {exc}") from exc
        metadata = {"HTTPStatusCode": 200, "RequestId": f"REQ-{len(self.sent)}", "HTTPHeaders": {}}
        return _Http(answer if name == "s3:GetBucketLocation" else None), {**answer, "ResponseMetadata": metadata}

    def _next(self, name, account, region, params):
        built_in = {"sts:GetCallerIdentity": self._who, "sts:AssumeRole": self._assume}
        for key in ((name, account, region), (name, account, ""), (name, "", region), (name, "", "")):
            if key in self.script:
                answers = self.script[key]
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                return answer(params) if callable(answer) else answer
        if name in built_in:
            return built_in[name](account, params)
        raise AssertionError(f"nobody scripted {name} in {account} {region}")

    @staticmethod
    def _who(account, params):
        arn = f"arn:aws:sts::{account}:assumed-role/EvidenceCollector/evidence-R"
        return {"Account": account, "Arn": arn, "UserId": f"AROA{account}:evidence-R"}

    @staticmethod
    def _assume(account, params):
        target = params["RoleArn"].split(":")[4]
        expiry = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
        return {
            "Credentials": {
                "AccessKeyId": f"ASIA{target}", "SecretAccessKey": "SECRETASSUMED", "SessionToken": "SECRETASSUMEDTOKEN",
                "Expiration": expiry,
            }
        }  # fmt: skip

    def _send(self, request, **_):
        """Bytes of the scripted fault; the next try of the same call may get something else."""
        fault = self._local.fault
        protocol = self._local.model.service_model.metadata["protocol"]
        name = self._local.again[0]
        with self._lock:
            self.sent.append((*self._local.again[1:3], f"{name} (sent)", self._local.again[3]))
        body = _error_body(fault, protocol, rest_s3=name.startswith("s3:"))
        return AWSResponse(request.url, fault.status, {"x-amzn-requestid": "REQ-FAULT"}, _Raw(body))


class _Http:
    """An answer's envelope. GetBucketLocation is the one operation whose body the SDK reads by hand."""

    status_code = 200

    def __init__(self, location: Mapping[str, Any] | None) -> None:
        self.raw = None if location is None else object()
        said = (location or {}).get("LocationConstraint", "")
        self.content = f'<LocationConstraint xmlns="x">{said}</LocationConstraint>'.encode()


class _Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_):
        yield self._body


def _error_body(fault: Fault, protocol: str, *, rest_s3: bool) -> bytes:
    code, message = escape(fault.code), escape(fault.message)
    if protocol in {"json", "rest-json"}:
        return json.dumps({"__type": fault.code, "message": fault.message}).encode()
    if protocol == "ec2":
        return f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors><RequestID>R</RequestID></Response>".encode()
    if rest_s3:
        return f"<Error><Code>{code}</Code><Message>{message}</Message><RequestId>R</RequestId></Error>".encode()
    return f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>R</RequestId></ErrorResponse>".encode()


def paged(
    items: list[Any], member: str, size: int, *, ask: str, tell: str, more: str = ""
) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """An answer in pages of ``size``: ``ask`` is the parameter that continues, ``tell`` the member that says so."""

    def answer(params):
        start = int(re.sub(r"\D", "", str(params.get(ask, "0"))))
        page = {member: items[start : start + size]}
        if start + size < len(items):
            page[tell] = f"page{start + size}"
            page |= {more: True} if more else {}
        elif more:
            page[more] = False
        return page

    return answer
