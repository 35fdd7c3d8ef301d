"""Tickets, requests and proofs with any one thing wrong, and a look at what they are answered."""

import secrets
import zlib

from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519

import device
import ed25519
import groups
import jwe
import messages
from wire import STATUS, b64, call, dumps, i2osp, loads, now, unb64

POINT = ed25519.encode(ed25519.times(5, ed25519.B))
PS = {"alg": "PS256", "digest": b64(bytes(32)), "salt": b64(bytes(32))}
MODULUS = rsa.generate_private_key(65537, 2048).public_key().public_numbers().n


def forge(key, typ, payload, header=None, parts=None, z=None):
    """As jwe.seal, with every rule open to change; what is changed is still sealed and authenticated well."""
    if key.alg == jwe.RSA_OAEP:
        cek = secrets.token_bytes(32)
        encrypted, told = key.public().encrypt(cek, jwe.OAEP_SHA256), {}
    else:
        is_x25519 = key.jwk["kty"] == "OKP"
        own = x25519.X25519PrivateKey.generate() if is_x25519 else ec.generate_private_key(ec.SECP256R1())
        told, encrypted, cek = {"epk": jwe.public_jwk(own)}, b"", None
        z = z if z is not None else jwe.agree(own, key.public())
    whole = {"alg": key.alg, "enc": jwe.ENC, "typ": typ, "kid": key.kid, **told}
    whole = header(whole) if header else whole
    said = whole if isinstance(whole, dict) else {}
    enc = said.get("enc") if said.get("enc") in ("A128GCM", "A192GCM") else jwe.ENC
    if cek is None:
        cek = jwe.concat_kdf(z, enc, jwe.CONTENT_BITS[enc], _bytes(said.get("apu")), _bytes(said.get("apv")))
    data = payload if isinstance(payload, bytes) else dumps(payload)
    if said.get("zip") == "DEF":
        packer = zlib.compressobj(wbits=-15)
        data = packer.compress(data) + packer.flush()
    text = jwe.compact(whole, encrypted, cek, data)
    return ".".join(parts(text.split("."))) if parts else text


def _bytes(text):
    return unb64(text) if isinstance(text, str) else b""


