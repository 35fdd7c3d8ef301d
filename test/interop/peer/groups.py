"""P-256 and the groups of RFC 7919, and proofs that two logarithms are equal: docs/protocol.md, section 5, elgamal."""

import secrets
from functools import lru_cache

from wire import b64, i2osp, members, os2ip, sha256, unb64


class P256:
    name = "P-256"
    p = 2**256 - 2**224 + 2**192 + 2**96 - 1
    b = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
    q = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    g = (
        0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
        0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
    )
    element_size = 65
    scalar_size = 32

    def is_element(self, point):
        if point is None:
            return False
        x, y = point
        return 0 <= x < self.p and 0 <= y < self.p and (y * y - (x * x * x - 3 * x + self.b)) % self.p == 0

    def decode(self, data):
        if len(data) != 65 or data[0] != 4:
            raise ValueError("no uncompressed point")
        point = os2ip(data[1:33]), os2ip(data[33:])
        if not self.is_element(point):
            raise ValueError("not on the curve")
        return point

    def encode(self, point):
        return b"\x04" + i2osp(point[0], 32) + i2osp(point[1], 32)

    def times(self, one, other):
        """The group operation, written as multiplication; None is the identity."""
        if one is None or other is None:
            return one or other
        p, (x1, y1), (x2, y2) = self.p, one, other
        if x1 == x2:
            if (y1 + y2) % p == 0:
                return None
            slope = (3 * x1 * x1 - 3) * pow(2 * y1, -1, p) % p
        else:
            slope = (y2 - y1) * pow(x2 - x1, -1, p) % p
        x3 = (slope * slope - x1 - x2) % p
        return x3, (slope * (x1 - x3) - y1) % p

    def inverse(self, point):
        return point and (point[0], -point[1] % self.p)

    def power(self, point, exponent):
        result = None
        for bit in bin(exponent % self.q)[2:]:
            result = self.times(result, result)
            if bit == "1":
                result = self.times(result, point)
        return result

    def shared_secret(self, point):
        return i2osp(point[0], 32)

    def jwk(self, point):
        return {"kty": "EC", "crv": "P-256", "x": b64(i2osp(point[0], 32)), "y": b64(i2osp(point[1], 32))}

    def of_jwk(self, jwk):
        members(jwk, ("kty", "crv", "x", "y"))
        if jwk["kty"] != "EC" or jwk["crv"] != "P-256":
            raise ValueError("another curve")
        return self.decode(b"\x04" + unb64(jwk["x"], 32) + unb64(jwk["y"], 32))


class Ffdhe:
    g = 2

    def __init__(self, bits, offset):
        self.name = f"ffdhe{bits}"
        # RFC 7919, appendix A: p = 2^b - 2^(b-64) + (floor(2^(b-130) e) + X) 2^64 - 1
        self.p = 2**bits - 2 ** (bits - 64) + ((_e(bits - 130) + offset) << 64) - 1
        self.q = (self.p - 1) // 2
        self.element_size = self.scalar_size = bits // 8

    def is_element(self, x):
        return 1 < x < self.p - 1 and _jacobi(x, self.p) == 1

    def decode(self, data):
        if len(data) != self.element_size or not self.is_element(os2ip(data)):
            raise ValueError("not in the subgroup")
        return os2ip(data)

    def encode(self, x):
        return i2osp(x, self.element_size)

    def times(self, one, other):
        return one * other % self.p

    def inverse(self, x):
        return pow(x, -1, self.p)

    def power(self, x, exponent):
        return pow(x, exponent % self.q, self.p)

    shared_secret = encode

    def jwk(self, x):
        return {"kty": "DH", "group": self.name, "y": b64(self.encode(x))}

    def of_jwk(self, jwk):
        members(jwk, ("kty", "group", "y"))
        if jwk["kty"] != "DH" or jwk["group"] != self.name:
            raise ValueError("another group")
        return self.decode(unb64(jwk["y"]))


def _e(bits):
    """floor(2^bits e), by the series of 1/k!."""
    guard = 64
    total, term, k = 0, 1 << (bits + guard), 1
    while term:
        total += term
        term //= k
        k += 1
    return total >> guard


def _jacobi(a, n):
    a, sign = a % n, 1
    while a:
        while a % 2 == 0:
            a //= 2
            if n % 8 in (3, 5):
                sign = -sign
        a, n = n, a
        if a % 4 == 3 and n % 4 == 3:
            sign = -sign
        a %= n
    return sign if n == 1 else 0


def group_named(name):
    if not isinstance(name, str):
        raise ValueError("no such group")
    return _make(name)


@lru_cache
def _make(name):
    made = {
        "P-256": P256,
        "ffdhe2048": lambda: Ffdhe(2048, 560316),
        "ffdhe3072": lambda: Ffdhe(3072, 2625351),
        "ffdhe4096": lambda: Ffdhe(4096, 5736041),
    }
    if name not in made:
        raise ValueError("no such group")
    return made[name]()


def group_of_jwk(jwk):
    group = group_named(jwk.get("crv") if jwk.get("kty") == "EC" else jwk.get("group"))
    return group, group.of_jwk(jwk)


def power_split(group, base, secret):
    """base^secret, the exponent split afresh, so that its time tells nothing of one exponent."""
    part = secrets.randbelow(group.q)
    return group.times(group.power(base, part), group.power(base, secret - part))


def _challenge(group, *elements):
    encoded = b"".join(group.encode(e) for e in elements)
    return sha256(b"roaming-key/1 dleq\0", group.name.encode("ascii"), b"\0", encoded)


def prove(group, w, y2, nu, x2):
    r = os2ip(secrets.token_bytes(group.scalar_size + 16)) % group.q
    c = _challenge(group, group.g, w, y2, nu, group.power(group.g, r), group.power(w, r))
    return c, (r + os2ip(c) * x2) % group.q


def is_proven(group, w, y2, nu, c, s):
    """g^s = A y2^c and w^s = B nu^c give back A and B, and these the challenge."""
    power = os2ip(c)
    a = group.times(group.power(group.g, s), group.inverse(group.power(y2, power)))
    b = group.times(group.power(w, s), group.inverse(group.power(nu, power)))
    return group.is_element(a) and group.is_element(b) and _challenge(group, group.g, w, y2, nu, a, b) == c
