"""An assistant: docs/protocol.md, sections 3 to 7. One request in, one answer out, in the order of section 4."""

import hmac
import threading

import ed25519
import groups
import jwe
import messages
import rsa
from store import Store
from wire import Fault, b64, i2osp, loads_exactly, members, need, now, os2ip, sha256, unb64, whole

MAX_TICKET = 16 * 1024
MAX_REQUEST = 16 * 1024
WINDOW = 300
SERVED = ("retrieve", "ed25519", "rsa 2048", "rsa 3072", "elgamal P-256", "elgamal ffdhe2048", "elgamal ffdhe3072")


class Assistant:
    def __init__(self, kind="X25519", page_size=1000):
        self.offset = 0
        self.keys = [jwe.AssistantKey.generate(kind)]
        self.store = Store(self.now, lambda: self._record("delayed"))
        self.page_size = page_size
        self.lie = None
        self.published = None
        self.events = []
        self._lock = threading.Lock()

    def now(self):
        return now() + self.offset

    def rotate(self, kind):
        self.keys.insert(0, jwe.AssistantKey.generate(kind))

    def drop(self):
        """Forgets all keys but the active one."""
        del self.keys[1:]

    def listed(self):
        if self.published:
            return self.published(self)
        return {"keys": [key.listed() for key in self.keys]}

    def assist(self, body, address):
        """The body of an answer with status 200; Faults otherwise, sealed where that can be."""
        text, sealed, mac = _parse(body)
        key, ticket = self._open_ticket(text)
        need(hmac.compare_digest(messages.mac(ticket.a, sealed, text), mac), "bad_mac")
        payload = _open_request(sealed, key)
        told = messages.answerable(payload)
        try:
            result = self._answer(payload, ticket, text, sealed, address)
        except Fault as fault:
            self._record(fault.code)
            if told:
                rho, op, jti = told
                hint = {k: v for k, v in fault.members.items() if k in ("attemptsLeft", "retryAt")}
                fault.members["response"] = jwe.seal_answer(
                    rho, {"v": 1, "op": op, "jti": jti, "code": fault.code, "now": self.now(), **hint}
                )
            raise
        self._record(payload["op"])
        rho, op, jti = told
        if key is not self.keys[0] and op not in messages.COMMON:
            renewed = jwe.seal(self.keys[0], messages.TICKET, ticket.payload)
            result["renewed"] = {"ticket": renewed, "key": self.keys[0].listed()}
        whole_answer = {"v": 1, "op": op, "jti": jti, **result}
        if self.lie:
            return self.lie(whole_answer, rho, self)
        return {"response": jwe.seal_answer(rho, whole_answer)}

    def _record(self, event):
        with self._lock:
            self.events.append(event)

    def _open_ticket(self, text):
        try:
            kid = jwe.header_of(text).get("kid")
        except ValueError:
            raise Fault("bad_ticket") from None
        need(isinstance(kid, str), "bad_ticket")
        key = next((key for key in self.keys if key.kid == kid), None)
        need(key is not None, "unknown_key")
        try:
            ticket = messages.Ticket(jwe.open_sealed(text, messages.TICKET, key))
        except (ValueError, TypeError, KeyError):
            raise Fault("bad_ticket") from None
        need(ticket.exp is None or self.now() < ticket.exp, "bad_ticket", "expired")
        size = {"retrieve": "", "ed25519": "", "rsa": f" {getattr(ticket, 'bits', '')}", "elgamal": f" {ticket.payload.get('group')}"}
        need(ticket.scheme + size[ticket.scheme] in SERVED, "unsupported")
        return key, ticket

    def _answer(self, payload, ticket, text, sealed, address):
        th = payload.get("th")
        need(isinstance(th, str) and th.isascii(), "invalid_request")
        need(hmac.compare_digest(th, messages.hash_of_ticket(text)), "bad_mac")
        try:
            own = messages.check_request(payload, ticket)
        except (ValueError, TypeError):
            raise Fault("invalid_request") from None
        need(abs(self.now() - payload["iat"]) <= WINDOW, "stale_request")
        number = self.store.reserve(ticket.id, ticket.u, payload["jti"], payload["iat"], address, payload["op"])
        if not hmac.compare_digest(unb64(payload["beta"]), ticket.b):
            raise self.store.fail(ticket.id, number, address)
        try:
            if payload["op"] == "reissue":
                moved = jwe.seal(self.keys[0], messages.TICKET, ticket.moved(own, self.now()))
                result = {"ticket": moved, "key": {**self.keys[0].jwk, "kid": self.keys[0].kid}}
            else:
                result = _compute(payload, ticket, own, sha256(sealed.encode("ascii")), unb64(th))
        except BaseException:
            self.store.release(ticket.id, number)
            raise
        return {**result, **self.store.settle(ticket.id, number, ticket.u, payload["op"], address)}

    def disable(self, body):
        try:
            request = _compact(members(body, ("request",))["request"], MAX_REQUEST)
            kid = jwe.header_of(request).get("kid")
        except (ValueError, TypeError):
            raise Fault("invalid_request") from None
        key = next((key for key in self.keys if key.kid == kid), None)
        need(key is not None, "unknown_key")
        try:
            opened = loads_exactly(jwe.open_sealed(request, messages.DISABLE, key))
            payload = members(opened, ("v", "t", "rho", "iat"))
            t, rho = unb64(payload["t"], 16), unb64(payload["rho"], 32)
            whole(payload["iat"])
            need(type(payload["v"]) is int and payload["v"] == 1, "invalid_request")
        except (ValueError, TypeError, KeyError):
            raise Fault("invalid_request") from None
        self.store.disable(messages.name_of(t), b64(t))
        self._record("disable")
        answer = {"v": 1, "op": "disable", "disabled": True, "now": self.now()}
        if self.lie:
            return self.lie(answer, rho, self)
        return {"response": jwe.seal_answer(rho, answer)}

    def disabled(self, after):
        need(after is None or (after.isascii() and after.isdigit() and len(after) < 16), "invalid_request")
        start = int(after or 0)
        found = self.store.page(start, self.page_size)
        return {"disabled": found, "next": str(start + len(found))}


