"""Malformed and hostile requests, each breaking one rule and otherwise perfect.

A case says which codes of section 10 may answer it. After each the rightful owner asks once more: he must be helped,
and no failure may have been counted that was none."""

import secrets
from concurrent.futures import ThreadPoolExecutor

from cryptography.hazmat.primitives.asymmetric import ec, x25519

import ed25519
import groups
import jwe
import messages
from forgery import (
    MODULUS,
    POINT,
    PS,
    Target,
    Victim,
    backwards,
    blanks,
    check,
    drop,
    escaped,
    flip,
    part,
    put,
    resized,
    stray,
    twice,
    uncanonical,
    with_newline,
)
from wire import b64, call, dumps, i2osp, loads, loads_exactly, now, unb64

OK = ("ok",)
INVALID = ("invalid_request",)
BAD_TICKET = ("bad_ticket",)
CASES = {}


def case(name, codes, sealed=None, victim="retrieve", counted=0, helped=True):
    """sealed: whether the error must (True), must not (False), or may come under rho."""

    def add(run):
        assert name not in CASES, name
        CASES[name] = (run, codes, sealed, victim, counted, helped)
        return run

    return add


def each(codes, table, prefix, sealed=None, victim="retrieve", **more):
    for name, changes in table.items():
        case(f"{prefix}: {name}", codes, sealed, victim, **more)(
            lambda target, who, changes=changes: target.assist(
                who, **(changes(target) if callable(changes) else changes)
            )
        )


# What must be helped, however unusual.

each(
    OK,
    {
        "as it should be": {},
        "members of the ticket backwards": {"t": backwards},
        "members of the ticket's header backwards": {"th": backwards},
        "members of the request backwards": {"r": backwards},
        "members of the request's header backwards": {"h": backwards},
        "blanks and another order in the body": {"body": lambda value: dumps(backwards(value)).replace(b",", b" ,\n")},
        "a clock that is 290 s late": {"r": lambda value: {**value, "iat": now() - 290}},
        "a clock that is 290 s early": {"r": lambda value: {**value, "iat": now() + 290}},
        "a ticket that has not expired": {"t": lambda value: {**value, "exp": now() + 600}},
        "a private key of one byte": {
            "t": resized("c", 1),
        },
        "a private key of 8160 bytes": {"t": resized("c", 8160)},
        "retire": {"op": "retire"},
    },
    "helped",
    helped=False,
)
each(OK, {name: {} for name in ("a signature",)}, "helped", victim="rsa")
each(OK, {name: {} for name in ("a decryption on P-256",)}, "helped", victim="P-256")
each(OK, {name: {} for name in ("a decryption on ffdhe2048",)}, "helped", victim="ffdhe2048")

# The body.

each(
    INVALID,
    {
        "no JSON": {"body": lambda _: b"{"},
        "nothing": {"body": lambda _: b""},
        "an array": {"body": lambda value: [value]},
        "null": {"body": lambda _: b"null"},
        "no ticket": {"body": drop("ticket")},
        "no request": {"body": drop("request")},
        "no mac": {"body": drop("mac")},
        "a surplus member": {"body": put(more=1)},
        "a surplus __proto__": {"body": lambda value: dumps(value)[:-1] + b',"__proto__":{}}'},
        "a ticket that is a number": {"body": put(ticket=1)},
        "a ticket that is a list": {"body": lambda value: {**value, "ticket": [value["ticket"]]}},
        "a ticket that is empty": {"body": put(ticket="")},
        "a mac of 31 bytes": {"mac": lambda _: b64(bytes(31))},
        "a mac of 33 bytes": {"mac": lambda _: b64(bytes(33))},
        "a mac with a stray bit": {"mac": uncanonical},
        "a mac with padding": {"mac": lambda tag: tag + "="},
        "a mac in plain base64": {"mac": lambda tag: "+" + tag[1:]},
        "not UTF-8": {"body": lambda value: dumps(value)[:-1] + b',"\xff":1}'},
        "text": {"content_type": "text/plain"},
        "a form": {"content_type": "application/x-www-form-urlencoded"},
        "above 36 KiB": {"body": lambda value: dumps(value) + b" " * 36864},
        "a ticket above 16 KiB": {"body": lambda value: {**value, "ticket": value["ticket"] + "A" * 16384}},
        "a request above 16 KiB": {"body": lambda value: {**value, "request": value["request"] + "A" * 16384}},
        "a request of four parts": {"p": lambda parts: parts[:4]},
    },
    "body",
    sealed=False,
)
# Whether a ticket of another shape is outside the schema or no good ticket, the text leaves open.
each(
    ("invalid_request", "bad_ticket"),
    {
        "a ticket of four parts": {"tp": lambda parts: parts[:4]},
        "a ticket of six parts": {"tp": lambda parts: [*parts, ""]},
    },
    "body",
    sealed=False,
)

