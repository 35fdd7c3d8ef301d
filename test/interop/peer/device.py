"""A device: it enrols, and uses its key through an assistant. docs/protocol.md, sections 2 to 6 and 8."""

import secrets
from urllib.parse import urlsplit

import ed25519
import groups
import jwe
import keys
import kit
import messages
import rsa
from password import Secrets, check_kdf
from wire import (
    Fault,
    b64,
    call,
    dumps,
    i2osp,
    loads,
    loads_exactly,
    members,
    need,
    now,
    os2ip,
    post,
    sha256,
    unb64,
    whole,
)

PAGE = 1000
DEFAULT_KDF = {"name": "argon2id", "t": 3, "m": 65536, "p": 4}


def listed_keys(url):
    """The assistant's keys, in the order it lists them."""
    status, headers, data = call("GET", f"{url}/keys")
    need(status == 200, "unavailable", f"keys: {status}")
    need(headers.get("content-type", "").split(";")[0] == "application/jwk-set+json", "forged", "no key set")
    try:
        listed = members(loads(data), ("keys",))["keys"]
        keys_found = [jwe.AssistantKey.of_listed(key) for key in listed]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Fault("forged", f"keys: {error}") from None
    need(keys_found, "forged", "no keys")
    return keys_found


def enroll(assistant, password, scheme="retrieve", key=None, kdf=None, exp=None):
    """Makes a key, a record and a kit; nothing is sent but `GET keys`."""
    kdf = kdf or DEFAULT_KDF
    check_kdf(kdf)
    salt, a, t = secrets.token_bytes(32), secrets.token_bytes(32), secrets.token_bytes(16)
    u = messages.name_of(t)
    assistant_key = listed_keys(assistant)[0]
    known = Secrets(password, salt, kdf)
    own, jwk = _protect(scheme, key, lambda size: known.f(scheme, size))
    payload = {"v": 1, "scheme": scheme, "a": b64(a), "b": b64(known.beta), "u": b64(u), "iat": now()}
    payload.update({"exp": exp} if exp is not None else {})
    payload.update(own)
    record = {
        "version": 1,
        "scheme": scheme,
        "salt": b64(salt),
        "a": b64(a),
        "u": b64(u),
        "kdf": kdf,
        "ticket": jwe.seal(assistant_key, messages.TICKET, payload),
        "jwk": jwk,
        "assistant": {"url": assistant, "jwk": {**assistant_key.jwk, "kid": assistant_key.kid}},
    }
    return {
        "record": record,
        "kit": {"version": 1, "assistant": {"url": assistant}, "t": b64(t)},
        "code": kit.code_of(t, assistant),
        "payload": payload,
    }


def _protect(scheme, kind, f):
    """The ticket's members for a new key of this kind, and its public JWK."""
    if scheme == "retrieve":
        private = keys.generate(kind or "Ed25519")
        secret = keys.pkcs8(private)
        c = bytes(x ^ y for x, y in zip(secret, f(len(secret))))
        return {"c": b64(c)}, keys.jwk_of(private.public_key())
    if scheme == "ed25519":
        own, public = ed25519.split(secrets.token_bytes(32), f)
        jwk = {"kty": "OKP", "crv": "Ed25519", "x": b64(public)}
        return {name: b64(data) for name, data in own.items()}, jwk
    if scheme == "rsa":
        numbers = keys.generate(kind or "RSA-2048").private_numbers()
        n, e = numbers.public_numbers.n, numbers.public_numbers.e
        size = rsa.size_of(n)
        return {"n": b64(i2osp(n, size)), "d2": b64(i2osp(rsa.split(numbers, f), size))}, rsa.jwk(n, e)
    group = groups.group_named(kind or "P-256")
    x1 = os2ip(f(group.scalar_size + 16)) % group.q
    x = 1 + secrets.randbelow(group.q - 1)
    x2 = (x - x1) % group.q
    jwk = group.jwk(group.power(group.g, x))
    return {"group": group.name, "x2": b64(i2osp(x2, group.scalar_size))}, jwk


