#!/usr/bin/env python3
"""Reads and writes a cache for a load of redrill with redis-py's client-side cache, as
docs/adapters.md says.

    python3 -m venv venv
    venv/bin/pip install -r adapters/redis-py-cache/requirements.txt
    redrill run ... --set \
        'loads.app.client={command: [venv/bin/python, adapters/redis-py-cache/adapter.py]}'

It uses the library as its documentation does: `CacheConfig` and RESP3, the synchronous client,
shared by as many threads as the load has clients, with the library's own defaults but for the
time-out. `RedisCluster` for a cluster, `Sentinel` for a group with sentinels, `Redis` for others.
GET is answered from memory if it can be; the server tells of changed keys (CLIENT TRACKING). What
no server has, redrill computes, and SET leaves it there. Without a layer in the process it is
redis-py without its cache.

What it cannot promise:

- The library takes no servers but Redis 7.4 and newer. It says so when it connects.
- It counts entries and not bytes, 10,000 unless `--entries` says otherwise, and keeps them until
  the server tells of a change: `near_bytes` and `near_ttl_ms` are not for it.
- It looks for what the server tells when it is asked for something, and does not ask whether the
  server is there. So a connection that is silently cut serves its copies until it is not.
- Its threads share the entries without a lock of their own. Under load, on healthy servers, reads
  wait for their time-outs and end with protocol errors.
- Nothing keeps a reader from leaving in the group what it computed before somebody's write.
"""

import argparse
import functools
import pathlib
import sys
import threading

import redis
from redis.cache import CacheConfig, DefaultCache
from redis.cluster import ClusterNode, RedisCluster
from redis.sentinel import Sentinel

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from threads import origin, serve  # noqa: E402  (it lies beside the folders of the adapters)

this_read = threading.local()


class Told(DefaultCache):
    """The library's own, and which reads went to a server: those that leave an entry here."""

    def set(self, entry):
        this_read.went = True
        return super().set(entry)


def client_of(order, entries):
    seconds = order["timeout_ms"] / 1000
    options = {"socket_timeout": seconds, "socket_connect_timeout": seconds}
    options.update(decode_responses=True, password=order.get("password"), protocol=3)
    cache = {}
    if "near_ttl_ms" in order["cache"]:
        cache["cache_config"] = CacheConfig(max_size=entries, cache_class=Told)
    nodes = [(host, int(port)) for host, port in (n.rsplit(":", 1) for n in order["nodes"])]
    if order["mode"] == "cluster":
        startup = [ClusterNode(host, port) for host, port in nodes]
        client = RedisCluster(startup_nodes=startup, **options, **cache)
    elif order["mode"] == "sentinel":
        sentinel = Sentinel(nodes, sentinel_kwargs=options, **options)
        client = sentinel.master_for(order["group"], **cache)
    else:
        client = redis.Redis(*nodes[0], **options, **cache)
    client.ping()
    return client


class Refused(Exception):
    """The library's cache takes no such servers."""


def connected(order, entries):
    """As `client_of`. A cluster's client says of servers without a cache that none is reachable."""
    try:
        return client_of(order, entries)
    except redis.RedisError as error:
        if "client-side caching is supported" not in str(error):
            raise
        host, port = order["nodes"][0].rsplit(":", 1)
        about = redis.Redis(host, int(port), password=order.get("password")).info("server")
        name = about.get("server_name", "redis").capitalize()
        version = about.get(f"{name.lower()}_version", "of unknown version")
        why = f"redis-py has a cache with Redis 7.4 and newer only, and this is {name} {version}"
        raise Refused(f"{why} ({error})") from error


def read(client, ttl, near, order):
    key = order["key"]
    this_read.went = False
    text = client.get(key)
    if text is not None:
        return {"text": text, "from": "near" if near and not this_read.went else "group"}
    text = origin.compute(key)
    client.set(key, text, px=ttl)
    return {"text": text, "from": "origin"}


def write(client, ttl, order):
    client.set(order["key"], order["text"], px=ttl)


def invalidate(client, order):
    client.delete(order["key"])


def main():
    parser = argparse.ArgumentParser(description="Reads and writes a cache with redis-py's own.")
    default = CacheConfig.DEFAULT_MAX_SIZE
    parser.add_argument("--entries", type=int, default=default, help=f"(default: {default})")
    entries = parser.parse_args().entries

    def connect(order):
        client, ttl = connected(order, entries), order["cache"]["ttl_ms"]
        return {
            "read": functools.partial(read, client, ttl, "near_ttl_ms" in order["cache"]),
            "write": functools.partial(write, client, ttl),
            "invalidate": functools.partial(invalidate, client),
        }

    # It sends again after an error, ten times by default, so an error says nothing about earlier
    # attempts.
    does = ["read", "write", "invalidate"]
    serve("redis-py-cache", redis.__version__, does, connect, lambda error: False)


main()
