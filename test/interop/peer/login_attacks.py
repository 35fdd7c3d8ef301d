"""Proofs for a relying party, each signed well by the account's own key and breaking one rule of section 8."""

import secrets

import jwe
import keys
from forgery import backwards, check, drop, flip, put, twice, uncanonical
from wire import b64, call, dumps, loads

OK = ("ok",)
# The text has one answer for an unknown account, an unknown key and a bad signature, and leaves the others open.
REFUSED = ("refused",)
MALFORMED = ("refused", "invalid_request", "unsupported")
STALE = ("refused", "stale_request")


def _flip_signature(proof):
    start, signature = proof.rsplit(".", 1)
    return f"{start}.{flip(signature)}"


LOGINS = {
    "as it should be": (OK, {}),
    "members backwards": (OK, {"header": backwards, "claims": backwards}),
    "another typ": (MALFORMED, {"header": put(typ="JWT")}),
    "a registration": (MALFORMED, {"header": put(typ="rk-register+jwt")}),
    "no typ": (MALFORMED, {"header": drop("typ")}),
    "no kid": (MALFORMED, {"header": drop("kid")}),
    "another kid": (REFUSED, {"header": put(kid=b64(bytes(32)))}),
    "alg none": (MALFORMED, {"header": put(alg="none"), "proof": lambda proof: proof.rsplit(".", 1)[0] + "."}),
    "alg HS256": (MALFORMED, {"header": put(alg="HS256")}),
    "alg of another kind of key": (
        MALFORMED,
        {"header": lambda value: {**value, "alg": "ES256" if value["alg"] != "ES256" else "PS256"}},
    ),
    "a surplus crit": (MALFORMED, {"header": put(crit=["exp"])}),
    "a surplus jku": (MALFORMED, {"header": put(jku="https://example.com/")}),
    "a key in the header": (MALFORMED, {"header": put(jwk={"kty": "OKP", "crv": "Ed25519", "x": b64(bytes(32))})}),
    "another audience": (REFUSED, {"claims": put(aud="https://phish.example")}),
    "a list of audiences": (MALFORMED, {"claims": lambda value: {**value, "aud": [value["aud"]]}}),
    "the audience with a slash": (REFUSED, {"claims": lambda value: {**value, "aud": value["aud"] + "/"}}),
    "no audience": (MALFORMED, {"claims": drop("aud")}),
    "another account": (REFUSED, {"claims": put(sub="somebody")}),
    "no account": (MALFORMED, {"claims": drop("sub")}),
    "an account that objects have": (REFUSED, {"claims": put(sub="__proto__")}),
    "a challenge of one's own": (STALE, {"claims": put(nonce=b64(bytes(56)))}),
    "a challenge that was changed": (STALE, {"claims": lambda value: {**value, "nonce": flip(value["nonce"])}}),
    "no challenge": (MALFORMED, {"claims": drop("nonce")}),
    "good for an hour": (MALFORMED, {"claims": lambda value: {**value, "exp": value["iat"] + 3600}}),
    "good for 121 s": (MALFORMED, {"claims": lambda value: {**value, "exp": value["iat"] + 121}}),
    "expired": (STALE, {"claims": lambda value: {**value, "iat": value["iat"] - 200, "exp": value["iat"] - 100}}),
    "of the future": (STALE, {"claims": lambda value: {**value, "iat": value["iat"] + 100, "exp": value["iat"] + 160}}),
    "times as text": (MALFORMED, {"claims": lambda value: {**value, "exp": str(value["exp"])}}),
    "no exp": (MALFORMED, {"claims": drop("exp")}),
    "no iat": (MALFORMED, {"claims": drop("iat")}),
    "no jti": (MALFORMED, {"claims": drop("jti")}),
    "claims named twice": (MALFORMED, {"claims": twice("sub")}),
    "a flipped signature": (REFUSED, {"proof": _flip_signature}),
    "a signature with a stray bit": (MALFORMED, {"proof": lambda proof: uncanonical(proof)}),
    "no signature": (MALFORMED, {"proof": lambda proof: proof.rsplit(".", 1)[0] + "."}),
    "two parts": (MALFORMED, {"proof": lambda proof: proof.rsplit(".", 1)[0]}),
    "four parts": (MALFORMED, {"proof": lambda proof: proof + ".AA"}),
    "a number": (MALFORMED, {"proof": lambda _: 1}),
    "a surplus member in the body": (MALFORMED, {"body": put(more=1)}),
    "an origin of others": (REFUSED, {"origin": "https://phish.example"}),
}


def attack_login(d, url, account, alg):
    """Each proof is signed well by the account's own key, and breaks one rule."""
    private = d.unlock()
    audience = "/".join(url.split("/")[:3])

    def challenge():
        return loads(call("POST", f"{url}/challenge", b"{}", {"Content-Type": "application/json"})[2])

    def attempt(header=None, claims=None, proof=None, body=None, origin=None, given=None):
        given = given or challenge()
        same = lambda value: value
        at = given["now"]
        head = (header or same)({"alg": alg, "typ": "rk-login+jwt", "kid": jwe.thumbprint(d.record["jwk"])})
        said = (claims or same)(
            {
                "aud": audience,
                "sub": account,
                "nonce": given["challenge"],
                "iat": at,
                "exp": at + 60,
                "jti": b64(secrets.token_bytes(16)),
            }
        )
        text = ".".join(b64(x if isinstance(x, bytes) else dumps(x)) for x in (head, said))
        signature = keys.sign(private, "Ed25519" if alg == "EdDSA" else alg, text.encode("ascii"))
        made = f"{text}.{b64(signature)}"
        sent = dumps((body or same)({"proof": (proof or same)(made)}))
        headers = {"Content-Type": "application/json", **({"Origin": origin} if origin else {})}
        status, got, answer = call("POST", url, sent, headers)
        return {"status": status, "headers": got, "body": answer, "sent": sent}

    results = {}
    for name, (codes, changes) in LOGINS.items():
        answer = attempt(**changes)
        results[name] = check(answer, codes, None)
        if name == "as it should be":
            status, headers, body = call("POST", url, answer["sent"], {"Content-Type": "application/json"})
            results["the same once more"] = check(
                {"status": status, "headers": headers, "body": body}, ("refused", "replayed"), None
            )
    # Who cannot sign uses no challenge up.
    given = challenge()
    results["a flipped signature under a challenge"] = check(attempt(proof=_flip_signature, given=given), REFUSED, None)
    results["that challenge, as it should be"] = check(attempt(given=given), OK, None)
    results["at the end, as it should be"] = check(attempt(), OK, None)
    return {"results": results}