class Device:
    """A record in use. `clock` is what the device's clock is off by; `record` changes when a ticket is renewed."""

    def __init__(self, record, password=None, assistant=None, clock=0):
        self.record, self.password, self.clock = record, password, clock
        names = ("version", "scheme", "salt", "a", "u", "kdf", "ticket", "jwk", "assistant")
        try:
            members(record, names)
            members(record["assistant"], ("url", "jwk"))
            fits = record["version"] == 1 and record["scheme"] in messages.OPS
            self.salt, self.a, _ = (unb64(record[name], 32) for name in ("salt", "a", "u"))
            self.key = jwe.AssistantKey.of_listed(record["assistant"]["jwk"])
        except (ValueError, TypeError, KeyError):
            fits = False
        need(fits, "bad_record")
        check_kdf(record["kdf"])
        self.url = record["assistant"]["url"]
        need(assistant is None or assistant == self.url, "not_listed", "a record of another assistant")
        self.asks_for_keys = assistant is not None
        self.told = {}

    def unlock(self):
        """The private key, of scheme retrieve."""
        need(self.record["scheme"] == "retrieve", "unsupported")
        known, answer = self._ask("retrieve", {}, ("c",))
        c = _decoded(answer["c"])
        need(1 <= len(c) <= 8160, "forged", "c")
        return keys.of_pkcs8(bytes(x ^ y for x, y in zip(c, known.f("retrieve", len(c)))), self.record["jwk"])

    def sign(self, alg, message):
        """An ordinary signature."""
        need(not _is_protocol_object(message), "unsupported", "a signature that would pass for a proof")
        return self._sign(alg, message)

    def _sign(self, alg, message):
        if self.record["scheme"] == "retrieve":
            return keys.sign(self.unlock(), alg, message)
        if self.record["scheme"] == "ed25519":
            return self._sign_ed25519(alg, message)
        need(self.record["scheme"] == "rsa" and alg in rsa.ALGS, "unsupported")
        n, e = (os2ip(unb64(self.record["jwk"][name])) for name in ("n", "e"))
        size = rsa.size_of(n)
        digest = keys.digest(alg, message)
        salt = secrets.token_bytes(rsa.digest_size(alg)) if alg.startswith("PS") else b""
        own = {"alg": alg, "digest": b64(digest), **({"salt": b64(salt)} if salt else {})}
        known, answer = self._ask("sign", own, ("nu",))
        em = os2ip(rsa.encode(alg, digest, salt, n.bit_length()))
        nu = os2ip(_decoded(answer["nu"], size))
        d1 = os2ip(known.f("rsa", size + 16))
        s = nu * pow(em, d1, n) % n
        need(nu < n and pow(s, e, n) == em, "forged", "half of another signature")
        return i2osp(s, size)

    def _sign_ed25519(self, alg, message):
        need(alg in ("Ed25519", "EdDSA") and len(message) <= ed25519.MAX_MESSAGE, "unsupported")
        public = unb64(self.record["jwk"]["x"], 32)
        known = Secrets(self.password, self.salt, self.record["kdf"])

        def ask():
            # A request that is made again has nonces of its own.
            self._signing = ed25519.Signing(lambda size: known.f("ed25519", size), message)
            named = zip(("hiding", "binding"), map(b64, self._signing.first))
            return {"message": b64(message), **dict(named)}

        _, answer = self._ask("sign", ask, ("hiding", "binding", "share"))
        return self._signing.complete(public, *(_decoded(answer[name], 32) for name in ("hiding", "binding", "share")))

    def change_password(self, password):
        """A record under a new password, used once before it takes the old one's place; the old ticket is retired."""
        scheme = self.record["scheme"]
        need(scheme in ("ed25519", "elgamal"), "unsupported")
        if scheme == "ed25519":
            order, size = ed25519.L, 32
        else:
            group, y = groups.group_of_jwk(self.record["jwk"])
            order, size = group.q, group.scalar_size
        salt, a = secrets.token_bytes(32), secrets.token_bytes(32)
        old = Secrets(self.password, self.salt, self.record["kdf"])
        new = Secrets(password, salt, self.record["kdf"])
        x1, moved = (os2ip(known.f(scheme, size + 16)) % order for known in (old, new))
        own = {"a": b64(a), "b": b64(new.beta), "delta": b64(i2osp((x1 - moved) % order, size))}
        _, answer = self._ask("reissue", own, ("ticket", "key"))
        told = self.told
        try:
            key = jwe.AssistantKey.of_listed(answer["key"])
            fits = jwe.header_of(answer["ticket"]).get("kid") == key.kid
        except (ValueError, TypeError, KeyError, AttributeError):
            fits = False
        need(fits and key.kid in [listed.kid for listed in listed_keys(self.url)], "forged", "a key not listed")
        assistant = {"url": self.url, "jwk": {**key.jwk, "kid": key.kid}}
        record = {**self.record, "salt": b64(salt), "a": b64(a), "ticket": answer["ticket"], "assistant": assistant}
        changed = Device(record, password, clock=self.clock)
        if scheme == "ed25519":
            changed._sign_ed25519("Ed25519", b"roaming-key/1 check" + secrets.token_bytes(32))
        else:
            changed.decrypt(jwe.encrypt_to(record["jwk"], b"roaming-key/1 check"))
        self.retire()
        self.record, self.password, self.told = record, password, told

    def decrypt(self, text):
        """The plaintext of a JWE to this device."""
        need(self.record["scheme"] == "elgamal", "unsupported")
        group, y = groups.group_of_jwk(self.record["jwk"])
        try:
            w = jwe.ephemeral_of(text, group)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise Fault("does_not_open", "no JWE for this key") from None
        known, answer = self._ask("decrypt", {"w": b64(group.encode(w))}, ("nu", "proof"))
        x1 = os2ip(known.f("elgamal", group.scalar_size + 16)) % group.q
        y2 = group.times(y, group.power(group.g, -x1))
        try:
            nu = group.decode(unb64(answer["nu"]))
            proof = members(answer["proof"], ("c", "s"))
            c, s = unb64(proof["c"], 32), os2ip(unb64(proof["s"], group.scalar_size))
            fits = s < group.q and groups.is_proven(group, w, y2, nu, c, s)
        except ValueError:
            fits = False
        need(fits, "forged", "not proven")
        return jwe.decrypt_with(text, group.shared_secret(group.times(nu, group.power(w, x1))))

    def retire(self):
        _, answer = self._ask("retire", {}, ("retired",))
        need(answer["retired"] is True, "forged", "not retired")

    def prove(self, typ, alg, audience, account, challenge, at):
        """A proof for a relying party: a login, or with typ rk-register+jwt a registration."""
        jwk = self.record["jwk"]
        header = {"alg": alg, "typ": typ, "kid": jwe.thumbprint(jwk)}
        claims = {
            "aud": audience,
            "sub": account,
            "nonce": challenge,
            "iat": at,
            "exp": at + 60,
            "jti": b64(secrets.token_bytes(16)),
        }
        if typ == "rk-register+jwt":
            header["jwk"] = jwk
            claims["u"] = self.record["u"]
        payload, suffix = dumps(claims), ""
        if self.record["scheme"] == "ed25519":
            payload = dumps({"h": b64(sha256(b"roaming-key/1 claims\0", payload))})
            suffix = f"~{b64(dumps(claims))}"
        signed = f"{b64(dumps(header))}.{b64(payload)}"
        return f"{signed}.{b64(self._sign(alg, signed.encode('ascii')))}{suffix}"

    def visit(self, url, account, alg, typ="rk-login+jwt", headers=()):
        """Takes a challenge and posts the proof: (status, answer)."""
        parts = urlsplit(url)
        audience = f"{parts.scheme}://{parts.netloc}"
        status, given = post(f"{url}/challenge", {}, headers)
        need(status == 200, "refused", f"challenge: {status}")
        proof = self.prove(typ, alg, audience, account, given["challenge"], whole(given["now"]))
        status, answer = post(url, {"proof": proof}, headers)
        return {"status": status, "answer": answer, "proof": proof}

    def _ask(self, op, own, result):
        listed = [key.kid for key in listed_keys(self.url)] if self.asks_for_keys else None
        need(listed is None or self.key.kid in listed, "not_listed", "a key that the assistant does not publish")
        known = Secrets(self.password, self.salt, self.record["kdf"])
        try:
            answer = self.exchange(op, own, result, known.beta, self.clock)
        except Fault as fault:
            if fault.code != "stale_request" or "now" not in fault.members:
                raise
            answer = self.exchange(op, own, result, known.beta, fault.members["now"] - now())
        self.told = {name: answer[name] for name in ("failedSince", "lastUsed", "reissues") if name in answer}
        if "renewed" in answer:
            self._renew(answer["renewed"])
        return known, answer

    def exchange(self, op, own, result, beta, clock):
        own = own() if callable(own) else own
        ticket = self.record["ticket"]
        rho, jti = secrets.token_bytes(32), b64(secrets.token_bytes(16))
        request = {
            "v": 1,
            "op": op,
            "beta": b64(beta),
            "rho": b64(rho),
            "th": messages.hash_of_ticket(ticket),
            "iat": now() + clock,
            "jti": jti,
            **own,
        }
        sealed = jwe.seal(self.key, messages.REQUEST, request)
        body = {"ticket": ticket, "request": sealed, "mac": b64(messages.mac(self.a, sealed, ticket))}
        status, answer = post(f"{self.url}/assist", body)
        if status == 200:
            return messages.check_answer(_opened(answer, rho), op, jti, result)
        raise read_error(status, answer, rho, op, jti)

    def _renew(self, renewed):
        """Takes a renewed ticket, once the assistant publishes its key; else the record stays as it is."""
        self.told["renewed"] = False
        try:
            key = jwe.AssistantKey.of_listed(renewed["key"])
            header = jwe.header_of(renewed["ticket"])
            fits = header.get("kid") == key.kid and header.get("typ") == messages.TICKET
        except (ValueError, TypeError, KeyError, AttributeError):
            return
        if fits and key.kid in [listed.kid for listed in listed_keys(self.url)]:
            assistant = {"url": self.url, "jwk": {**key.jwk, "kid": key.kid}}
            self.record = {**self.record, "ticket": renewed["ticket"], "assistant": assistant}
            self.key, self.told["renewed"] = key, True


