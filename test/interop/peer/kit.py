"""The disabling kit, and its printable code: docs/protocol.md, section 3."""

from wire import need, os2ip, sha256

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def code_of(t):
    number = os2ip(t + sha256(t)[:2]) << 1
    letters = "".join(ALPHABET[number >> (5 * i) & 31] for i in range(28, -1, -1))
    return "-".join(letters[i : i + 5] for i in range(0, 29, 5))


def secret_of(code):
    letters = code.upper().replace("-", "").replace(" ", "").replace("O", "0").replace("I", "1").replace("L", "1")
    need(len(letters) == 29 and all(c in ALPHABET for c in letters), "bad_kit", "no disabling code")
    number = 0
    for letter in letters:
        number = number << 5 | ALPHABET.index(letter)
    data = (number >> 1).to_bytes(18, "big")
    need(number % 2 == 0 and sha256(data[:16])[:2] == data[16:], "bad_kit", "a code with a slip in it")
    return data[:16]
