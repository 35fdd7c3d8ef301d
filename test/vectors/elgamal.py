"""Computes elgamal.json: section 5's ElGamal answers, written from docs/protocol.md with Python's integers alone.

Run: python3 elgamal.py > elgamal.json
"""
import hashlib
import json

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)


def stream(label, length):
    """Fixed bytes that look random."""
    return hashlib.shake_256(label.encode()).digest(length)


def add(a, b):
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = (3 * a[0] ** 2 - 3) * pow(2 * a[1], -1, P) % P
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P) % P
    x = (slope**2 - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def times(k, point):
    result = None
    for bit in bin(k % N)[2:]:
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


class Curve:
    name, q, length, g = "P-256", N, 32, G
    exp = staticmethod(lambda point, k: times(k, point))
    mul = staticmethod(add)
    encode = staticmethod(lambda a: b"\4" + a[0].to_bytes(32, "big") + a[1].to_bytes(32, "big"))
    secret = staticmethod(lambda a: a[0].to_bytes(32, "big"))


class Field:
    """RFC 7919: p = 2^b - 2^(b-64) + (floor(2^(b-130) e) + X) 2^64 - 1."""

    def __init__(self, bits, x):
        extra = 256
        term = total = 1 << (bits - 130 + extra)
        k = 1
        while term:
            term //= k
            total += term
            k += 1
        self.p = (1 << bits) - (1 << (bits - 64)) + (((total >> extra) + x) << 64) - 1
        self.name, self.q, self.length, self.g = f"ffdhe{bits}", (self.p - 1) // 2, bits // 8, 2

    def exp(self, a, k):
        return pow(a, k % self.q, self.p)

    def mul(self, a, b):
        return a * b % self.p

    def encode(self, a):
        return a.to_bytes(self.length, "big")

    secret = encode


def answer(group):
    width = group.length
    x = int.from_bytes(stream(group.name + " x", width + 16), "big") % group.q
    f = stream(group.name + " f", width + 16)
    x1 = int.from_bytes(f, "big") % group.q
    x2 = (x - x1) % group.q
    k = int.from_bytes(stream(group.name + " k", width + 16), "big") % group.q
    seed = stream(group.name + " r", width + 16)
    r = int.from_bytes(seed, "big") % group.q
    y, w = group.exp(group.g, x), group.exp(group.g, k)
    y2, nu = group.exp(group.g, x2), group.exp(w, x2)
    elements = [group.g, w, y2, nu, group.exp(group.g, r), group.exp(w, r)]
    bound = b"roaming-key/1 dleq\0" + group.name.encode() + b"\0" + b"".join(map(group.encode, elements))
    c = hashlib.sha256(bound).digest()
    s = (r + int.from_bytes(c, "big") * x2) % group.q
    mu = group.mul(nu, group.exp(w, x1))
    assert mu == group.exp(w, x) == group.exp(y, k)
    members = {
        "x": x.to_bytes(width, "big"),
        "f": f,
        "x2": x2.to_bytes(width, "big"),
        "y": group.encode(y),
        "w": group.encode(w),
        "seed": seed,
        "y2": group.encode(y2),
        "nu": group.encode(nu),
        "c": c,
        "s": s.to_bytes(width, "big"),
        "z": group.secret(mu),
    }
    return {"group": group.name, **{name: value.hex() for name, value in members.items()}}


groups = [Curve, Field(2048, 560316), Field(3072, 2625351), Field(4096, 5736041)]
about = "made by elgamal.py beside this file; bytes are hex; seed: the nonce's len(q) + 16 random bytes"
print(json.dumps({"about": about, "answers": [answer(group) for group in groups]}, indent=1))