# The ticket's JWE. A header that hides the kid may be told as either of the second step's codes, or the first's.

NO_KID = ("invalid_request", "unknown_key", "bad_ticket")
each(
    NO_KID,
    {
        "no kid": {"th": drop("kid")},
        "a kid that is a number": {"th": put(kid=1)},
        "a kid that is no base64url": {"th": put(kid="*")},
        "an empty header": {"tp": part(0, lambda _: "")},
        "a header that is no JSON": {"th": lambda value: dumps(value)[:-1]},
        "a header that is a list": {"th": lambda value: dumps([value])},
        "a header with a stray bit": {"tp": part(0, uncanonical)},
        "not base64url": {"tp": part(3, lambda text: "*" + text[1:])},
        "an iv with padding": {"tp": part(2, lambda text: text + "==")},
    },
    "ticket",
    sealed=False,
)
each(
    ("unknown_key",),
    {
        "a kid that nobody has": {"th": put(kid=b64(bytes(32)))},
        "another kid of the same length": {"th": lambda value: {**value, "kid": b64(bytes([1]) * 32)}},
    },
    "ticket",
    sealed=False,
)
each(
    BAD_TICKET,
    {
        "zip": {"th": put(zip="DEF")},
        "crit": {"th": put(crit=["exp"])},
        "p2c": {"th": put(p2c=1)},
        "jku": {"th": put(jku="http://127.0.0.1:1/")},
        "cty": {"th": put(cty="json")},
        "no typ": {"th": drop("typ")},
        "no enc": {"th": drop("enc")},
        "the typ of a request": {"th": put(typ=messages.REQUEST)},
        "typ with application/": {"th": put(typ="application/" + messages.TICKET)},
        "typ in capitals": {"th": put(typ=messages.TICKET.upper())},
        "A128GCM": {"th": put(enc="A128GCM")},
        "A256CBC-HS512": {"th": put(enc="A256CBC-HS512")},
        "dir": {"th": put(alg="dir")},
        "alg none": {"th": put(alg="none")},
        "alg with key wrapping": {"th": put(alg="ECDH-ES+A256KW")},
        "an alg of another kind of key": {
            "th": lambda value: {**value, "alg": "ECDH-ES" if value["alg"] != "ECDH-ES" else "RSA-OAEP-256"}
        },
        "a member of the header named twice": {"th": twice("typ")},
        "an iv of 16 bytes": {"tp": part(2, lambda _: b64(bytes(16)))},
        "no iv": {"tp": part(2, lambda _: "")},
        "a tag of 12 bytes": {"tp": part(4, lambda text: text[:16])},
        "a tag with a stray bit": {"tp": part(4, uncanonical)},
        "a flipped tag": {"tp": part(4, flip)},
        "a flipped ciphertext": {"tp": part(3, flip)},
        "a ciphertext cut short": {"tp": part(3, lambda text: text[:-4])},
    },
    "ticket",
    sealed=False,
)
each(
    BAD_TICKET,
    {
        "apu": {"th": put(apu="QQ")},
        "no epk": {"th": drop("epk")},
        "an epk of the other curve": lambda target: {"th": put(epk=_other_curve(target.key))},
        "an epk with a private half": {"th": lambda value: {**value, "epk": {**value["epk"], "d": b64(bytes(32))}}},
        "an epk with a surplus member": {"th": lambda value: {**value, "epk": {**value["epk"], "use": "enc"}}},
        "an epk with a short x": {"th": lambda value: {**value, "epk": {**value["epk"], "x": b64(bytes([9]) * 31)}}},
        "an epk with a stray bit in x": {"th": lambda value: {**value, "epk": stray("x")(value["epk"])}},
        "an epk that is a string": {"th": put(epk="x")},
        "an encrypted key": {"tp": part(1, lambda _: b64(bytes(40)))},
    },
    "ticket by ECDH",
    sealed=False,
)

