#!/usr/bin/env python3
"""Takes the locks of a load of redrill with pottery's Redlock, as docs/adapters.md says.

    python3 -m venv venv
    venv/bin/pip install -r adapters/pottery/requirements.txt
    redrill run ... --set 'loads.app.client={command: [venv/bin/python, adapters/pottery/adapter.py]}'

It uses the library with its defaults: `Redlock` on a client of redis-py for each server, which it
asks all at once, and which it asks again after up to 0.2 s for as long as it may wait. How long the
lock is valid is what its `locked()` says, which asks the servers once more.
"""

import logging
import pathlib
import sys
from importlib.metadata import version

from pottery import Redlock
from pottery.exceptions import ExtendUnlockedLock, ReleaseUnlockedLock
from redis import Redis

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from threads import serve  # noqa: E402  (it lies beside the folders of the adapters)


def master(order, place):
    if place["mode"] != "standalone":
        raise ValueError(f"Redlock takes independent servers, and {place['group']} is none")
    host, port = place["nodes"][0].rsplit(":", 1)
    seconds = order["timeout_ms"] / 1000
    options = {"socket_timeout": seconds, "socket_connect_timeout": seconds}
    return Redis(host, int(port), password=order.get("password"), **options)


class Locks:
    """One for each session that has one, by its token."""

    def __init__(self, masters):
        self.masters, self.held = masters, {}

    def acquire(self, order):
        lock = Redlock(
            key=order["key"],
            masters=self.masters,
            auto_release_time=order["ttl_ms"] / 1000,
            num_extensions=sys.maxsize,
        )
        wait = order["wait_ms"] / 1000
        if not (lock.acquire(timeout=wait) if wait > 0 else lock.acquire(blocking=False)):
            return {"got": False}
        self.held[order["token"]] = lock
        return {"got": True, "valid_ms": int(lock.locked() * 1000)}

    def extend(self, order):
        lock = self.held.get(order["token"])
        try:
            return lock is not None and lock.extend() is None
        except ExtendUnlockedLock:
            return False

    def release(self, order):
        lock = self.held.pop(order["token"], None)
        try:
            return lock is not None and lock.release() is None
        except ReleaseUnlockedLock:
            return False


def connect(order):
    locks = Locks({master(order, place) for place in order.get("groups", [order])})
    return {"acquire": locks.acquire, "extend": locks.extend, "release": locks.release}


# It logs each error of a server, with its traceback.
logging.disable(logging.CRITICAL)
does = ["acquire", "extend", "release"]
serve("pottery", version("pottery"), does, connect, lambda error: False)
