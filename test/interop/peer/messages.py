"""Tickets, requests and answers, checked member by member: docs/protocol.md, sections 3 to 6."""

import hashlib
import hmac as hmac_module

import ed25519
import rsa
from groups import group_named
from wire import Fault, b64, loads_exactly, members, os2ip, sha256, unb64, whole

TICKET = "rk-ticket+jwe"
REQUEST = "rk-request+jwe"
DISABLE = "rk-disable+jwe"
OPS = {"retrieve": "retrieve", "ed25519": "sign", "rsa": "sign", "elgamal": "decrypt"}
COMMON = ("retire", "reissue")
SECRET = {"retrieve": "c", "ed25519": "x2", "rsa": "d2", "elgamal": "x2"}
REQUEST_MEMBERS = ("v", "op", "beta", "rho", "th", "iat", "jti")


class Ticket:
    """A ticket's payload, validated before anything is computed with it."""

    def __init__(self, data):
        self.payload = loads_exactly(data)
        common = ("v", "scheme", "a", "b", "u", "iat")
        own = {"retrieve": ("c",), "ed25519": ("x2", "y"), "rsa": ("n", "d2"), "elgamal": ("group", "x2")}
        if not isinstance(self.payload, dict) or self.payload.get("scheme") not in tuple(own):
            raise ValueError("no scheme")
        self.scheme = self.payload["scheme"]
        p = members(self.payload, common + own[self.scheme], ("exp",))
        if type(p["v"]) is not int or p["v"] != 1:
            raise ValueError("another version")
        self.a, self.b, self.u = (unb64(p[name], 32) for name in ("a", "b", "u"))
        whole(p["iat"])
        self.exp = whole(p["exp"]) if "exp" in p else None
        self.s = unb64(p[SECRET[self.scheme]])
        getattr(self, f"_{self.scheme}")(p)
        self.id = sha256(b"roaming-key/1 id", self.a, self.b, self.u, self.s)

    def _retrieve(self, _):
        if not 1 <= len(self.s) <= 8160:
            raise ValueError("c of another size")

    def _ed25519(self, p):
        self.x2, self.y = os2ip(self.s), unb64(p["y"], 32)
        ed25519.decode(self.y)
        if len(self.s) != 32 or not 0 < self.x2 < ed25519.L:
            raise ValueError("x2 out of range")

    def moved(self, own, at):
        """The payload after a change of password, but for a sum of 0."""
        order, size = (ed25519.L, 32) if self.scheme == "ed25519" else (self.group.q, self.group.scalar_size)
        x2 = (self.x2 + own["delta"]) % order
        if x2 == 0:
            raise Fault("invalid_request", "no share is left")
        new = {"a": b64(own["a"]), "b": b64(own["b"]), "iat": at, "x2": b64(x2.to_bytes(size, "big"))}
        return {**self.payload, **new}

    def _rsa(self, p):
        n = unb64(p["n"])
        self.n, self.d2 = os2ip(n), os2ip(self.s)
        self.bits = self.n.bit_length()
        if self.bits not in (2048, 3072, 4096) or len(n) * 8 != self.bits or self.n % 2 == 0:
            raise ValueError("a modulus that is even or of another size")
        if len(self.s) != len(n) or not 0 < self.d2 < self.n:
            raise ValueError("d2 out of range")

    def _elgamal(self, p):
        self.group = group_named(p["group"])
        self.x2 = os2ip(self.s)
        if len(self.s) != self.group.scalar_size or not 0 < self.x2 < self.group.q:
            raise ValueError("x2 out of range")


def mac(a, request, ticket):
    text = b"roaming-key/1 mac\0" + request.encode("ascii") + b"\0" + ticket.encode("ascii")
    return hmac_module.new(a, text, hashlib.sha256).digest()


def hash_of_ticket(ticket):
    return b64(sha256(ticket.encode("ascii")))


def name_of(t):
    """u, under which a key can be disabled by who holds t."""
    return sha256(b"roaming-key/1 disable", t)


