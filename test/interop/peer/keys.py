"""The device's own keys and what ordinary software knows them as: PKCS#8, JWK, JWS algorithms."""

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
from cryptography.hazmat.primitives.asymmetric import rsa as rsa_keys
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

import rsa
from wire import b64, i2osp, members, need, os2ip, unb64


def generate(kind):
    if kind == "Ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind == "P-256":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa_keys.generate_private_key(65537, int(kind.removeprefix("RSA-")))


def pkcs8(private):
    return private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def of_pkcs8(data, jwk):
    """A recovered key, taken only if it is the record's."""
    try:
        private = load_der_private_key(data, None)
        fits = jwk_of(private.public_key()) == jwk
    except (ValueError, TypeError, AttributeError):
        fits = False
    need(fits, "forged", "a key that is not the record's")
    return private


def jwk_of(public):
    if isinstance(public, ed25519.Ed25519PublicKey):
        return {"kty": "OKP", "crv": "Ed25519", "x": b64(public.public_bytes(Encoding.Raw, PublicFormat.Raw))}
    numbers = public.public_numbers()
    if isinstance(public, rsa_keys.RSAPublicKey):
        return rsa.jwk(numbers.n, numbers.e)
    return {"kty": "EC", "crv": "P-256", "x": b64(i2osp(numbers.x, 32)), "y": b64(i2osp(numbers.y, 32))}


def public_of(jwk):
    """A public key from a JWK of exactly the members that its thumbprint has."""
    if jwk.get("kty") == "OKP":
        members(jwk, ("kty", "crv", "x"))
        if jwk["crv"] != "Ed25519":
            raise ValueError("another curve")
        return ed25519.Ed25519PublicKey.from_public_bytes(unb64(jwk["x"], 32))
    if jwk.get("kty") == "EC":
        members(jwk, ("kty", "crv", "x", "y"))
        if jwk["crv"] != "P-256":
            raise ValueError("another curve")
        point = (os2ip(unb64(jwk[name], 32)) for name in ("x", "y"))
        return ec.EllipticCurvePublicNumbers(*point, ec.SECP256R1()).public_key()
    members(jwk, ("kty", "n", "e"))
    if jwk["kty"] != "RSA":
        raise ValueError("another kind of key")
    n = os2ip(unb64(jwk["n"]))
    if not 2048 <= n.bit_length() <= 8192:
        raise ValueError("a modulus of another size")
    return rsa_keys.RSAPublicNumbers(os2ip(unb64(jwk["e"])), n).public_key()


def algs_of(jwk):
    return {"OKP": ("Ed25519",), "EC": ("ES256",), "RSA": rsa.ALGS}[jwk["kty"]]


def digest(alg, message):
    return hashlib.new(rsa.hash_of(alg), message).digest()


def _padding(alg):
    name = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}[alg[2:]]()
    if alg.startswith("RS"):
        return padding.PKCS1v15(), name
    return padding.PSS(padding.MGF1(name), name.digest_size), name


def sign(private, alg, message):
    """A bare signature as JOSE has it."""
    need(alg in algs_of(jwk_of(private.public_key())), "unsupported", "the key has no such alg")
    if alg == "Ed25519":
        return private.sign(message)
    if alg == "ES256":
        r, s = decode_dss_signature(private.sign(message, ec.ECDSA(hashes.SHA256())))
        return i2osp(r, 32) + i2osp(s, 32)
    return private.sign(message, *_padding(alg))


def is_signed(jwk, alg, message, signature):
    try:
        public = public_of(jwk)
        if alg not in algs_of(jwk):
            return False
        if alg == "Ed25519":
            public.verify(signature, message)
        elif alg == "ES256":
            if len(signature) != 64:
                return False
            der = encode_dss_signature(os2ip(signature[:32]), os2ip(signature[32:]))
            public.verify(der, message, ec.ECDSA(hashes.SHA256()))
        else:
            public.verify(signature, message, *_padding(alg))
        return True
    except (InvalidSignature, ValueError):
        return False
