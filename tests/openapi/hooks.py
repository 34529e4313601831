"""What the OpenAPI document cannot say: values that fit the formats of this API, and two rules for
whole bodies. Only positive cases need it; negative ones break the schema as it is."""

import base64
import datetime
import ipaddress
import json

import schemathesis
from hypothesis import strategies as st

LINES = st.text(
    st.characters(exclude_categories=["C", "Zl", "Zp"], codec="utf-8"), min_size=1, max_size=128
)
TOMORROW = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None, microsecond=0) + datetime.timedelta(1)


def cursor(number):
    return base64.urlsafe_b64encode(f"before {number}".encode()).rstrip(b"=").decode()


def label(name, value):
    return f"{name}={value.replace(chr(34), '').replace(chr(92), '')}"


def address(number):
    return str(ipaddress.ip_address(number))


schemathesis.openapi.format("line", LINES)
schemathesis.openapi.format(
    "label", st.builds(label, st.from_regex(r"[A-Za-z0-9._/-]{1,64}", fullmatch=True), LINES)
)
SPANS = st.builds("{}{}".format, st.integers(1, 999), st.sampled_from(["ms", "s", "m"]))
schemathesis.openapi.format("span", SPANS)
schemathesis.openapi.format("rate-limit", st.integers(1, 1000).map("{}/1m".format))
schemathesis.openapi.format("wait", st.integers(1, 20).map("{}ms".format))
schemathesis.openapi.format(
    "date-time",
    st.datetimes(min_value=TOMORROW, max_value=datetime.datetime(9999, 12, 30)).map(
        lambda at: at.isoformat(timespec="milliseconds") + "Z"
    ),
)
schemathesis.openapi.format(
    "ip-range",
    st.one_of(
        st.integers(0, 2**32 - 1).map(address),
        st.ip_addresses(v=6).filter(lambda it: not it.ipv4_mapped and not it.scope_id).map(str),
        st.integers(0, 255).map(lambda it: f"{it}.0.0.0/8"),
    ),
)
schemathesis.openapi.format(
    "referrer-pattern", st.from_regex(r"https://[a-z]{1,20}\.example/", fullmatch=True)
)
schemathesis.openapi.format("imported-key", st.from_regex(r"[!-/:-~]{16,100}", fullmatch=True))
schemathesis.openapi.format("sha-256", st.from_regex(r"[0-9a-f]{64}", fullmatch=True))
schemathesis.openapi.format("entity-tags", st.sampled_from(["*", '"1"', '"1", "2"']))
# Salt, nonce, at least one block of text, and tag.
SEALED = st.binary(min_size=312, max_size=312).map(
    lambda it: "ks1." + base64.urlsafe_b64encode(it).rstrip(b"=").decode()
)
schemathesis.openapi.format("sealed", SEALED)
# The service under test has none.
schemathesis.openapi.format("template", st.just("none"))
schemathesis.openapi.format("cursor", st.integers(1, 2**31).map(cursor))


@schemathesis.hook
def filter_case(context, case):
    """Drops bodies in which nothing but a format is wrong: schemathesis does not know the formats of this
    API, and takes valid values and null for wrong ones. The tests of the service have wrong ones."""
    if case.meta is None:
        return True
    mutations = getattr(case.meta.phase.data, "mutations", None) or []
    return not mutations or any(tuple(it.keywords) != ("format",) for it in mutations)


@schemathesis.hook
def before_call(context, case, kwargs):
    """Keeps the rules for whole bodies: an admin names the account, metadata has no NUL, each label
    has another name, no template is named, and an end is in the future (schemathesis also takes times from answers)."""
    if case.meta is None or not all(it.mode.is_positive for it in case.meta.components.values()):
        return
    operation = case.operation.definition.raw["operationId"]
    if operation == "create_key" and not isinstance(case.body, dict):
        case.body, case.media_type = {}, "application/json"
    if not isinstance(case.body, dict):
        return
    # What is sealed must not be remembered.
    if operation == "create_key" and case.body.get("sealed") is not None:
        case.headers.pop("idempotency-key", None)
    for one in case.body.get("keys") or [case.body]:
        if operation in ["create_key", "create_keys"] and one.get("account") is None:
            one["account"] = "schemathesis"
        if "\\u0000" in json.dumps(one.get("metadata")):
            one["metadata"] = {}
        one.pop("template", None)
        # Some names of headers cannot be sealed, such as "te".
        if isinstance(one.get("sealed"), dict):
            headers = one["sealed"].get("headers", {}).items()
            one["sealed"]["headers"] = {f"y-{name}"[:64]: value for name, value in headers}
        if "labels" in one:
            one["labels"] = list({it.split("=")[0]: it for it in one["labels"]}.values())
        if isinstance(one.get("expires_at"), str):
            one["expires_at"] = max(one["expires_at"], TOMORROW.isoformat() + "Z")
    if operation == "revoke_keys" and case.body["filter"].get("account") is None:
        case.body["filter"]["account"] = "schemathesis"