class Victim:
    """A device that exists in its ticket alone: no password is needed to know a verifier that one has drawn."""

    def __init__(self, kind):
        self.kind = kind
        self.a, self.b, self.u = (secrets.token_bytes(32) for _ in range(3))
        self.own = {
            "retrieve": lambda: {"scheme": "retrieve", "c": b64(secrets.token_bytes(48))},
            "ed25519": lambda: {"scheme": "ed25519", "x2": b64(i2osp(7, 32)), "y": b64(POINT)},
            "rsa": lambda: {"scheme": "rsa", "n": b64(i2osp(MODULUS, 256)), "d2": b64(i2osp(65539, 256))},
        }.get(kind, self._elgamal)()
        self.op = messages.OPS[self.own["scheme"]]
        self.scheme = self.own["scheme"]

    def _elgamal(self):
        group = groups.group_named(self.kind)
        return {"scheme": "elgamal", "group": self.kind, "x2": b64(i2osp(group.q // 3, group.scalar_size))}

    def payload(self):
        own = dict(self.own)
        scheme = own.pop("scheme")
        return {"v": 1, "scheme": scheme, "a": b64(self.a), "b": b64(self.b), "u": b64(self.u), "iat": now(), **own}

    def members(self):
        """The members of this scheme's own operation."""
        if self.scheme == "ed25519":
            return {"message": "", "hiding": b64(POINT), "binding": b64(POINT)}
        if self.op == "sign":
            return PS
        if self.op == "decrypt":
            group = groups.group_named(self.kind)
            return {"w": b64(group.encode(group.power(group.g, 5)))}
        return {}


class Target:
    def __init__(self, url):
        self.url = url
        self.key = device.listed_keys(url)[0]

    def post(self, path, body, content_type="application/json"):
        data = body if isinstance(body, bytes) else dumps(body)
        status, headers, answer = call("POST", self.url + path, data, {"Content-Type": content_type})
        return {"status": status, "headers": headers, "body": answer}

    def assist(
        self,
        victim,
        *,
        t=None,
        th=None,
        tp=None,
        tz=None,
        r=None,
        h=None,
        p=None,
        hz=None,
        op=None,
        beta=None,
        mac=None,
        body=None,
        request=None,
        content_type="application/json",
        own=None,
    ):
        """One request. t, th, tp change the ticket's payload, header and parts; r, h, p the request's; tz, hz are
        shared secrets to seal them with."""
        same = lambda value: value
        text = forge(self.key, messages.TICKET, (t or same)(victim.payload()), th, tp, tz)
        op = op or victim.op
        rho, jti = secrets.token_bytes(32), b64(secrets.token_bytes(16))
        own = (victim.members() if op == victim.op else {}) if own is None else own
        payload = {
            "v": 1,
            "op": op,
            "beta": b64(beta or victim.b),
            "rho": b64(rho),
            "th": messages.hash_of_ticket(text),
            "iat": now(),
            "jti": jti,
            **own,
        }
        changed = (r or same)(payload)
        sealed = request or forge(self.key, messages.REQUEST, changed, h, p, hz)
        tag = b64(messages.mac(victim.a, sealed, text))
        whole = {"ticket": text, "request": sealed, "mac": (mac or same)(tag)}
        answer = self.post("/assist", (body or same)(whole), content_type)
        seen = changed if isinstance(changed, dict) else payload
        return {**answer, "rho": rho, "op": seen.get("op"), "jti": seen.get("jti"), "sent": whole}

    def disable(self, change=None, header=None, typ=messages.DISABLE, body=None, key=None):
        payload = {"v": 1, "t": b64(secrets.token_bytes(16)), "rho": b64(secrets.token_bytes(32)), "iat": now()}
        sealed = forge(key or self.key, typ, change(payload) if change else payload, header)
        return self.post("/disable", (body or (lambda value: value))({"request": sealed}))


def put(**members):
    return lambda value: {**value, **members}


def drop(name):
    return lambda value: {k: v for k, v in value.items() if k != name}


def part(index, change):
    def changed(parts):
        parts[index] = change(parts[index])
        return parts

    return changed


def flip(text):
    """Another byte string of the same length, canonically spelled."""
    data = unb64(text)
    return b64(bytes([data[0] ^ 1]) + data[1:])


def uncanonical(text):
    """The same bytes with a stray bit at the end; texts of full triples get padding instead."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + letters[letters.index(text[-1]) + 1] if len(text) % 4 else text + "===="


def stray(name):
    return lambda value: {**value, name: uncanonical(value[name])}


def twice(name):
    """The same member, with the same value, two times."""
    return lambda value: b"{" + dumps({name: value[name]})[1:-1] + b"," + dumps(value)[1:]


def blanks(value):
    return dumps(value).replace(b",", b", ", 1)


def escaped(value):
    return dumps(value).replace(b'"v"', b'"\\u0076"')


def backwards(value):
    return dict(reversed(value.items()))


def resized(name, size):
    return lambda value: {**value, name: b64(bytes([1]) * size)}


def with_newline(value):
    return dumps(value) + b"\n"


def check(answer, codes, sealed):
    """What was wrong with an answer that one of these codes should bear; `ok` stands for help."""
    wrong = []
    try:
        body = loads(answer["body"])
    except ValueError:
        body = {}
    code = "ok" if answer["status"] == 200 else body.get("code") if isinstance(body, dict) else None
    if code not in codes:
        wrong.append(f"answered {answer['status']} {code} instead of {' or '.join(codes)}")
    elif code != "ok":
        wrong += _check_problem(answer, code, body)
        if sealed is not None and ("response" in body) != sealed:
            wrong.append("sealed" if "response" in body else "not sealed")
        if "response" in body:
            wrong += _check_sealed(answer, code, body)
    return {"status": answer["status"], "code": code, "wrong": wrong}


def _check_problem(answer, code, body):
    wrong = []
    status, headers = answer["status"], answer["headers"]
    if status != STATUS[code] and not (status == 413 and code == "invalid_request"):
        wrong.append(f"status {status} for {code}")
    if not headers.get("content-type", "").startswith("application/problem+json"):
        wrong.append(f"content-type {headers.get('content-type')}")
    if "no-store" not in headers.get("cache-control", ""):
        wrong.append("may be cached")
    if status == 401 and "www-authenticate" not in headers:
        wrong.append("no WWW-Authenticate")
    if status == 429 and "retry-after" not in headers:
        wrong.append("no Retry-After")
    if body.get("status", status) != status:
        wrong.append("another status in the body")
    return wrong


def _check_sealed(answer, code, body):
    try:
        told = messages.check_error(jwe.open_answer(body["response"], answer["rho"]), answer["op"], answer["jti"])
    except (ValueError, KeyError) as error:
        return [f"sealed, but {error}"]
    wrong = [] if told["code"] == code else [f"sealed {told['code']}"]
    if abs(told["now"] - now()) > 5:
        wrong.append("another time")
    if code == "locked" and not told.get("retryAt", 0) > now():
        wrong.append("locked until nobody knows when")
    if code == "wrong_password" and not 0 <= told.get("attemptsLeft", -1) < 5:
        wrong.append("attempts left untold")
    return wrong


def guess(record, clock=0, times=1):
    """Wrong passwords for somebody's record; whoever holds it needs no Argon2id to be wrong."""
    held = device.Device(record, "", clock=clock)
    answers = []
    for _ in range(times):
        try:
            held.exchange(messages.OPS[record["scheme"]], _some_members(record), (), secrets.token_bytes(32), clock)
        except device.Fault as fault:
            answers.append({"code": fault.code, **fault.members})
    return {"answers": answers}


def _some_members(record):
    if record["scheme"] == "rsa":
        return PS
    if record["scheme"] == "ed25519":
        return {"message": "", "hiding": b64(POINT), "binding": b64(POINT)}
    if record["scheme"] == "elgamal":
        group, y = groups.group_of_jwk(record["jwk"])
        return {"w": b64(group.encode(y))}
    return {}