X25519 = {
    "zero": bytes(32),
    "one": b"\x01" + bytes(31),
    # RFC 7748's p, and a point of order 8 (Curve25519 has 12 such spellings)
    "p": i2osp(2**255 - 19, 32)[::-1],
    "of order 8": bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
}
each(
    BAD_TICKET,
    {
        f"an epk whose shared secret is zero: {name}": {
            "tz": bytes(32),
            "th": put(epk={"kty": "OKP", "crv": "X25519", "x": b64(x)}),
        }
        for name, x in X25519.items()
    },
    "ticket by X25519",
    sealed=False,
)
each(
    INVALID,
    {
        "an epk whose shared secret is zero": {
            "hz": bytes(32),
            "h": put(epk={"kty": "OKP", "crv": "X25519", "x": b64(bytes(32))}),
        },
    },
    "request by X25519",
    sealed=False,
)
each(
    BAD_TICKET,
    {
        "an epk that is off the curve": {
            "th": lambda value: {**value, "epk": {**value["epk"], "y": b64(bytes([7]) * 32)}}
        },
        "an epk at zero": {
            "th": lambda value: {**value, "epk": {**value["epk"], "x": b64(bytes(32)), "y": b64(bytes(32))}}
        },
        "an epk without y": {"th": lambda value: {**value, "epk": drop("y")(value["epk"])}},
    },
    "ticket by P-256",
    sealed=False,
)


def _other_curve(key):
    other = ec.generate_private_key(ec.SECP256R1()) if key.jwk["kty"] == "OKP" else x25519.X25519PrivateKey.generate()
    return jwe.public_jwk(other)


# What is in the ticket.

each(
    BAD_TICKET,
    {
        "no JSON": {"t": lambda value: dumps(value)[:-1]},
        "a list": {"t": lambda value: [value]},
        "blanks": {"t": blanks},
        "an escaped name": {"t": escaped},
        "a newline at the end": {"t": with_newline},
        "a byte order mark": {"t": lambda value: b"\xef\xbb\xbf" + dumps(value)},
        "a member named twice": {"t": twice("u")},
        "a surplus member": {"t": put(more=1)},
        "a surplus __proto__": {"t": lambda value: dumps(value)[:-1] + b',"__proto__":{}}'},
        "a member of another scheme": {"t": put(group="P-256")},
        "version 2": {"t": put(v=2)},
        "version '1'": {"t": put(v="1")},
        "version 1.0": {"t": lambda value: dumps(value).replace(b'"v":1', b'"v":1.0')},
        "no version": {"t": drop("v")},
        "another scheme": {"t": put(scheme="dsa")},
        "a scheme that objects have": {"t": put(scheme="constructor")},
        "a of 31 bytes": {"t": resized("a", 31)},
        "a with a stray bit": {"t": stray("a")},
        "b of 33 bytes": {"t": resized("b", 33)},
        "b with a stray bit": {"t": stray("b")},
        "u of 16 bytes": {"t": resized("u", 16)},
        "no u": {"t": drop("u")},
        "iat of text": {"t": put(iat="1795000000")},
        "iat with a fraction": {"t": put(iat=1795000000.5)},
        "iat below zero": {"t": put(iat=-1)},
        "iat of null": {"t": put(iat=None)},
        "expired": {"t": lambda value: {**value, "exp": now() - 1}},
        "exp of text": {"t": lambda value: {**value, "exp": str(now() + 600)}},
        "exp of null": {"t": put(exp=None)},
        "no c": {"t": drop("c")},
        "c of no bytes": {"t": resized("c", 0)},
        "c of 8161 bytes": {"t": resized("c", 8161)},
        "c with a stray bit": {"t": lambda value: {**value, "c": uncanonical(b64(bytes(47)))}},
    },
    "in the ticket",
    sealed=False,
)


