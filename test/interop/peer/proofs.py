"""A relying party's half of logins and registrations: docs/protocol.md, section 8."""

import hashlib
import hmac
import secrets
import threading

import jwe
import keys
from wire import b64, i2osp, loads, loads_exactly, members, need, now, os2ip, sha256, unb64, whole

LIFETIME = 120
SKEW = 30
ALGS = ("Ed25519", "ES256", "PS256", "RS256")


class RelyingParty:
    """Accounts and their keys, in memory. Whoever comes first has a name."""

    def __init__(self, audience):
        self.audience = audience
        self.accounts = {}
        self._secret = secrets.token_bytes(32)
        self._used = set()
        self._lock = threading.Lock()

    def challenge(self):
        at = now()
        fresh = i2osp(at, 8) + secrets.token_bytes(16)
        return {"challenge": b64(fresh + self._mac(fresh)), "expiresIn": LIFETIME, "now": at}

    def _mac(self, data):
        return hmac.new(self._secret, data, hashlib.sha256).digest()

    def login(self, proof):
        header, claims, signed = self._read(proof, "rk-login+jwt", (), ())
        known = self.accounts.get(claims["sub"], {}).get(header["kid"])
        need(known is not None, "refused")
        self._verify(header, claims, signed, known)
        return {"account": claims["sub"], "kid": header["kid"]}

    def register(self, proof):
        header, claims, signed = self._read(proof, "rk-register+jwt", ("jwk",), ("u",))
        jwk = header["jwk"]
        try:
            keys.public_of(jwk)
            unb64(claims["u"], 32)
            fits = header["kid"] == jwe.thumbprint(jwk)
        except (ValueError, TypeError, KeyError, AttributeError):
            fits = False
        need(fits, "refused")
        known = {"jwk": jwk, "alg": "Ed25519" if header["alg"] == "EdDSA" else header["alg"], "u": claims["u"]}
        self._verify(header, claims, signed, known)
        self.accounts.setdefault(claims["sub"], {})[header["kid"]] = known
        return {"account": claims["sub"], "kid": header["kid"], "u": claims["u"]}

    def _read(self, proof, typ, more_header, more_claims):
        try:
            jws, *hidden = proof.split("~")
            protected, payload, signature = jws.split(".")
            header = members(loads(unb64(protected)), ("alg", "typ", "kid", *more_header))
            told = unb64(payload)
            if hidden:
                [told] = map(unb64, hidden)
                h = members(loads_exactly(unb64(payload)), ("h",))["h"]
                need(len(told) <= 4096 and unb64(h, 32) == sha256(b"roaming-key/1 claims\0", told), "refused")
            claims = members(loads_exactly(told), ("aud", "sub", "nonce", "iat", "exp", "jti", *more_claims))
            iat, exp, at = whole(claims["iat"]), whole(claims["exp"]), now()
            fits = (
                header["typ"] == typ
                and header["alg"] in (*ALGS, "EdDSA")
                and all(isinstance(claims[name], str) for name in ("aud", "sub", "nonce", "jti"))
                and isinstance(header["kid"], str)
                and claims["aud"] == self.audience
                and iat <= at + SKEW
                and at - SKEW <= exp <= iat + LIFETIME
            )
            need(fits, "refused")
            self._check(unb64(claims["nonce"], 56))
            return header, claims, (f"{protected}.{payload}".encode("ascii"), unb64(signature))
        except (ValueError, TypeError, AttributeError):
            need(False, "refused")

    def _check(self, challenge):
        """A challenge of ours, and fresh."""
        age = now() - os2ip(challenge[:8])
        genuine = hmac.compare_digest(self._mac(challenge[:24]), challenge[24:])
        need(genuine and 0 <= age <= LIFETIME, "refused")

    def _verify(self, header, claims, signed, known):
        """The signature, and only then the challenge is used up: who cannot sign leaves nothing here."""
        alg = "Ed25519" if header["alg"] == "EdDSA" else header["alg"]
        need(alg == known["alg"] and keys.is_signed(known["jwk"], alg, *signed), "refused")
        with self._lock:
            need(claims["nonce"] not in self._used, "refused")
            self._used.add(claims["nonce"])
