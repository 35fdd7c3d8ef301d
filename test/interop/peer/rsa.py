"""RSA keys, encodings and halves of signatures: docs/protocol.md, sections 3 and 5, rsa; RFC 8017."""

import hashlib
import secrets

from wire import b64, i2osp, need, os2ip

HASHES = {"256": "sha256", "384": "sha384", "512": "sha512"}
# RFC 8017, 9.2, note 1
DIGEST_INFO = {
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
}
ALGS = tuple(family + size for family in ("PS", "RS") for size in HASHES)


def hash_of(alg):
    return HASHES[alg[2:]]


def digest_size(alg):
    return hashlib.new(hash_of(alg)).digest_size


def encode(alg, digest, salt, bits):
    """EMSA-PSS or EMSA-PKCS1-v1_5 of a digest, as long as the modulus."""
    return _pss(hash_of(alg), digest, salt, bits) if alg.startswith("PS") else _pkcs1(hash_of(alg), digest, bits)


def _pkcs1(name, digest, bits):
    end = b"\0" + DIGEST_INFO[name] + digest
    size = (bits + 7) // 8
    return b"\0\x01" + b"\xff" * (size - 2 - len(end)) + end


def _pss(name, digest, salt, bits):
    size = (bits - 1 + 7) // 8
    h = hashlib.new(name, bytes(8) + digest + salt).digest()
    block = bytes(size - len(salt) - len(h) - 2) + b"\x01" + salt
    masked = bytearray(x ^ y for x, y in zip(block, _mgf1(name, h, len(block))))
    masked[0] &= 0xFF >> (8 * size - (bits - 1))
    return (bytes(masked) + h + b"\xbc").rjust((bits + 7) // 8, b"\0")


def _mgf1(name, seed, size):
    out = b""
    counter = 0
    while len(out) < size:
        out += hashlib.new(name, seed + i2osp(counter, 4)).digest()
        counter += 1
    return out[:size]


def check_private(numbers):
    """Two primes, e odd and at least 65537, N = pq, ed = 1 modulo p-1 and q-1."""
    p, q, d = numbers.p, numbers.q, numbers.d
    n, e = numbers.public_numbers.n, numbers.public_numbers.e
    need(e % 2 == 1 and e >= 65537 and p != q and p * q == n, "bad_key")
    need(e * d % (p - 1) == 1 and e * d % (q - 1) == 1, "bad_key")


def split(numbers, f):
    """d2, for d1 = OS2IP(f(len(N) + 16))."""
    check_private(numbers)
    d1 = os2ip(f(size_of(numbers.public_numbers.n) + 16))
    return (numbers.d - d1) % ((numbers.p - 1) * (numbers.q - 1))


def size_of(n):
    return (n.bit_length() + 7) // 8


def power_split(base, secret, n):
    """base^secret mod n, the exponent split afresh at each call."""
    part = secrets.randbelow(secret)
    return pow(base, part, n) * pow(base, secret - part, n) % n


def jwk(n, e):
    return {"kty": "RSA", "n": b64(i2osp(n, size_of(n))), "e": b64(i2osp(e, (e.bit_length() + 7) // 8))}