def read_error(status, answer, rho, op, jti):
    """What went wrong. Only what is sealed under rho is believed; the rest is a hint, and marked so."""
    if isinstance(answer, dict) and isinstance(answer.get("response"), str):
        try:
            told = messages.check_error(jwe.open_answer(answer["response"], rho), op, jti)
            return Fault(
                told["code"],
                "sealed",
                sealed=True,
                **{k: v for k, v in told.items() if k in ("now", "attemptsLeft", "retryAt")},
            )
        except (ValueError, TypeError):
            pass
    code = answer.get("code") if isinstance(answer, dict) else None
    return Fault("unsealed", f"{status} {code}", hint=code, sealed=False)


def disable(url, t):
    """Disables whatever t disables; returns only if the assistant has said so under rho."""
    rho = secrets.token_bytes(32)
    key = listed_keys(url)[0]
    request = jwe.seal(key, messages.DISABLE, {"v": 1, "t": b64(t), "rho": b64(rho), "iat": now()})
    status, answer = post(f"{url}/disable", {"request": request})
    if status != 200:
        raise read_error(status, answer, rho, "disable", "")
    try:
        told = members(loads_exactly(_opened(answer, rho)), ("v", "op", "disabled", "now"))
        whole(told["now"])
        fits = told["v"] == 1 and told["op"] == "disable" and told["disabled"] is True
    except ValueError:
        fits = False
    need(fits, "forged", "not disabled")


