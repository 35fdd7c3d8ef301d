"""The disabling kit, and its printable code: docs/protocol.md, section 3."""

import unicodedata
from urllib.parse import urlsplit

from wire import need, os2ip, sha256

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
PORTS = {"https": 443, "http": 80}


def _href(url):
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname.encode("idna").decode()
    port = "" if parts.port in (None, PORTS[parts.scheme]) else f":{parts.port}"
    segments = []
    for segment in parts.path.split("/")[1:]:
        if segment != "..":
            segments += [segment] if segment != "." else []
        elif segments:
            segments.pop()
    return f"{parts.scheme}://{host}{port}/{'/'.join(segments)}".rstrip("/")


def _w(t, url):
    return sha256(b"roaming-key/1 assistant\0" + t + _href(url).encode())[:2]


def _s(t, w):
    return sha256(b"roaming-key/1 code\0" + t + w)[:2]


def code_of(t, url):
    w = _w(t, url)
    number = os2ip(t + w + _s(t, w))
    letters = "".join(ALPHABET[number >> (5 * i) & 31] for i in range(31, -1, -1))
    return "-".join(letters[i : i + 4] for i in range(0, 32, 4))


def _plain(character):
    if unicodedata.category(character) in ("Zs", "Pd", "Cc", "Cf") or character == "\u2212":
        return ""
    if "\uff01" <= character <= "\uff5e":
        character = chr(ord(character) - 0xFEE0)
    if "a" <= character <= "z":
        character = character.upper()
    return {"O": "0", "I": "1", "L": "1"}.get(character, character)


def secret_of(code, url):
    letters = "".join(_plain(c) for c in code)
    need(len(letters) in (29, 32) and all(c in ALPHABET for c in letters), "bad_kit", "no disabling code")
    number = 0
    for letter in letters:
        number = number << 5 | ALPHABET.index(letter)
    if len(letters) == 29:
        data = (number >> 1).to_bytes(18, "big")
        need(number % 2 == 0 and sha256(data[:16])[:2] == data[16:], "bad_kit", "a code with a slip in it")
        return data[:16]
    data = number.to_bytes(20, "big")
    t, w, s = data[:16], data[16:18], data[18:]
    need(s == _s(t, w), "bad_kit", "a code with a slip in it")
    need(w == _w(t, url), "wrong_assistant", "a code for another assistant")
    return t
