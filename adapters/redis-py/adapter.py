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
import json
import queue
import sys
import threading
import time

import redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.retry import Retry
from redis.sentinel import Sentinel

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


def noop(client, order):
    return None


# Done twice, these come to the same as done once.
REPEATABLE = {"get": get, "set": set_, "add": add}
OTHERS = {"cas": cas, "incr": incr, "push": push, "pop": pop}

write_lock = threading.Lock()


def tell(line):
    text = json.dumps(line) + "\n"
    with write_lock:
        sys.stdout.write(text)
        sys.stdout.flush()


def connect(order, retries):
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


def work(client, orders, does, one_attempt, patience):
    while (waiting := orders.get()) is not None:
        (since, order), began = waiting, time.monotonic_ns()
        answer = {"id": order["id"]}
        if began - since > patience:
            # Its user has gone. Web servers drop such a request too, or never catch up.
            tell(answer | {"fail": "no thread was free within the time-out"})
            continue
        try:
            answer["ok"] = does[order["do"]](client, order)
        except Exception as error:
            outcome = "fail" if one_attempt and certainly_not_done(error) else "unknown"
            answer[outcome] = f"{type(error).__name__}: {error}"
        if order["do"] != "noop":
            answer["ns"] = time.monotonic_ns() - began
        tell(answer)


def main():
    parser = argparse.ArgumentParser(description="Carries out a load of redrill with redis-py.")
    parser.add_argument("--retries", type=int, help="attempts after the first (default: redis-py's)")
    retries = parser.parse_args().retries
    does = REPEATABLE | OTHERS if retries == 0 else REPEATABLE
    tell({"protocol": 1, "name": "redis-py", "version": redis.__version__, "does": list(does)})
    does = does | {"noop": noop}
    orders, threads = queue.SimpleQueue(), []
    sys.stdin.readline()  # redrill's greeting
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] != "connect":
            orders.put((time.monotonic_ns(), order))
            continue
        try:
            client = connect(order, retries)
        except Exception as error:
            tell({"id": order["id"], "fail": f"{type(error).__name__}: {error}"})
            continue
        args = (client, orders, does, retries == 0, order["timeout_ms"] * 1_000_000)
        for _ in range(order["clients"]):
            thread = threading.Thread(target=work, args=args)
            thread.start()
            threads.append(thread)
        tell({"id": order["id"], "ok": None})
    for _ in threads:
        orders.put(None)
    for thread in threads:
        thread.join()


main()
