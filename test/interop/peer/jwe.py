"""The protocol's own JWEs (docs/protocol.md, section 3), and those that others encrypt to a device (section 5)."""

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hmac, padding
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from groups import group_of_jwk
from wire import Fault, b64, dumps, i2osp, loads, members, os2ip, sha256, unb64

ENC = "A256GCM"
OAEP_SHA256 = OAEP(MGF1(hashes.SHA256()), hashes.SHA256(), None)
ECDH_ES = "ECDH-ES"
RSA_OAEP = "RSA-OAEP-256"


def thumbprint(jwk):
    """RFC 7638, SHA-256."""
    names = {"OKP": ("crv", "kty", "x"), "EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n")}.get(jwk["kty"])
    # RFC 7638 asks for the members that represent the key, in the order of their names.
    names = names or ("group", "kty", "y")
    return b64(sha256(dumps({name: jwk[name] for name in names})))


def concat_kdf(z, name, bits, apu=b"", apv=b""):
    """RFC 7518, section 4.6."""

    def sized(data):
        return i2osp(len(data), 4) + data

    info = sized(name.encode("ascii")) + sized(apu) + sized(apv) + i2osp(bits, 4)
    return ConcatKDFHash(hashes.SHA256(), bits // 8, info).derive(z)


class AssistantKey:
    """One key of an assistant; the private half where it is ours."""

    def __init__(self, private=None, jwk=None):
        self.private = private
        self.jwk = public_jwk(private) if private else jwk
        self.alg = RSA_OAEP if self.jwk["kty"] == "RSA" else ECDH_ES
        self.kid = thumbprint(self.jwk)

    @classmethod
    def generate(cls, kind):
        if kind == "X25519":
            return cls(x25519.X25519PrivateKey.generate())
        if kind == "P-256":
            return cls(ec.generate_private_key(ec.SECP256R1()))
        return cls(rsa.generate_private_key(65537, 2048))

    @classmethod
    def of_listed(cls, listed):
        """A key as `GET keys` lists it."""
        names = (
            ("crv", "x")
            if listed.get("kty") == "OKP"
            else ("crv", "x", "y")
            if listed.get("kty") == "EC"
            else ("n", "e")
        )
        members(listed, ("kty", "kid", *names), ("use", "alg"))
        key = cls(jwk={name: listed[name] for name in ("kty", *names)})
        if listed["kid"] != key.kid or listed.get("use", "enc") != "enc" or listed.get("alg", key.alg) != key.alg:
            raise ValueError("a kid, use or alg that is not the key's")
        key.public()
        return key

    def listed(self):
        return {**self.jwk, "kid": self.kid, "use": "enc", "alg": self.alg}

    def public(self):
        if self.jwk["kty"] == "RSA":
            n, e = os2ip(unb64(self.jwk["n"])), os2ip(unb64(self.jwk["e"]))
            if n.bit_length() < 2048:
                raise ValueError("a short modulus")
            return rsa.RSAPublicNumbers(e, n).public_key()
        return _point(self.jwk)

    def encrypt_key(self):
        """(content key, header members, encrypted key) for a new JWE."""
        if self.alg == RSA_OAEP:
            key = secrets.token_bytes(32)
            return key, {}, self.public().encrypt(key, OAEP_SHA256)
        ephemeral = (
            x25519.X25519PrivateKey.generate() if self.jwk["kty"] == "OKP" else ec.generate_private_key(ec.SECP256R1())
        )
        return concat_kdf(agree(ephemeral, self.public()), ENC, 256), {"epk": public_jwk(ephemeral)}, b""

    def decrypt_key(self, header, encrypted):
        if self.alg == RSA_OAEP:
            return self.private.decrypt(encrypted, OAEP_SHA256)
        if encrypted:
            raise ValueError("an encrypted key")
        epk = header["epk"]
        if not isinstance(epk, dict) or epk.get("kty") != self.jwk["kty"] or epk.get("crv") != self.jwk["crv"]:
            raise ValueError("an ephemeral key of another curve")
        members(epk, self.jwk)
        return concat_kdf(agree(self.private, _point(epk)), ENC, 256)


def public_jwk(private):
    if isinstance(private, x25519.X25519PrivateKey):
        raw = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return {"kty": "OKP", "crv": "X25519", "x": b64(raw)}
    numbers = private.public_key().public_numbers()
    if isinstance(private, rsa.RSAPrivateKey):
        size = (numbers.n.bit_length() + 7) // 8
        return {"kty": "RSA", "n": b64(i2osp(numbers.n, size)), "e": b64(i2osp(numbers.e, 3))}
    return {"kty": "EC", "crv": "P-256", "x": b64(i2osp(numbers.x, 32)), "y": b64(i2osp(numbers.y, 32))}


def _point(jwk):
    if jwk["crv"] == "X25519":
        return x25519.X25519PublicKey.from_public_bytes(unb64(jwk["x"], 32))
    x, y = os2ip(unb64(jwk["x"], 32)), os2ip(unb64(jwk["y"], 32))
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()


def agree(private, public):
    if isinstance(private, x25519.X25519PrivateKey):
        z = private.exchange(public)
        if not any(z):
            raise ValueError("an all-zero shared secret")
        return z
    return private.exchange(ec.ECDH(), public)


def compact(header, encrypted, key, payload, iv=None):
    """The five parts; `header` as the object or as the bytes to send."""
    protected = b64(header if isinstance(header, bytes) else dumps(header))
    iv = secrets.token_bytes(12) if iv is None else iv
    sealed = AESGCM(key).encrypt(iv, payload, protected.encode("ascii"))
    return ".".join((protected, b64(encrypted), b64(iv), b64(sealed[:-16]), b64(sealed[-16:])))


def seal(key, typ, payload):
    """Seals a payload to an assistant's key."""
    try:
        content_key, more, encrypted = key.encrypt_key()
    except ValueError:
        raise Fault("forged", "a key of small order") from None
    header = {"alg": key.alg, "enc": ENC, "typ": typ, "kid": key.kid, **more}
    return compact(header, encrypted, content_key, dumps(payload))


def seal_answer(rho, payload):
    return compact({"alg": "dir", "enc": ENC, "typ": "rk-response+jwe"}, b"", rho, dumps(payload))


def parts_of(jwe):
    parts = jwe.split(".")
    if len(parts) != 5:
        raise ValueError("no compact JWE")
    return parts


def header_of(jwe):
    """The protected header, with no word said about what it means."""
    header = loads(unb64(parts_of(jwe)[0]))
    if not isinstance(header, dict):
        raise ValueError("no header")
    return header


def open_sealed(jwe, typ, key):
    """Opens what `seal` made; the payload's bytes, or ValueError for every fault."""
    header = header_of(jwe)
    names = ("alg", "enc", "typ", "kid") + (("epk",) if key.alg == ECDH_ES else ())
    members(header, names)
    if (header["alg"], header["enc"], header["typ"], header["kid"]) != (key.alg, ENC, typ, key.kid):
        raise ValueError("another alg, enc, typ or kid")
    encrypted = unb64(parts_of(jwe)[1])
    return _decrypt_gcm(jwe, key.decrypt_key(header, encrypted))


def open_answer(jwe, rho):
    header = members(header_of(jwe), ("alg", "enc", "typ"))
    if (header["alg"], header["enc"], header["typ"]) != ("dir", ENC, "rk-response+jwe") or parts_of(jwe)[1]:
        raise ValueError("no answer")
    return _decrypt_gcm(jwe, rho)


def _decrypt_gcm(jwe, key):
    protected, _, iv, text, tag = parts_of(jwe)
    try:
        return AESGCM(key).decrypt(unb64(iv, 12), unb64(text) + unb64(tag, 16), protected.encode("ascii"))
    except InvalidTag:
        raise ValueError("does not open") from None


CONTENT_BITS = {
    "A128GCM": 128,
    "A192GCM": 192,
    "A256GCM": 256,
    "A128CBC-HS256": 256,
    "A192CBC-HS384": 384,
    "A256CBC-HS512": 512,
}
WRAP_BITS = {"ECDH-ES+A128KW": 128, "ECDH-ES+A192KW": 192, "ECDH-ES+A256KW": 256}
FFDH_ES = "RK-FFDH-ES"


def encrypt_to(jwk, plaintext, alg=None, enc=ENC, apu=None, apv=None):
    """Encrypts to the public key of an elgamal record."""
    group, y = group_of_jwk({k: v for k, v in jwk.items() if k in ("kty", "crv", "x", "y", "group")})
    alg = alg or (ECDH_ES if group.name == "P-256" else FFDH_ES)
    r = 1 + secrets.randbelow(group.q - 1)
    header = {"alg": alg, "enc": enc, "epk": group.jwk(group.power(group.g, r))}
    header.update({k: v for k, v in (("apu", apu), ("apv", apv)) if v is not None})
    z = group.shared_secret(group.power(y, r))
    agreed = _key_of(header, z)
    key = secrets.token_bytes(CONTENT_BITS[enc] // 8) if alg in WRAP_BITS else agreed
    encrypted = aes_key_wrap(agreed, key) if alg in WRAP_BITS else b""
    if enc.endswith("GCM"):
        return compact(header, encrypted, key, plaintext)
    protected, iv = b64(dumps(header)), secrets.token_bytes(16)
    padder = padding.PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key[len(key) // 2 :]), modes.CBC(iv)).encryptor()
    text = encryptor.update(padder.update(plaintext) + padder.finalize()) + encryptor.finalize()
    tag = _cbc_tag(key, protected.encode("ascii"), iv, text)
    return ".".join((protected, b64(encrypted), b64(iv), b64(text), b64(tag)))


def ephemeral_of(jwe, group):
    """The w of a JWE to a device, checked: it is what the assistant is asked for help with."""
    header = header_of(jwe)
    allowed = (ECDH_ES, *WRAP_BITS) if group.name == "P-256" else (FFDH_ES,)
    if header.get("alg") not in allowed or header.get("enc") not in CONTENT_BITS or {"zip", "crit"} & set(header):
        raise ValueError("a JWE for somebody else")
    return group.of_jwk(header.get("epk"))


def decrypt_with(jwe, z):
    """Opens a JWE to a device, now that z is known."""
    header = header_of(jwe)
    protected, encrypted, iv, text, tag = parts_of(jwe)
    key = _key_of(header, z)
    try:
        if header["alg"] in WRAP_BITS:
            key = aes_key_unwrap(key, unb64(encrypted))
        elif encrypted:
            raise ValueError("an encrypted key")
        if len(key) * 8 != CONTENT_BITS[header["enc"]]:
            raise ValueError("a content key of another size")
        if header["enc"].endswith("GCM"):
            return _decrypt_gcm(jwe, key)
        iv, text = unb64(iv, 16), unb64(text)
        if _cbc_tag(key, protected.encode("ascii"), iv, text) != unb64(tag):
            raise ValueError("does not open")
        decryptor = Cipher(algorithms.AES(key[len(key) // 2 :]), modes.CBC(iv)).decryptor()
        unpadder = padding.PKCS7(128).unpadder()
        return unpadder.update(decryptor.update(text) + decryptor.finalize()) + unpadder.finalize()
    except (ValueError, InvalidUnwrap):
        raise Fault("does_not_open") from None


def _key_of(header, z):
    wraps = header["alg"] in WRAP_BITS
    name = header["alg"] if wraps else header["enc"]
    bits = WRAP_BITS[name] if wraps else CONTENT_BITS[name]
    return concat_kdf(z, name, bits, unb64(header.get("apu", "")), unb64(header.get("apv", "")))


def _cbc_tag(key, aad, iv, text):
    """RFC 7518, section 5.2.2.1."""
    half = len(key) // 2
    name = {16: hashes.SHA256, 24: hashes.SHA384, 32: hashes.SHA512}[half]
    mac = hmac.HMAC(key[:half], name())
    mac.update(aad + iv + text + i2osp(len(aad) * 8, 8))
    return mac.finalize()[:half]
