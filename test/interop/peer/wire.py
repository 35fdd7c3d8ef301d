"""Bytes, base64url and JSON as docs/protocol.md, sections 3 and 10, want them, and plain HTTP to carry them."""

import base64
import hashlib
import http.client
import json
import re
import time
from urllib.parse import urlsplit

MAX_INT = 2**53 - 1

STATUS = {
    "invalid_request": 400,
    "unknown_key": 400,
    "bad_ticket": 400,
    "stale_request": 400,
    "replayed": 400,
    "unsupported": 400,
    "bad_mac": 401,
    "wrong_password": 401,
    "disabled": 403,
    "retired": 403,
    "refused": 403,
    "locked": 429,
    "busy": 429,
    "unavailable": 503,
}


class Fault(Exception):
    """What the protocol refuses. `forged` and `not_listed` are the device's own words for answers it takes for lies."""

    def __init__(self, code, message="", **members):
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message
        self.members = members


def need(holds, code, message=""):
    if not holds:
        raise Fault(code, message)


def now():
    return int(time.time())


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def i2osp(number, size):
    return number.to_bytes(size, "big")


def os2ip(data):
    return int.from_bytes(data, "big")


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def unb64(text, size=None):
    """Canonical base64url alone: no padding, no stray bits, no other alphabet."""
    if not isinstance(text, str) or not re.fullmatch(r"[A-Za-z0-9_-]*", text):
        raise ValueError("no base64url")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if b64(data) != text:
        raise ValueError("base64url that is not canonical")
    if size is not None and len(data) != size:
        raise ValueError(f"{len(data)} bytes instead of {size}")
    return data


def dumps(value):
    """As JSON.stringify writes it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode("utf-8")


def loads(data):
    """JSON in UTF-8; a member named twice is an error."""

    def pairs(members):
        value = dict(members)
        if len(value) != len(members):
            raise ValueError("a member named twice")
        return value

    def constant(name):
        raise ValueError(f"{name} is no JSON")

    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=pairs, parse_constant=constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def loads_exactly(data):
    """A payload: JSON that is spelled as JSON.stringify spells it."""
    value = loads(data)
    if dumps(value) != data:
        raise ValueError("JSON that is not spelled canonically")
    return value


def members(value, required, optional=()):
    """An object with these members and no others."""
    if not isinstance(value, dict):
        raise ValueError("no object")
    if not set(required) <= set(value) or not set(value) <= set(required) | set(optional):
        raise ValueError(f"members {sorted(value)}")
    return value


def whole(value, least=0):
    if type(value) is not int or not least <= value <= MAX_INT:
        raise ValueError("no whole number")
    return value


def call(method, url, body=None, headers=(), timeout=20):
    """One HTTP exchange, no redirects: (status, headers, bytes)."""
    parts = urlsplit(url)
    loopback = parts.hostname in ("127.0.0.1", "localhost", "::1")
    if parts.scheme != "https" and not (parts.scheme == "http" and loopback):
        raise Fault("invalid_request", "URLs are https, except for loopback")
    connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = connect(parts.hostname, parts.port, timeout=timeout)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise Fault("unreachable", str(error)) from None
    finally:
        connection.close()


def post(url, value, headers=()):
    """Posts JSON: (status, parsed answer or None)."""
    status, _, data = call("POST", url, dumps(value), {"Content-Type": "application/json", **dict(headers)})
    try:
        return status, loads(data)
    except ValueError:
        return status, None
