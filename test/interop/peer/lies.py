"""What a hostile assistant, or whoever stands in between, may say instead of the truth."""

import secrets

import ed25519
import groups
import jwe
import messages
from wire import b64, dumps, i2osp, os2ip, unb64


class Lie(Exception):
    """An answer that is sent as it stands."""

    def __init__(self, status, body, headers=()):
        super().__init__(status)
        self.status, self.body, self.headers = status, body, dict(headers)


HEADER = {"alg": "dir", "enc": "A256GCM", "typ": "rk-response+jwe"}


def _sealed(rho, answer, header=HEADER):
    payload = answer if isinstance(answer, bytes) else dumps(answer)
    return {"response": jwe.compact(header, b"", rho, payload)}


def _changed(**members):
    return lambda answer, rho, _: _sealed(rho, {**answer, **members})


def _without(name):
    return lambda answer, rho, _: _sealed(rho, {k: v for k, v in answer.items() if k != name})


def _with_header(**members):
    return lambda answer, rho, _: _sealed(rho, answer, {**HEADER, **members})


def _result(change):
    """Changes the bytes of c or nu."""

    def lie(answer, rho, _):
        name = "c" if "c" in answer else "nu"
        return _sealed(rho, {**answer, name: b64(change(unb64(answer[name])))})

    return lie


def _element(change):
    """Changes nu as an element of P-256, and keeps the proof."""

    def lie(answer, rho, _):
        group = groups.group_named("P-256")
        return _sealed(rho, {**answer, "nu": b64(change(group, group.decode(unb64(answer["nu"]))))})

    return lie


def _proof(change):
    def lie(answer, rho, _):
        return _sealed(rho, {**answer, "proof": change(answer["proof"])})

    return lie


def _beyond(proof):
    group = groups.group_named("P-256")
    return {**proof, "s": b64(i2osp((os2ip(unb64(proof["s"])) + group.q) % 2**256, 32))}


def _member(name, change):
    return lambda answer, rho, _: _sealed(rho, {**answer, name: b64(change(unb64(answer[name])))})


def _beyond_l(data):
    return (int.from_bytes(data, "little") + ed25519.L).to_bytes(32, "little")


def _flip(data):
    return data[:-1] + bytes([data[-1] ^ 1])


def _blanks(answer, rho, _):
    return _sealed(rho, dumps(answer).replace(b",", b", "))


def _twice(answer, rho, _):
    return _sealed(rho, b'{"v":1,' + dumps(answer)[1:])


def _renewed(make):
    def lie(answer, rho, assistant):
        return _sealed(rho, {**answer, "renewed": make(assistant)})

    return lie


def _ticket(key):
    return jwe.seal(key, messages.TICKET, {"v": 1, "of": "a thief"})


def _unlisted(_):
    key = jwe.AssistantKey.generate("X25519")
    return {"ticket": _ticket(key), "key": key.listed()}


def _other_kid(assistant):
    return {"ticket": _ticket(jwe.AssistantKey.generate("X25519")), "key": assistant.keys[0].listed()}


def _listed_kid_other_key(assistant):
    key = jwe.AssistantKey.generate("X25519")
    return {"ticket": _ticket(assistant.keys[0]), "key": {**key.listed(), "kid": assistant.keys[0].kid}}


def _clear(status, code, **more):
    """An error that anybody on the way could have written."""

    def lie(answer, rho, _):
        raise Lie(status, {"type": "about:blank", "title": code, "status": status, "code": code, **more})

    return lie


def _error(status, clear, sealed_code, other_rho=False, **members):
    """An error whose sealed half says something of its own."""

    def lie(answer, rho, assistant):
        told = {
            "v": 1,
            "op": answer["op"],
            "jti": answer["jti"],
            "code": sealed_code,
            "now": assistant.now(),
            **members,
        }
        body = _sealed(secrets.token_bytes(32) if other_rho else rho, told)
        raise Lie(status, {"type": "about:blank", "title": clear, "status": status, "code": clear, **body})

    return lie


def _raw(status, body, headers):
    def lie(answer, rho, _):
        raise Lie(status, body, headers)

    return lie


POINT = ed25519.encode(ed25519.times(5, ed25519.B))
TORSION = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
MIXED = ed25519.encode(ed25519.add(ed25519.times(5, ed25519.B), (ed25519.ROOT, 0)))

HTML = {"Content-Type": "text/html"}
OTHER_JTI = b64(bytes(16))