def feed(url):
    """All t's on the feed, page by page: (their hashes, how many pages)."""
    found, cursor, pages = [], None, 0
    while True:
        status, _, data = call("GET", f"{url}/disabled" + (f"?after={cursor}" if cursor is not None else ""))
        need(status == 200, "unavailable", f"feed: {status}")
        page = members(loads(data), ("disabled", "next"))
        need(len(page["disabled"]) <= PAGE, "forged", "too long a page")
        found += page["disabled"]
        pages += 1
        if len(page["disabled"]) < PAGE:
            return {"names": [b64(messages.name_of(unb64(t, 16))) for t in found], "pages": pages}
        need(page["next"] != cursor, "forged", "a feed that stands still")
        cursor = page["next"]


def _opened(answer, rho):
    try:
        return jwe.open_answer(members(answer, ("response",))["response"], rho)
    except (ValueError, TypeError, AttributeError) as error:
        raise Fault("forged", str(error)) from None


def _decoded(text, size=None):
    try:
        return unb64(text, size)
    except ValueError as error:
        raise Fault("forged", str(error)) from None


def _is_protocol_object(message):
    """Whether it would parse as a JOSE object whose typ begins with rk-."""
    try:
        header = loads(unb64(message.decode("ascii").split(".")[0]))
        return isinstance(header, dict) and str(header.get("typ")).lower().removeprefix("application/").startswith(
            "rk-"
        )
    except ValueError:
        return False
