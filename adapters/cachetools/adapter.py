#!/usr/bin/env python3
"""Reads and writes a cache for a load of redrill with cachetools before redis-py, as
docs/adapters.md says.

    python3 -m venv venv
    venv/bin/pip install -r adapters/cachetools/requirements.txt
    redrill run ... --set \
        'loads.app.client={command: [venv/bin/python, adapters/cachetools/adapter.py]}'

This is what many an application makes of the two: a `TTLCache` with a lock, so many bytes of texts
at most, shared by as many threads as the load has clients. What it has no copy of, a client of
redis-py gets, with the library's own defaults but for the time-out; what no server has, redrill
computes, and SET leaves it there. Who changes an entity deletes or replaces the copy in the group
and tells all processes (PUBLISH), which drop theirs. A process that may not have heard of
something keeps nothing: it forgets all when it loses the connection on which it listens, when that
is silent for as long as an order may take in spite of a PING, and when it listens again.

What it cannot promise:

- A copy is served until the message is here, and in a cluster nodes pass it on in their own time.
- A text that was read or computed before the message about its key does not stay in the process.
  In the group it may: if it comes there between somebody's DEL and their message.
- An error between DEL and PUBLISH is `unknown`: copies in other processes stay for their time.
"""

import pathlib
import sys
import threading
import time
from collections import Counter

import cachetools
import redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.retry import Retry
from redis.sentinel import Sentinel

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from threads import origin, serve  # noqa: E402  (it lies beside the folders of the adapters)

CHANNEL = "redrill:changed"


class Near:
    """Copies in this process. It counts what it has heard: a copy from before is not kept."""

    def __init__(self, settings):
        seconds = settings.get("near_ttl_ms", 0) / 1000
        size = settings.get("near_bytes", 0)
        self.copies = cachetools.TTLCache(size, seconds, getsizeof=lambda text: len(text.encode()))
        self.lock, self.changes, self.gaps, self.hears = threading.Lock(), Counter(), 0, False

    def get(self, key):
        with self.lock:
            return self.copies.get(key), (self.gaps, self.changes[key])

    def is_changed(self, key, heard):
        return heard[1] != self.changes[key]

    def put(self, key, text, heard):
        with self.lock:
            if self.hears and heard == (self.gaps, self.changes[key]):
                try:
                    self.copies[key] = text
                except ValueError:
                    pass  # It is larger than all the room there is.

    def drop(self, key):
        with self.lock:
            self.changes[key] += 1
            self.copies.pop(key, None)

    def drop_all(self, hears):
        with self.lock:
            self.hears = hears
            self.gaps += 1
            self.copies.clear()


def listen(client, near, patience):
    """Hears of changes until the process ends."""
    while True:
        pubsub = client.pubsub()
        try:
            pubsub.subscribe(CHANNEL)
            heard = time.monotonic()
            while time.monotonic() - heard < patience:
                message = pubsub.get_message(timeout=patience / 4)
                if message is None:
                    pubsub.ping()
                    continue
                heard = time.monotonic()
                # The library may have subscribed again by itself, on another connection.
                if message["type"] == "subscribe":
                    near.drop_all(hears=True)
                elif message["type"] == "message":
                    near.drop(message["data"])
        except (redis.RedisError, OSError):
            pass
        near.drop_all(hears=False)
        try:
            pubsub.close()
        except (redis.RedisError, OSError):
            pass
        time.sleep(0.1)


def client_of(order, **more):
    seconds = order["timeout_ms"] / 1000
    options = {"socket_timeout": seconds, "socket_connect_timeout": seconds}
    options.update(decode_responses=True, password=order.get("password"), **more)
    nodes = [(host, int(port)) for host, port in (n.rsplit(":", 1) for n in order["nodes"])]
    if order["mode"] == "cluster":
        return RedisCluster(startup_nodes=[ClusterNode(*node) for node in nodes], **options)
    if order["mode"] == "sentinel":
        return Sentinel(nodes, sentinel_kwargs=options, **options).master_for(order["group"])
    return redis.Redis(*nodes[0], **options)


def connect(order):
    client, ttl, near = client_of(order), order["cache"]["ttl_ms"], Near(order["cache"])
    client.ping()
    if "near_ttl_ms" in order["cache"]:
        # With retries it would try for seconds, and tell nobody that it does not hear. Each node
        # of a cluster has none, and the client learns from its orders which nodes there are.
        cluster = order["mode"] == "cluster"
        ear = client if cluster else client_of(order, retry=Retry(NoBackoff(), 0))
        patience = order["timeout_ms"] / 1000
        threading.Thread(target=listen, args=(ear, near, patience), daemon=True).start()

    def read(order):
        key = order["key"]
        text, heard = near.get(key)
        if text is not None:
            return {"text": text, "from": "near"}
        text, source = client.get(key), "group"
        if text is None:
            text, source = origin.compute(key), "origin"
            if not near.is_changed(key, heard):
                client.set(key, text, px=ttl)
        near.put(key, text, heard)
        return {"text": text, "from": source}

    def changed(key):
        near.drop(key)
        client.publish(CHANNEL, key)

    def write(order):
        client.set(order["key"], order["text"], px=ttl)
        changed(order["key"])

    def invalidate(order):
        client.delete(order["key"])
        changed(order["key"])

    return {"read": read, "write": write, "invalidate": invalidate}


version = f"{cachetools.__version__}, redis-py {redis.__version__}"
serve("cachetools", version, ["read", "write", "invalidate"], connect, lambda error: False)