def _compact(text, most):
    if not isinstance(text, str) or not text.isascii() or text.count(".") != 4:
        raise ValueError("no compact JWE")
    if len(text) > most:
        raise Fault("invalid_request", "too large", status=413)
    return text


def _parse(body):
    try:
        members(body, ("ticket", "request", "mac"))
        return _compact(body["ticket"], MAX_TICKET), _compact(body["request"], MAX_REQUEST), unb64(body["mac"], 32)
    except (ValueError, TypeError):
        raise Fault("invalid_request") from None


def _open_request(sealed, key):
    try:
        payload = loads_exactly(jwe.open_sealed(sealed, messages.REQUEST, key))
    except (ValueError, TypeError, KeyError):
        raise Fault("invalid_request") from None
    need(isinstance(payload, dict), "invalid_request")
    return payload


def _compute(payload, ticket, own, request_hash, ticket_hash):
    """What the scheme computes; em is built here, and secret exponents are split afresh."""
    op = payload["op"]
    if op == "retire":
        return {"retired": True}
    if op == "retrieve":
        return {"c": b64(ticket.s)}
    if ticket.scheme == "ed25519":
        made = ed25519.answer(ticket.x2, ticket.y, own["message"], own["first"], request_hash, ticket_hash)
        return {name: b64(data) for name, data in zip(("hiding", "binding", "share"), made)}
    if op == "sign":
        em = os2ip(rsa.encode(payload["alg"], own["digest"], own["salt"], ticket.bits))
        return {"nu": b64(i2osp(rsa.power_split(em, ticket.d2, ticket.n), rsa.size_of(ticket.n)))}
    group, w = ticket.group, own["w"]
    nu = groups.power_split(group, w, ticket.x2)
    y2 = groups.power_split(group, group.g, ticket.x2)
    c, s = groups.prove(group, w, y2, nu, ticket.x2)
    return {"nu": b64(group.encode(nu)), "proof": {"c": b64(c), "s": b64(i2osp(s, group.scalar_size))}}
