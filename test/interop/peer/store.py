"""What an assistant remembers, in memory, and its guess policy: docs/protocol.md, section 7."""

import itertools
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field

from wire import Fault

FREE = 5
TOTAL = 100
WINDOW = 30 * 86400
DAY = 86400
CRASHED = 60
SEEN = 900


@dataclass
class Entry:
    """Of one id: failures since the last success, those in the window, when the last was; open reservations."""

    failures: int = 0
    recent: list = field(default_factory=list)
    last: int = None
    open: dict = field(default_factory=dict)
    retired: bool = False
    used: int = None
    reissues: list = field(default_factory=list)

    def fail(self, at):
        self.failures += 1
        self.recent.append(at)
        self.last = max(at, self.last or 0)


def wait_until(entry):
    return entry.last + min(DAY, 30 * 2 ** (entry.failures - FREE)) if entry.failures >= FREE else 0


def judge(entry, at):
    """None where a guess is allowed, else a Fault."""
    if entry.failures + len(entry.open) >= TOTAL or len(entry.recent) + len(entry.open) >= TOTAL:
        stopped = max(entry.failures, len(entry.recent)) >= TOTAL
        return Fault("locked", attemptsLeft=0) if stopped else Fault("busy", retryAt=at + 1)
    if entry.failures < FREE:
        return Fault("busy", retryAt=at + 1) if entry.failures + len(entry.open) >= FREE else None
    if at < wait_until(entry):
        return Fault("locked", attemptsLeft=0, retryAt=wait_until(entry))
    return Fault("busy", retryAt=at + 1) if entry.open else None


class Store:
    def __init__(self, clock, new_ids_per_hour=300):
        self._clock, self._new_ids = clock, new_ids_per_hour
        self._lock = threading.Lock()
        self._entries, self._seen, self._created = {}, {}, {}
        self._numbers = itertools.count()
        self.disabled = {}

    @contextmanager
    def _at(self, id):
        with self._lock:
            at = self._clock()
            entry = self._entries.get(id) or Entry()
            for number, since in list(entry.open.items()):
                if at >= since + CRASHED:
                    del entry.open[number]
                    entry.fail(since + CRASHED)
            entry.recent = [then for then in entry.recent if then > at - WINDOW]
            yield entry, at
            if entry != Entry():
                self._entries[id] = entry
            else:
                self._entries.pop(id, None)

    def reserve(self, id, u, jti, iat, address):
        """A number for `settle`, `fail` or `release`; or a Fault, and nothing is counted."""
        with self._at(id) as (entry, at):
            is_new = id not in self._entries
            replayed = self._mark_seen(id, jti, iat, at)
            if u in self.disabled:
                raise Fault("disabled")
            if entry.retired:
                raise Fault("retired")
            if replayed:
                raise Fault("replayed")
            refused = judge(entry, at) or (is_new and self._judge_address(address, at)) or None
            if refused:
                raise refused
            number = next(self._numbers)
            entry.open[number] = at
            return number

    def _mark_seen(self, id, jti, iat, at):
        self._seen = {key: until for key, until in self._seen.items() if until >= at}
        replayed = (id, jti) in self._seen
        self._seen.setdefault((id, jti), iat + SEEN)
        return replayed

    def _judge_address(self, address, at):
        recent = [then for then in self._created.get(address, []) if then > at - 3600]
        self._created[address] = recent
        return Fault("busy", retryAt=recent[0] + 3600) if len(recent) >= self._new_ids else None

    def fail(self, id, number, address):
        """The reservation becomes a failure: the Fault to answer with."""
        with self._at(id) as (entry, at):
            if number in entry.open:
                if not entry.failures and not entry.recent:
                    self._created.setdefault(address, []).append(at)
                del entry.open[number]
                entry.fail(at)
            until = wait_until(entry)
            told = {"attemptsLeft": max(0, FREE - entry.failures - len(entry.open))}
            return Fault("wrong_password", **told, **({"retryAt": until} if until else {}))

    def release(self, id, number):
        with self._at(id) as (entry, _):
            entry.open.pop(number, None)

    def settle(self, id, number, u, op):
        """What is told besides the result: the state before this success."""
        with self._at(id) as (entry, at):
            entry.open.pop(number, None)
            if u in self.disabled:
                raise Fault("disabled")
            if entry.retired:
                raise Fault("retired")
            since = {"count": entry.failures, "last": entry.last if entry.failures else None}
            told = {"failedSince": since, "lastUsed": entry.used}
            if entry.reissues:
                told["reissues"] = {"count": len(entry.reissues), "last": entry.reissues[-1]}
            entry.failures, entry.used, entry.retired = 0, at, op == "retire"
            entry.reissues += [at] if op == "reissue" else []
            return told

    def disable(self, u, t):
        with self._lock:
            self.disabled.setdefault(u, t)

    def page(self, after, size):
        with self._lock:
            return list(self.disabled.values())[after : after + size]
