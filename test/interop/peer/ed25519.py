"""The group of Ed25519 and FROST for signers 1 and 2: docs/protocol.md, sections 3 and 5, RFC 8032 and RFC 9591."""

import hashlib
import secrets

from wire import i2osp, need, os2ip

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT = pow(2, (P - 1) // 4, P)
IDENTITY = (0, 1)
MAX_MESSAGE = 8192
SHARE = 48


def _x_of(y, sign):
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * ROOT % P
    if x * x % P != square or (x == 0 and sign):
        raise ValueError("no such point")
    return P - x if x % 2 != sign else x


B = (_x_of(4 * pow(5, -1, P) % P, 0), 4 * pow(5, -1, P) % P)


def add(one, other):
    (x1, y1), (x2, y2) = one, other
    product = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + product, -1, P) % P
    y = (y1 * y2 + x1 * x2) * pow(1 - product, -1, P) % P
    return x, y


def negative(point):
    return -point[0] % P, point[1]


def times(scalar, point):
    result = IDENTITY
    for bit in bin(scalar)[2:]:
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


def encode(point):
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def decode(data):
    """An element of prime order, canonically encoded; the identity is none."""
    if len(data) != 32:
        raise ValueError("an element of another size")
    number = int.from_bytes(data, "little")
    y, sign = number & (2**255 - 1), number >> 255
    if y >= P:
        raise ValueError("an element that is not canonical")
    point = _x_of(y, sign), y
    if point == IDENTITY or times(L, point) != IDENTITY:
        raise ValueError("not of prime order")
    return point


def scalar(number):
    return (number % L).to_bytes(32, "little")


def _hash(*parts):
    return hashlib.sha512(b"".join(parts)).digest()


def _number(data):
    return int.from_bytes(data, "little") % L


CONTEXT = b"FROST-ED25519-SHA512-v1"


def secret_of(seed):
    """x, as RFC 8032 derives it."""
    half = bytearray(_hash(seed)[:32])
    half[0] &= 248
    half[31] = half[31] & 127 | 64
    return int.from_bytes(half, "little") % L


def device_share(f):
    return os2ip(f(SHARE)) % L


def split(seed, f):
    """The ticket's members for a key of this seed, and A."""
    x = secret_of(seed)
    public = encode(times(x, B))
    return {"x2": i2osp((x - device_share(f)) % L, 32), "y": public}, public


def nonces(secret, drawn, *hedge):
    """Hiding and binding, from 64 drawn bytes and what tells this request from all others."""
    both = _hash(b"roaming-key/1 nonce\0", drawn, *hedge)
    return [_number(_hash(CONTEXT, b"nonce", half, scalar(secret))) for half in (both[:32], both[32:])]


def commitments(of):
    return [encode(times(nonce, B)) for nonce in of]


def context(public, message, first, second):
    """Binding factors of both signers, R, and the challenge."""
    listed = b"".join(scalar(i) + b"".join(pair) for i, pair in ((1, first), (2, second)))
    prefix = public + _hash(CONTEXT, b"msg", message) + _hash(CONTEXT, b"com", listed)
    factors = [_number(_hash(CONTEXT, b"rho", prefix, scalar(i))) for i in (1, 2)]
    parts = [add(decode(d), times(rho, decode(e))) for rho, (d, e) in zip(factors, (first, second))]
    r = encode(add(*parts))
    return factors, parts, r, _number(_hash(r, public, message))


def answer(x2, public, message, first, sealed_hash, ticket_hash):
    """The assistant's commitments and share: it is signer 2, with secret -x2 and coefficient -1."""
    secret = -x2 % L
    own = nonces(secret, secrets.token_bytes(64), sealed_hash, ticket_hash)
    second = commitments(own)
    factors, _, _, challenge = context(public, message, first, second)
    return (*second, scalar(own[0] + own[1] * factors[1] + x2 * challenge))


class Signing:
    """One request of the device's, signer 1 with secret x1/2 and coefficient 2."""

    def __init__(self, f, message):
        self.x1, self.message = device_share(f), message
        half = self.x1 * pow(2, -1, L) % L
        hedge = hashlib.sha256(message).digest(), secrets.token_bytes(16)
        self._nonces = nonces(half, secrets.token_bytes(64), *hedge)
        self.first = commitments(self._nonces)

    def complete(self, public, hiding, binding, share):
        z2 = int.from_bytes(share, "little")
        a = decode(public)
        try:
            need(z2 < L, "forged", "a share beyond the order")
            factors, parts, r, challenge = context(public, self.message, self.first, [hiding, binding])
        except ValueError as error:
            need(False, "forged", str(error))
        # z2 B = D2 + rho2 E2 - c (-(A - x1 B))
        theirs = add(a, negative(times(self.x1, B)))
        need(times(z2, B) == add(parts[1], times(challenge, theirs)), "forged", "a wrong share")
        z1 = self._nonces[0] + self._nonces[1] * factors[0] + self.x1 * challenge
        z = (z1 + z2) % L
        need(times(z, B) == add(add(*parts), times(challenge, a)), "forged", "no signature")
        return r + scalar(z)
