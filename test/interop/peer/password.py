"""From password to secrets: docs/protocol.md, section 2."""

import unicodedata
from functools import lru_cache

from argon2.low_level import Type, hash_secret_raw
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from wire import Fault, need

LABEL = b"roaming-key/1 "


def opaque_string(password):
    need(isinstance(password, str) and password != "", "bad_password", "empty")
    spaced = "".join(" " if unicodedata.category(c) == "Zs" else c for c in password)
    try:
        data = unicodedata.normalize("NFC", spaced).encode("utf-8")
    except UnicodeEncodeError:
        raise Fault("bad_password", "half a surrogate pair") from None
    need(len(data) <= 1024, "bad_password", "too long")
    need(all(unicodedata.category(c) != "Cc" for c in password), "bad_password", "a control character")
    return data


def check_kdf(kdf):
    need(isinstance(kdf, dict) and set(kdf) == {"name", "t", "m", "p"}, "bad_record", "kdf")
    t, m, p = kdf["t"], kdf["m"], kdf["p"]
    need(kdf["name"] == "argon2id" and all(type(x) is int and x > 0 for x in (t, m, p)), "bad_record", "kdf")
    need(m >= 19456 and t * m >= 38912, "bad_record", "kdf below the floor")
    need(m <= 2**20 and t <= 64 and p <= 16 and t * m <= 2**22, "bad_record", "kdf above the ceiling")


@lru_cache(maxsize=100)
def stretch(pw, salt, t, m, p):
    """K. It is kept, as no device should, since tests ask for the same one again and again."""
    return hash_secret_raw(pw, salt, t, m, p, 32, Type.ID, 0x13)


def expand(key, label, size):
    return HKDFExpand(hashes.SHA256(), size, LABEL + label).derive(key)


class Secrets:
    """K of one password and record; `beta`, and `f(scheme, length)`."""

    def __init__(self, password, salt, kdf):
        check_kdf(kdf)
        self._key = stretch(opaque_string(password), salt, kdf["t"], kdf["m"], kdf["p"])
        self.beta = expand(self._key, b"verifier", 32)

    def f(self, scheme, size):
        return expand(self._key, scheme.encode("ascii") + b" share", size)