LIES = {
    "another op": _changed(op="unlock"),
    "another jti": _changed(jti=OTHER_JTI),
    "another version": _changed(v=2),
    "a surplus member": _changed(more=1),
    "no failedSince": _without("failedSince"),
    "a failedSince below zero": _changed(failedSince={"count": -1, "last": None}),
    "blanks in the payload": _blanks,
    "a member named twice": _twice,
    "sealed under another secret": lambda answer, rho, _: _sealed(secrets.token_bytes(32), answer),
    "not sealed": lambda answer, rho, _: answer,
    "not sealed inside response": lambda answer, rho, _: {"response": answer},
    "another typ": _with_header(typ="rk-request+jwe"),
    "a surplus header member": _with_header(kid="x"),
    "zip": _with_header(zip="DEF"),
    "another enc in the header": _with_header(enc="A128GCM"),
    "result flipped": _result(_flip),
    "result short": _result(lambda data: data[:-1]),
    "result long": _result(lambda data: b"\0" + data),
    "result empty": _result(lambda data: b""),
    "result zero": _result(lambda data: bytes(len(data))),
    "result too great": _result(lambda data: b"\xff" * len(data)),
    "no result": lambda answer, rho, _: _sealed(
        rho, {k: v for k, v in answer.items() if k not in ("c", "nu", "share", "retired")}
    ),
    "another result, honest proof": _element(lambda group, nu: group.encode(group.times(nu, group.g))),
    "identity": _element(lambda group, nu: b"\0"),
    "compressed result": _element(lambda group, nu: bytes([2 + nu[1] % 2]) + group.encode(nu)[1:33]),
    "negated result": _element(lambda group, nu: group.encode((nu[0], group.p - nu[1]))),
    "another challenge": _proof(lambda proof: {**proof, "c": b64(_flip(unb64(proof["c"])))}),
    "another response": _proof(lambda proof: {**proof, "s": b64(_flip(unb64(proof["s"])))}),
    "a response of q and more": _proof(_beyond),
    "a short challenge": _proof(lambda proof: {**proof, "c": b64(unb64(proof["c"])[:31])}),
    "a surplus member in the proof": _proof(lambda proof: {**proof, "more": 1}),
    "no proof": _without("proof"),
    "another share": _member("share", _flip),
    "a share of 0": _member("share", lambda data: bytes(32)),
    "a share of l and more": _member("share", _beyond_l),
    "a short share": _member("share", lambda data: data[:-1]),
    "another hiding": _member("hiding", lambda data: POINT),
    "the identity for hiding": _member("hiding", lambda data: b"\1" + bytes(31)),
    "a binding of order 8": _member("binding", lambda data: TORSION),
    "a hiding of mixed order": _member("hiding", lambda data: MIXED),
    "commitments exchanged": lambda answer, rho, _: _sealed(
        rho, {**answer, "hiding": answer["binding"], "binding": answer["hiding"]}
    ),
    "one commitment for both": lambda answer, rho, _: _sealed(rho, {**answer, "binding": answer["hiding"]}),
    "no share": _without("share"),
    "a last use that is no time": _changed(lastUsed="yesterday"),
    "not retired": _changed(retired=False),
    "renewed to a key not listed": _renewed(_unlisted),
    "renewed ticket of another kid": _renewed(_other_kid),
    "renewed key under a kid that is not its own": _renewed(_listed_kid_other_key),
    "renewed and no ticket": _renewed(lambda assistant: {"ticket": "x", "key": assistant.keys[0].listed()}),
    "not disabled": _changed(disabled=False),
    "disabled, says the clear text": _clear(403, "disabled"),
    "retired, says the clear text": _clear(403, "retired"),
    "stale, says the clear text": _clear(400, "stale_request", now=1_000_000_000),
    "wrong password, says the clear text": _clear(401, "wrong_password", attemptsLeft=0, retryAt=4_000_000_000),
    "locked, says the clear text": _clear(429, "locked", attemptsLeft=0),
    "disabled, sealed under another secret": _error(403, "disabled", "disabled", other_rho=True),
    "disabled, sealed for another request": _error(403, "disabled", "disabled", jti=OTHER_JTI),
    "disabled, sealed with a surplus member": _error(403, "disabled", "disabled", more=1),
    "disabled in clear, wrong password sealed": _error(403, "disabled", "wrong_password", attemptsLeft=3),
    "stale whatever the time": _error(400, "stale_request", "stale_request"),
    "a code that nobody knows, sealed": _error(400, "invalid_request", "made_up"),
    "a page": _raw(200, b"<h1>Welcome</h1>", HTML),
    "a page of an error": _raw(502, b"<h1>Bad gateway</h1>", HTML),
    "elsewhere": _raw(307, b"", {"Location": "/elsewhere/assist"}),
    "far too much": _raw(200, b'{"response":"' + b"A" * 4_000_000 + b'"}', {"Content-Type": "application/json"}),
}


def _key(**members):
    """One key in the list, under the kid that it ought to have."""

    def listed(_):
        jwk = {"kty": "OKP", "crv": "X25519", "x": b64(bytes([9]) + bytes(31)), **members}
        bare = {name: jwk[name] for name in ("kty", "crv", "x", "y", "n", "e") if jwk.get(name) is not None}
        named = {"kid": jwe.thumbprint(bare), "use": "enc", "alg": "ECDH-ES"}
        return {"keys": [{name: value for name, value in {**named, **jwk}.items() if value is not None}]}

    return listed


EC = {"kty": "EC", "crv": "P-256"}
KEY_LISTS = {
    "no key": lambda _: {"keys": []},
    "no list": lambda assistant: assistant.keys[0].listed(),
    "an X25519 key of zero": _key(x=b64(bytes(32))),
    "an X25519 key of one": _key(x=b64(b"\1" + bytes(31))),
    "an X25519 key of order 8": _key(x="4Ot6fDtBuK4WVuP68Z_EatoJjeucMrH9hmIFFl9JuAA"),
    "an X25519 key of 31 bytes": _key(x=b64(bytes([9]) * 31)),
    "a key under another kid": _key(kid=b64(bytes(32))),
    "a key without a kid": _key(kid=None),
    "a key for signatures": _key(use="sig"),
    "a key of another alg": _key(alg="RSA-OAEP-256"),
    "a P-256 key off the curve": _key(**EC, x=b64(bytes([7]) * 32), y=b64(bytes([7]) * 32)),
    "a P-256 key at zero": _key(**EC, x=b64(bytes(32)), y=b64(bytes(32))),
    "a P-521 key": _key(kty="EC", crv="P-521", x=b64(bytes([1]) * 66), y=b64(bytes([1]) * 66)),
    "an RSA key of 1024 bits": _key(
        kty="RSA", crv=None, x=None, n=b64(i2osp(2**1023 + 1, 128)), e="AQAB", alg="RSA-OAEP-256"
    ),
}
