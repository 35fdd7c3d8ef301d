"""What an assistant remembers, in memory, and its guess policy: docs/protocol.md, section 7."""

import itertools
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field

from wire import Fault

FREE = 5
TOTAL = 100
WINDOW = 30 * 86400
DAY = 86400
CRASHED = 60
SEEN = 900
KNOWN = 90 * DAY
PATIENCE = 30


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


class SlowLane:
    """Of each address one passes in a second, in order. So no more than 30 wait where none waits longer than 30 s."""

    def __init__(self):
        self._lock, self._next = threading.Lock(), {}

    def wait(self, address):
        with self._lock:
            here = time.monotonic()
            turn = max(here, self._next.get(address, here))
            if turn - here >= PATIENCE:
                return False
            self._next[address] = turn + 1
        time.sleep(turn - here)
        return True


class Store:
    def __init__(self, clock, on_delay, new_ids_per_hour=300):
        self._clock, self._on_delay, self.new_ids = clock, on_delay, new_ids_per_hour
        self._lane = SlowLane()
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
            if entry.used is not None and at >= entry.used + KNOWN:
                entry.used = None
            yield entry, at
            if entry != Entry():
                self._entries[id] = entry
            else:
                self._entries.pop(id, None)

    def reserve(self, id, u, jti, iat, address, op):
        """A number for `settle`, `fail` or `release`; or a Fault, and nothing is counted."""
        number = self._reserve(id, u, jti, iat, address)
        if number is None:
            # What leaves a mark for good never goes beyond the budget.
            if op in ("retire", "reissue"):
                raise Fault("busy", retryAt=self._clock() + 60)
            self._on_delay()
            if not self._lane.wait(address):
                raise Fault("busy", retryAt=self._clock() + 1)
            number = self._reserve(id, u, jti, iat, None)
        return number

    def _reserve(self, id, u, jti, iat, address):
        """None, and nothing is written, where the id is not known and the address has made too many of those."""
        with self._at(id) as (entry, at):
            replayed = self._is_seen(id, jti, at)
            if u in self.disabled:
                raise Fault("disabled")
            if entry.retired:
                raise Fault("retired")
            if replayed:
                raise Fault("replayed")
            if entry == Entry() and not self._has_room(address, at):
                return None
            self._seen[id, jti] = iat + SEEN
            refused = judge(entry, at)
            if refused:
                raise refused
            number = next(self._numbers)
            entry.open[number] = at
            return number

    def _is_seen(self, id, jti, at):
        self._seen = {key: until for key, until in self._seen.items() if until >= at}
        return (id, jti) in self._seen

    def _has_room(self, address, at):
        recent = [then for then in self._created.get(address, []) if then > at - 3600]
        self._created[address] = recent
        return len(recent) < self.new_ids

    def _spend(self, address, at):
        self._created.setdefault(address, []).append(at)

    def fail(self, id, number, address):
        """The reservation becomes a failure: the Fault to answer with."""
        with self._at(id) as (entry, at):
            if number in entry.open:
                if not entry.failures and not entry.recent:
                    self._spend(address, at)
                del entry.open[number]
                entry.fail(at)
            until = wait_until(entry)
            told = {"attemptsLeft": max(0, FREE - entry.failures - len(entry.open))}
            return Fault("wrong_password", **told, **({"retryAt": until} if until else {}))

    def release(self, id, number):
        with self._at(id) as (entry, _):
            entry.open.pop(number, None)

    def settle(self, id, number, u, op, address):
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
            # A success makes its id known, while the address may make more of those.
            is_known = op != "retire" and (entry.used is not None or self._has_room(address, at))
            is_first = entry.used is None and not entry.failures and not entry.recent
            if (is_known and is_first) or op == "retire" or (op == "reissue" and not entry.reissues):
                self._spend(address, at)
            entry.failures, entry.retired = 0, op == "retire"
            entry.used = at if is_known else entry.used
            entry.reissues += [at] if op == "reissue" else []
            return told

    def disable(self, u, t):
        with self._lock:
            self.disabled.setdefault(u, t)

    def page(self, after, size):
        with self._lock:
            return list(self.disabled.values())[after : after + size]
