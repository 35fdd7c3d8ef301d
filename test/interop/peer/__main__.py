"""python3 -B test/interop/peer device | assistant | cases

`device` answers one command a line on stdin with one line on stdout, all JSON. `assistant` serves on a free port of
127.0.0.1, says where, and then takes commands in the same way. `cases` lists the attacks that `device` knows."""

import json
import sys
import threading
import traceback

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

import assault
import device
import forgery
import groups
import jwe
import keys
import kit
import login_attacks
import messages
from assistant import Assistant
from lies import KEY_LISTS, LIES
from password import expand, opaque_string, stretch
from proofs import RelyingParty
from server import Server
from wire import Fault, b64, need, unb64


def _enroll(assistant, password, **options):
    made = device.enroll(assistant, password, **options)
    return {name: made[name] for name in ("record", "kit", "code")}


def _with_device(use):
    def command(record, password, assistant=None, clock=0, **options):
        at_hand = device.Device(record, password, assistant, clock)
        result = use(at_hand, **options)
        return {**(result or {}), **at_hand.told, "record": at_hand.record}

    return command


def _disable(assistant=None, code=None, **kit_members):
    if code is None:
        need(kit_members.get("version") == 1 and set(kit_members) == {"version", "t"}, "bad_kit")
        device.disable(assistant["url"], unb64(kit_members["t"], 16))
    else:
        device.disable(assistant, kit.secret_of(code, assistant))


def _derive(password, salt, t, m, p, scheme, size):
    key = stretch(opaque_string(password), bytes.fromhex(salt), t, m, p)
    return {
        "K": key.hex(),
        "verifier": expand(key, b"verifier", 32).hex(),
        "f": expand(key, scheme.encode("ascii") + b" share", size).hex(),
    }


def _open_ticket(text, private):
    """What a ticket holds, for who has the assistant's private X25519 key."""
    key = jwe.AssistantKey(X25519PrivateKey.from_private_bytes(unb64(private, 32)))
    ticket = messages.Ticket(jwe.open_sealed(text, messages.TICKET, key))
    return {"id": ticket.id.hex(), "payload": ticket.payload}


DEVICE = {
    "enroll": _enroll,
    "unlock": _with_device(lambda d: {"pkcs8": b64(keys.pkcs8(d.unlock()))}),
    "sign": _with_device(lambda d, alg, message: {"signature": b64(d.sign(alg, unb64(message)))}),
    "decrypt": _with_device(lambda d, jwe: {"plaintext": b64(d.decrypt(jwe))}),
    "retire": _with_device(lambda d: d.retire()),
    "change-password": _with_device(lambda d, newPassword: d.change_password(newPassword)),
    "visit": _with_device(lambda d, **options: d.visit(**options)),
    "prove": _with_device(lambda d, **options: {"proof": d.prove(**options)}),
    "attack-login": _with_device(login_attacks.attack_login),
    "disable": _disable,
    "feed": lambda assistant: device.feed(assistant),
    "encrypt": lambda jwk, plaintext, **options: {"jwe": jwe.encrypt_to(jwk, unb64(plaintext), **options)},
    "verify": lambda jwk, alg, message, signature: {
        "valid": keys.is_signed(jwk, alg, unb64(message), unb64(signature))
    },
    "code": lambda t, url: {"code": kit.code_of(bytes.fromhex(t), url)},
    "derive": _derive,
    "open-ticket": _open_ticket,
    "primes": lambda name: {"p": hex(groups.group_named(name).p)},
    "assault": assault.assault,
    "guess": forgery.guess,
}


def _assistant_commands(server):
    here = server.assistant

    def lie(name=None):
        here.lie = LIES[name] if name else None

    def publish(name=None):
        here.published = KEY_LISTS[name] if name else None

    def shift(seconds):
        here.offset = seconds

    def limit(ids):
        here.store.new_ids = ids

    def count(event):
        return {"count": here.events.count(event)}

    return {
        "lie": lie,
        "publish": publish,
        "rotate": lambda kind="X25519": here.rotate(kind),
        "drop": here.drop,
        "clock": shift,
        "limit": limit,
        "count": count,
    }


def _obey(commands):
    """One command a line, one answer a line, in order."""
    for line in sys.stdin:
        try:
            given = json.loads(line)
            result = commands[given.pop("do")](**given)
            answer = {"ok": result or {}}
        except Fault as fault:
            answer = {"fault": {"code": fault.code, "message": fault.message, **fault.members}}
        except Exception:
            answer = {"crash": traceback.format_exc()}
        print(json.dumps(answer), flush=True)


def main(role, kind="X25519"):
    if role == "cases":
        kinds = ("X25519", "P-256", "RSA-OAEP-256")
        print(
            json.dumps(
                {
                    "assaults": {kind: assault.names(kind) for kind in kinds},
                    "lies": list(LIES),
                    "keyLists": list(KEY_LISTS),
                }
            )
        )
    elif role == "device":
        _obey(DEVICE)
    elif role == "assistant":
        server = Server(0, Assistant(kind), RelyingParty)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(json.dumps({"listening": server.url}), flush=True)
        _obey(_assistant_commands(server))
    else:
        sys.exit(__doc__)


main(*sys.argv[1:] or [""])