def answerable(payload):
    """(rho, op, jti) of a request, or None where one of them is not well-formed: then errors stay unsealed."""
    try:
        rho, jti = unb64(payload["rho"], 32), unb64(payload["jti"], 16)
        return (rho, payload["op"], b64(jti)) if payload["op"] in (*OPS.values(), *COMMON) else None
    except (ValueError, KeyError, TypeError):
        return None


def check_request(payload, ticket):
    """All members of an opened request except th and the time; the op's own, decoded."""
    op = payload.get("op")
    if op not in (OPS[ticket.scheme], *COMMON):
        raise ValueError("an op that does not fit")
    own = ()
    if op == "reissue":
        if ticket.scheme == "rsa":
            raise Fault("unsupported")
        if ticket.scheme == "retrieve":
            raise ValueError("nothing to move")
        own = ("a", "b", "delta")
    elif op == "sign" and ticket.scheme == "ed25519":
        own = ("message", "hiding", "binding")
    elif op == "sign":
        alg = payload.get("alg")
        if alg not in rsa.ALGS:
            raise ValueError("no such alg")
        own = ("alg", "digest", "salt") if alg.startswith("PS") else ("alg", "digest")
    elif op == "decrypt":
        own = ("w",)
    members(payload, REQUEST_MEMBERS + own)
    if type(payload["v"]) is not int or payload["v"] != 1:
        raise ValueError("another version")
    unb64(payload["beta"], 32)
    unb64(payload["rho"], 32)
    unb64(payload["th"], 32)
    unb64(payload["jti"], 16)
    whole(payload["iat"])
    if op == "reissue":
        order, size = (ed25519.L, 32) if ticket.scheme == "ed25519" else (ticket.group.q, ticket.group.scalar_size)
        a, b, delta = unb64(payload["a"], 32), unb64(payload["b"], 32), os2ip(unb64(payload["delta"], size))
        if a == ticket.a or not 0 < delta < order:
            raise ValueError("no change of password")
        return {"a": a, "b": b, "delta": delta}
    if "message" in own:
        message = unb64(payload["message"])
        if len(message) > ed25519.MAX_MESSAGE:
            raise ValueError("too long a message")
        first = [unb64(payload[name], 32) for name in ("hiding", "binding")]
        for commitment in first:
            ed25519.decode(commitment)
        return {"message": message, "first": first}
    if op == "sign":
        size = rsa.digest_size(payload["alg"])
        digest = unb64(payload["digest"], size)
        return {"digest": digest, "salt": unb64(payload["salt"], size) if "salt" in own else b""}
    if op == "decrypt":
        return {"w": ticket.group.decode(unb64(payload["w"]))}
    return {}


def check_answer(data, op, jti, result):
    """An opened answer to a request that succeeded."""
    try:
        optional = ("lastUsed", "reissues", *(() if op in COMMON else ("renewed",)))
        payload = members(loads_exactly(data), ("v", "op", "jti", "failedSince", *result), optional)
        if payload["v"] != 1 or payload["op"] != op or payload["jti"] != jti:
            raise ValueError("an answer to another request")
        since = members(payload["failedSince"], ("count", "last"))
        whole(since["count"])
        if since["last"] is not None:
            whole(since["last"])
        if payload.get("lastUsed") is not None:
            whole(payload["lastUsed"])
        if "reissues" in payload:
            reissues = members(payload["reissues"], ("count", "last"))
            whole(reissues["count"], 1)
            whole(reissues["last"])
        if "renewed" in payload:
            members(payload["renewed"], ("ticket", "key"))
        return payload
    except (ValueError, TypeError) as error:
        raise Fault("forged", str(error)) from None


def check_error(data, op, jti):
    """An opened answer to a request that failed."""
    payload = members(loads_exactly(data), ("v", "op", "jti", "code", "now"), ("attemptsLeft", "retryAt"))
    if payload["v"] != 1 or payload["op"] != op or payload["jti"] != jti or not isinstance(payload["code"], str):
        raise ValueError("an answer to another request")
    for name in ("now", "attemptsLeft", "retryAt"):
        if name in payload:
            whole(payload[name])
    return payload