def modulus(bits):
    n = (1 << (bits - 1)) + 12345
    return lambda value: {**value, "n": b64(i2osp(n, (bits + 7) // 8)), "d2": b64(i2osp(3, (bits + 7) // 8))}


def number(name, value, size):
    return put(**{name: b64(i2osp(value, size))})


each(
    BAD_TICKET,
    {
        "N even": {"t": number("n", MODULUS - 1, 256)},
        "N of 2047 bits": {"t": number("n", MODULUS >> 1 | 1, 256)},
        "N of 2049 bits": {"t": modulus(2049)},
        "N of 2056 bits": {"t": modulus(2056)},
        "N of 1024 bits": {"t": modulus(1024)},
        "N of 2047 bits, and no more bytes": {"t": modulus(2047)},
        "N with a zero before it": {"t": number("n", MODULUS, 257)},
        "N and no d2": {"t": drop("d2")},
        "d2 = 0": {"t": number("d2", 0, 256)},
        "d2 = N": {"t": number("d2", MODULUS, 256)},
        "d2 = N + 1": {"t": number("d2", MODULUS + 1, 256)},
        "d2 of 255 bytes": {"t": number("d2", 3, 255)},
        "d2 of 257 bytes": {"t": number("d2", 3, 257)},
    },
    "in an rsa ticket",
    sealed=False,
    victim="rsa",
)
each(("unsupported",), {"N of 4096 bits, which is not served": {"t": modulus(4096)}}, "in an rsa ticket", victim="rsa")

Q = groups.P256.q
each(
    BAD_TICKET,
    {
        "an unknown group": {"t": put(group="P-384")},
        "a group that objects have": {"t": put(group="constructor")},
        "a group that is a list": {"t": put(group=["P-256"])},
        "another group's size": {"t": put(group="ffdhe2048")},
        "x2 = 0": {"t": number("x2", 0, 32)},
        "x2 = q": {"t": number("x2", Q, 32)},
        "x2 = q + 1": {"t": number("x2", Q + 1, 32)},
        "x2 of 31 bytes": {"t": number("x2", 3, 31)},
        "x2 of 33 bytes": {"t": number("x2", 3, 33)},
    },
    "in an elgamal ticket",
    sealed=False,
    victim="P-256",
)
FFDHE = groups.group_named("ffdhe2048")
each(
    BAD_TICKET,
    {
        "x2 = q": {"t": number("x2", FFDHE.q, 256)},
        "x2 = p - 2": {"t": number("x2", FFDHE.p - 2, 256)},
        "x2 of 255 bytes": {"t": number("x2", 3, 255)},
    },
    "in an ffdhe ticket",
    sealed=False,
    victim="ffdhe2048",
)
each(
    ("unsupported",),
    {
        "ffdhe4096, which is not served": {"t": put(group="ffdhe4096", x2=b64(i2osp(3, 512)))},
    },
    "in an ffdhe ticket",
    victim="ffdhe2048",
)

# Who asks.

each(
    ("bad_mac",),
    {
        "a flipped mac": {"mac": flip},
        "a mac of zeros": {"mac": lambda _: b64(bytes(32))},
        "a flipped mac over a request that does not open": {"mac": flip, "p": part(3, flip)},
        "a flipped mac and a wrong password": {"mac": flip, "beta": bytes(32)},
    },
    "mac",
    sealed=False,
)


@case("mac: of the request with another ticket of the same device", ("bad_mac",), False)
def _(target, victim):
    first = target.assist(victim, mac=flip)["sent"]
    return target.assist(victim, body=lambda sent: {**sent, "ticket": first["ticket"]})


@case("mac: a stolen request beside the thief's own ticket", ("bad_mac",), True)
def _(target, victim):
    """What th is for: else β would be tested without a count."""
    seen = target.assist(victim, mac=flip)
    rho = seen["rho"]
    thief = Victim("retrieve")
    answer = target.assist(thief, request=seen["sent"]["request"])
    return {**answer, "rho": rho, "op": seen["op"], "jti": seen["jti"]}


# What is in the request.

each(
    INVALID,
    {
        "a flipped ciphertext": {"p": part(3, flip)},
        "the typ of a ticket": {"h": put(typ=messages.TICKET)},
        "no typ": {"h": drop("typ")},
        "a surplus member in the header": {"h": put(cty="json")},
        "a kid that nobody has": {"h": put(kid=b64(bytes(32)))},
        "A128GCM": {"h": put(enc="A128GCM")},
        "zip": {"h": put(zip="DEF")},
        "a member of the header named twice": {"h": twice("kid")},
        "no JSON": {"r": lambda value: dumps(value)[:-1]},
        "a list": {"r": lambda value: dumps([value])},
        "rho of 31 bytes": {"r": resized("rho", 31)},
        "no rho": {"r": drop("rho")},
        "jti of 15 bytes": {"r": resized("jti", 15)},
        "jti with a stray bit": {"r": stray("jti")},
        "op of nobody": {"r": put(op="reveal")},
        "op of a list": {"r": put(op=["retrieve"])},
        "op that objects have": {"r": put(op="constructor")},
    },
    "request",
    sealed=False,
)
each(
    INVALID,
    {
        "blanks": {"r": blanks},
        "an escaped name": {"r": escaped},
        "a member named twice": {"r": twice("th")},
    },
    "request",
    sealed=None,
)
each(
    INVALID,
    {
        "a surplus member": {"r": put(more=1)},
        "version 2": {"r": put(v=2)},
        "no version": {"r": drop("v")},
        "beta of 31 bytes": {"r": resized("beta", 31)},
        "beta with a stray bit": {"r": stray("beta")},
        "no beta": {"r": drop("beta")},
        "no th": {"r": drop("th")},
        "iat of text": {"r": lambda value: {**value, "iat": str(now())}},
        "iat with a fraction": {"r": lambda value: {**value, "iat": now() + 0.5}},
        "no iat": {"r": drop("iat")},
        "an op of another scheme": {"op": "sign", "own": {"alg": "RS256", "digest": b64(bytes(32))}},
        "retire with a member of its own": {"op": "retire", "own": {"w": "AA"}},
        "a surplus member and a wrong password": {"r": put(more=1), "beta": bytes(32)},
    },
    "request",
    sealed=True,
)
each(
    ("stale_request",),
    {
        "301 s late": {"r": lambda value: {**value, "iat": now() - 302}},
        "301 s early": {"r": lambda value: {**value, "iat": now() + 305}},
        "of 1970": {"r": put(iat=0)},
        "late, with a wrong password": {"r": lambda value: {**value, "iat": now() - 400}, "beta": bytes(32)},
    },
    "request",
    sealed=True,
)
each(("bad_mac", "invalid_request"), {"th of 31 bytes": {"r": resized("th", 31)}}, "request", sealed=True)
each(("bad_mac",), {"th of another ticket": {"r": put(th=b64(bytes(32)))}}, "request", sealed=True)

each(
    INVALID,
    {
        "a digest of 31 bytes": {"own": {**PS, "digest": b64(bytes(31))}},
        "a digest of 48 bytes for 256 bits": {"own": {**PS, "digest": b64(bytes(48))}},
        "a digest of 32 bytes for 512": {"own": {**PS, "alg": "PS512"}},
        "no digest": {"own": {"alg": "RS256"}},
        "no salt for PSS": {"own": {"alg": "PS256", "digest": PS["digest"]}},
        "a salt of 20 bytes": {"own": {**PS, "salt": b64(bytes(20))}},
        "an empty salt": {"own": {**PS, "salt": ""}},
        "a salt for PKCS #1": {"own": {**PS, "alg": "RS256"}},
        "RS1": {"own": {"alg": "RS1", "digest": b64(bytes(20))}},
        "a raw representative": {"own": {"alg": "none", "em": b64(bytes(256))}},
        "an alg that is a list": {"own": {**PS, "alg": ["PS256"]}},
        "ES256": {"own": {"alg": "ES256", "digest": b64(bytes(32))}},
        "decrypt": {"op": "decrypt", "own": {"w": b64(bytes(256))}},
        "retrieve": {"op": "retrieve", "own": {}},
    },
    "request to sign",
    sealed=True,
    victim="rsa",
)


def w(data):
    return {"own": {"w": b64(data)}}


P256 = groups.group_named("P-256")
G = P256.encode(P256.g)
each(
    INVALID,
    {
        "w off the curve": w(G[:-1] + bytes([G[-1] ^ 1])),
        "w on the twist": w(b"\x04" + i2osp(2, 32) + i2osp(3, 32)),
        "w at infinity": w(b"\0"),
        "w of zeros": w(bytes(65)),
        "w compressed": w(bytes([2 + G[-1] % 2]) + G[1:33]),
        "w hybrid": w(bytes([6 + G[-1] % 2]) + G[1:]),
        "w without its first byte": w(G[1:]),
        "w with y + p": w(b"\x04" + i2osp(5, 32) + i2osp(2**256 - 1, 32)),
        "w with x = p": w(b"\x04" + i2osp(P256.p, 32) + G[33:]),
        "w with a byte more": w(G + b"\0"),
        "w of no bytes": w(b""),
        "w with a stray bit": {"own": {"w": uncanonical(b64(G))}},
        "w of another group": w(i2osp(4, 256)),
        "no w": {"own": {}},
        "w of a JWK": {"own": {"w": P256.jwk(P256.g)}},
    },
    "request to decrypt on P-256",
    sealed=True,
    victim="P-256",
)
each(
    INVALID,
    {
        "w = 0": w(bytes(256)),
        "w = 1": w(i2osp(1, 256)),
        "w = p - 1": w(i2osp(FFDHE.p - 1, 256)),
        "w = p": w(i2osp(FFDHE.p, 256)),
        "w = p + 2": w(i2osp(FFDHE.p + 2, 256)),
        "w outside the subgroup": w(i2osp(FFDHE.p - 2, 256)),
        "w of 255 bytes": w(i2osp(4, 255)),
        "w of 257 bytes": w(i2osp(4, 257)),
        "w a point": w(G),
    },
    "request to decrypt on ffdhe2048",
    sealed=True,
    victim="ffdhe2048",
)

TORSION = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
ORDER_4 = (ed25519.ROOT, 0)
BAD_POINTS = {
    "the identity": i2osp(1, 32)[::-1],
    "the identity with a sign": i2osp(1 | 1 << 255, 32)[::-1],
    "of order 2": i2osp(ed25519.P - 1, 32)[::-1],
    "of order 4": bytes(32),
    "of order 8": TORSION,
    "of mixed order": ed25519.encode(ed25519.add(ed25519.times(5, ed25519.B), ORDER_4)),
    "off the curve": i2osp(2, 32)[::-1],
    "not canonical": i2osp(ed25519.P + 3, 32)[::-1],
    "of 31 bytes": POINT[1:],
    "of 33 bytes": POINT + b"\0",
    "of no bytes": b"",
}
SIGN = {"message": b64(b"what is signed"), "hiding": b64(POINT), "binding": b64(POINT)}
for name, point in BAD_POINTS.items():
    each(BAD_TICKET, {f"y {name}": {"t": put(y=b64(point))}}, "ticket of Ed25519", sealed=False, victim="ed25519")
    each(
        INVALID,
        {
            f"hiding {name}": {"own": {**SIGN, "hiding": b64(point)}},
            f"binding {name}": {"own": {**SIGN, "binding": b64(point)}, "beta": bytes(32)},
        },
        "request to sign with Ed25519",
        sealed=True,
        victim="ed25519",
    )
each(
    OK,
    {
        "a message of 8192 bytes": {"own": {**SIGN, "message": b64(bytes(8192))}},
        "one commitment twice": {"own": SIGN},
        "an empty message": {"own": {**SIGN, "message": ""}},
    },
    "Ed25519",
    victim="ed25519",
)
each(
    BAD_TICKET,
    {
        "x2 = 0": {"t": put(x2=b64(bytes(32)))},
        "x2 = l": {"t": put(x2=b64(i2osp(ed25519.L, 32)))},
        "x2 of 31 bytes": {"t": resized("x2", 31)},
        "no y": {"t": drop("y")},
        "a group": {"t": put(group="P-256")},
    },
    "ticket of Ed25519",
    sealed=False,
    victim="ed25519",
)
each(
    INVALID,
    {
        "a message of 8193 bytes": {"own": {**SIGN, "message": b64(bytes(8193))}},
        "no message": {"own": {"hiding": SIGN["hiding"], "binding": SIGN["binding"]}},
        "an alg": {"own": {**SIGN, "alg": "Ed25519"}},
        "a key of its own": {"own": {**SIGN, "y": SIGN["hiding"]}},
        "a digest": {"own": PS},
        "decrypt": {"op": "decrypt", "own": {"w": b64(POINT)}},
        "a message with a stray bit": {"own": {**SIGN, "message": uncanonical(SIGN["message"])}},
    },
    "request to sign with Ed25519",
    sealed=True,
    victim="ed25519",
)
NEW = {"a": b64(bytes([1]) * 32), "b": b64(bytes([2]) * 32), "delta": b64(i2osp(5, 32))}
for kind, order in (("ed25519", ed25519.L), ("P-256", P256.q)):
    each(OK, {"as it should be": {"op": "reissue", "own": NEW}}, f"reissue of {kind}", victim=kind)
    each(
        INVALID,
        {
            "delta = 0": {"op": "reissue", "own": {**NEW, "delta": b64(bytes(32))}},
            "delta = the order": {"op": "reissue", "own": {**NEW, "delta": b64(i2osp(order, 32))}},
            "delta of 31 bytes": {"op": "reissue", "own": {**NEW, "delta": b64(i2osp(5, 31))}},
            "delta of 33 bytes": {"op": "reissue", "own": {**NEW, "delta": b64(i2osp(5, 33))}},
            "no delta": {"op": "reissue", "own": {"a": NEW["a"], "b": NEW["b"]}},
            "a u": {"op": "reissue", "own": {**NEW, "u": NEW["a"]}},
            "a of 31 bytes": {"op": "reissue", "own": {**NEW, "a": b64(bytes(31))}, "beta": bytes(32)},
        },
        f"reissue of {kind}",
        sealed=True,
        victim=kind,
    )


    @case(f"reissue of {kind}: the old a", INVALID, True, victim=kind)
    def _(target, victim):
        return target.assist(victim, op="reissue", own={**NEW, "a": b64(victim.a)})


    @case(f"reissue of {kind}: a sum of 0", INVALID, True, victim=kind)
    def _(target, victim, order=order):
        x2 = int.from_bytes(unb64(victim.own["x2"]), "big")
        return target.assist(victim, op="reissue", own={**NEW, "delta": b64(i2osp(order - x2, 32))})


each(INVALID, {"of what is retrieved": {"op": "reissue", "own": NEW}}, "reissue", sealed=True)
each(("unsupported",), {"of RSA": {"op": "reissue", "own": NEW}}, "reissue", sealed=True, victim="rsa")

# The order of things, and what is counted.


@case("count: a wrong password", ("wrong_password",), True, counted=1)
def _(target, victim):
    return target.assist(victim, beta=bytes(32))


@case("count: replayed after success", ("replayed",), True)
def _(target, victim):
    first = target.assist(victim)
    return {**first, **target.post("/assist", first["sent"])}


@case("count: a wrong guess replayed", ("replayed",), True, counted=1)
def _(target, victim):
    first = target.assist(victim, beta=bytes(32))
    return {**first, **target.post("/assist", first["sent"])}


@case("count: the jti of a wrong guess in another request", ("replayed",), True, counted=1)
def _(target, victim):
    first = target.assist(victim, beta=bytes(32))
    return target.assist(victim, r=put(jti=first["jti"]))


@case("count: the same jti for another ticket", OK)
def _(target, victim):
    first = target.assist(Victim("retrieve"))
    return target.assist(victim, r=put(jti=first["jti"]))


@case("count: another spelling of a ticket is the same ticket", ("wrong_password",), True, counted=2)
def _(target, victim):
    target.assist(victim, beta=bytes(32), t=backwards)
    return target.assist(victim, beta=bytes(32), t=put(iat=1, exp=now() + 1000))


@case("count: a ticket with the same a and u and another b is another", OK)
def _(target, victim):
    thief = Victim("retrieve")
    thief.a, thief.u, thief.own = victim.a, victim.u, victim.own
    for _ in range(3):
        target.assist(thief, beta=bytes(32))
    return target.assist(victim)


@case("count: locked after five, the right password too", ("locked",), True, helped=False)
def _(target, victim):
    for _ in range(5):
        target.assist(victim, beta=bytes(32))
    return target.assist(victim)


@case("count: locked, with a wrong password", ("locked",), True, helped=False)
def _(target, victim):
    for _ in range(5):
        target.assist(victim, beta=bytes(32))
    return target.assist(victim, beta=bytes(32))


@case("count: locked is asked before the password, replayed before locked", ("replayed",), True, helped=False)
def _(target, victim):
    for _ in range(5):
        target.assist(victim, beta=bytes(32))
    first = target.assist(victim)
    return {**first, **target.post("/assist", first["sent"])}


@case("count: thirty guesses at once", ("wrong_password",), True, helped=False)
def _(target, victim):
    with ThreadPoolExecutor(15) as pool:
        answers = list(pool.map(lambda _: target.assist(victim, beta=bytes(32)), range(30)))
    codes = [loads(answer["body"])["code"] for answer in answers]
    answered = [answer for answer, code in zip(answers, codes) if code == "wrong_password"]
    assert len(answered) == 5, codes
    assert (
        set(codes) == {"wrong_password", "locked"}
        or set(codes) == {"wrong_password", "locked", "busy"}
        or set(codes) == {"wrong_password", "busy"}
    ), codes
    return answered[0]


@case("count: retired", ("retired",), True, helped=False)
def _(target, victim):
    target.assist(victim, op="retire")
    return target.assist(victim)


@case("count: retired, with a wrong password", ("retired",), True, helped=False)
def _(target, victim):
    target.assist(victim, op="retire")
    return target.assist(victim, beta=bytes(32))


@case("count: retiring takes the right password", ("wrong_password",), True, counted=1)
def _(target, victim):
    return target.assist(victim, op="retire", beta=bytes(32))


def _disabled(target, victim):
    t = secrets.token_bytes(16)
    victim.u = messages.name_of(t)
    target.disable(put(t=b64(t)))


@case("count: disabled", ("disabled",), True, helped=False)
def _(target, victim):
    _disabled(target, victim)
    return target.assist(victim)


@case("count: disabled, with a wrong password", ("disabled",), True, helped=False)
def _(target, victim):
    _disabled(target, victim)
    return target.assist(victim, beta=bytes(32))


@case("count: disabled, another ticket of the same u", ("disabled",), True, helped=False)
def _(target, victim):
    _disabled(target, victim)
    victim.a, victim.b = secrets.token_bytes(32), secrets.token_bytes(32)
    return target.assist(victim)


@case("count: disabled, retire", ("disabled",), True, helped=False)
def _(target, victim):
    _disabled(target, victim)
    return target.assist(victim, op="retire")


# Disabling and the feed.

for name, codes, changes in (
    ("as it should be", OK, {}),
    ("a clock in 1970", OK, {"change": put(iat=0)}),
    ("a clock far ahead", OK, {"change": put(iat=2**40)}),
    ("members backwards", OK, {"change": backwards}),
    ("t of 15 bytes", INVALID, {"change": resized("t", 15)}),
    ("t of 17 bytes", INVALID, {"change": resized("t", 17)}),
    ("t with a stray bit", INVALID, {"change": stray("t")}),
    ("no t", INVALID, {"change": drop("t")}),
    ("rho of 31 bytes", INVALID, {"change": resized("rho", 31)}),
    ("no rho", INVALID, {"change": drop("rho")}),
    ("no iat", INVALID, {"change": drop("iat")}),
    ("iat of text", INVALID, {"change": put(iat="now")}),
    ("a surplus member", INVALID, {"change": put(u=b64(bytes(32)))}),
    ("version 2", INVALID, {"change": put(v=2)}),
    ("blanks", INVALID, {"change": blanks}),
    ("a member named twice", INVALID, {"change": twice("t")}),
    ("the typ of a request", INVALID, {"typ": messages.REQUEST}),
    ("zip", INVALID, {"header": put(zip="DEF")}),
    ("a kid that nobody has", ("unknown_key",), {"header": put(kid=b64(bytes(32)))}),
    ("a surplus member in the body", INVALID, {"body": put(more=1)}),
    ("a body that is a list", INVALID, {"body": lambda value: [value]}),
    ("u in the clear", INVALID, {"body": lambda value: {"u": b64(bytes(32))}}),
):
    case(f"disable: {name}", codes, False, helped=False)(lambda target, _, changes=changes: target.disable(**changes))

# A cursor that was never given may be refused or start the feed over: the text leaves it open. It must not break it.
for name, query in (
    ("text", "x"),
    ("below zero", "-1"),
    ("a fraction", "1.5"),
    ("empty", ""),
    ("a thousand digits", "9" * 1000),
):

    @case(f"feed: a cursor of {name}", (*OK, *INVALID), False, helped=False)
    def _(target, _, query=query):
        status, headers, body = call("GET", f"{target.url}/disabled?after={query}")
        return {"status": status, "headers": headers, "body": body}


def group_of(name):
    return name.split(": ")[0]


def names(kind):
    """The groups of cases that an assistant with this kind of key can be attacked with, and their sizes."""
    groups = {}
    for name in CASES:
        if applies(name, kind):
            groups[group_of(name)] = groups.get(group_of(name), 0) + 1
    return groups


def applies(name, kind):
    """Some attacks are on one kind of assistant key alone."""
    group = group_of(name)
    if group.endswith(" by ECDH"):
        return kind != "RSA-OAEP-256"
    return kind in group or " by " not in group


def assault(assistant, group):
    """Runs a group of cases: what each of them was answered, and what was wrong with that."""
    target = Target(assistant)
    kind = {"OKP": "X25519", "EC": "P-256", "RSA": "RSA-OAEP-256"}[target.key.jwk["kty"]]
    results = {}
    for name, (run, codes, sealed, victim, counted, helped) in CASES.items():
        if group_of(name) != group or not applies(name, kind):
            continue
        who = Victim(victim)
        answer = run(target, who)
        told = check(answer, codes, sealed)
        if helped:
            told["wrong"] += _check_help(target, who, counted)
        results[name] = told
    return {"results": results}


def _check_help(target, who, counted):
    answer = target.assist(who)
    if answer["status"] != 200:
        return [f"afterwards the owner is answered {answer['status']} {answer['body'][:300]}"]
    told = loads_exactly(jwe.open_answer(loads(answer["body"])["response"], answer["rho"]))
    since = told["failedSince"]
    fits = since["count"] == counted and (since["last"] is None) == (counted == 0)
    return [] if fits else [f"failedSince is {since}"]
