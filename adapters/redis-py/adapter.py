#!/usr/bin/env python3
"""Carries out a load of redrill with redis-py, as docs/adapters.md says.

    python3 -m venv venv
    venv/bin/pip install -r adapters/redis-py/requirements.txt
    redrill run primary-kill --set \
        'loads.app.client={command: [venv/bin/python, adapters/redis-py/adapter.py]}'

It uses the library as a web application mostly does: the synchronous client, shared by as many
threads as the load has clients, with the library's own defaults but for the time-out, which is
the load's. An order that waits longer than that for a thread fails. `RedisCluster` for a cluster, `Sentinel` for a group with sentinels, `Redis` for others.

redis-py sends a command again after an error, ten times by default. So an error says nothing
about earlier attempts: it is `unknown`. And what ended well may have been done twice, so by
default only those orders are offered that may be. `--retries 0` turns that off.
"""

import argparse
import functools
import pathlib
import sys
import time

import redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import LockError
from redis.lock import Lock
from redis.retry import Retry
from redis.sentinel import Sentinel

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from threads import serve  # noqa: E402  (it lies beside the folders of the adapters)

CAS = """
local found = redis.call('GET', KEYS[1])
local prefix = found and string.sub(found, 1, string.len(ARGV[1]))
if (ARGV[1] == '' and not found) or (ARGV[1] ~= '' and prefix == ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[2])
  return {1}
end
return {0, found}
"""


def get(client, order):
    return client.get(order["key"])


def set_(client, order):
    client.set(order["key"], order["value"])


def cas(client, order):
    reply = client.eval(CAS, 1, order["key"], order["expect"] or "", order["value"])
    return True if reply[0] == 1 else {"found": reply[1] if len(reply) > 1 else None}


def incr(client, order):
    return client.incr(order["key"])


def add(client, order):
    client.sadd(order["key"], order["value"])


def push(client, order):
    client.lpush(order["key"], order["value"])


def pop(client, order):
    return client.rpop(order["key"])


class Timed(Lock):
    """How long a lock is valid the library does not tell: for its time-out from the last try on."""

    asked = 0.0

    def do_acquire(self, token):
        self.asked = time.monotonic()
        return super().do_acquire(token)


class Locks:
    """The library's `Lock`: one for each session that has one, by its token."""

    def __init__(self, client):
        self.client, self.held = client, {}

    def acquire(self, order):
        wait = order["wait_ms"] / 1000
        # Another thread gives it back.
        options = {"timeout": order["ttl_ms"] / 1000, "thread_local": False, "lock_class": Timed}
        lock = self.client.lock(order["key"], **options)
        got = lock.acquire(blocking=wait > 0, blocking_timeout=wait, token=order["token"])
        if got:
            self.held[order["token"]] = lock
            left = order["ttl_ms"] - (time.monotonic() - lock.asked) * 1000
            return {"got": True, "valid_ms": max(0, int(left))}
        return {"got": False}

    def extend(self, order):
        lock = self.held.get(order["token"])
        return lock is not None and self.is_held(lock.reacquire)

    def release(self, order):
        lock = self.held.pop(order["token"], None)
        return lock is not None and self.is_held(lock.release)

    @staticmethod
    def is_held(do):
        try:
            do()
            return True
        except LockError:
            return False


# Done twice, these come to the same as done once. Who gets a lock, or gave one back, knows it for
# certain; an attempt that was lost leaves a lock that nobody has, until it ends by itself.
REPEATABLE = {"get": get, "set": set_, "add": add}
LOCKS = ["acquire", "extend", "release"]
OTHERS = {"cas": cas, "incr": incr, "push": push, "pop": pop}


def client_of(order, retries):
    seconds = order["timeout_ms"] / 1000
    options = {"socket_timeout": seconds, "socket_connect_timeout": seconds}
    options.update(decode_responses=True, password=order.get("password"))
    if retries is not None:
        options["retry"] = Retry(ExponentialWithJitterBackoff(), retries)
    nodes = [(host, int(port)) for host, port in (n.rsplit(":", 1) for n in order["nodes"])]
    if order["mode"] == "cluster":
        startup = [ClusterNode(host, port) for host, port in nodes]
        client = RedisCluster(startup_nodes=startup, **options)
    elif order["mode"] == "sentinel":
        client = Sentinel(nodes, sentinel_kwargs=options, **options).master_for(order["group"])
    else:
        client = redis.Redis(*nodes[0], **options)
    client.ping()
    return client


def certainly_not_done(error):
    """Of one attempt: the server said no, or there was no connection."""
    refused = isinstance(error, redis.ConnectionError) and "connecting to" in str(error)
    return refused or isinstance(error, redis.ResponseError)


def main():
    parser = argparse.ArgumentParser(description="Carries out a load of redrill with redis-py.")
    parser.add_argument("--retries", type=int, help="attempts after the first (default: redis-py's)")
    retries = parser.parse_args().retries
    does = REPEATABLE | OTHERS if retries == 0 else REPEATABLE

    def connect(order):
        client = client_of(order, retries)
        on_keys = {word: functools.partial(do, client) for word, do in does.items()}
        locks = Locks(client)
        return on_keys | {word: getattr(locks, word) for word in LOCKS}

    def is_certain(error):
        return retries == 0 and certainly_not_done(error)

    serve("redis-py", redis.__version__, [*does, *LOCKS], connect, is_certain)


main()
