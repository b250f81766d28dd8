#!/usr/bin/env python3
"""Carries what is written in one group to another one, with redis-py. An example that works, and that
a drill shows the weakness of: README.md has what it loses.

    sync: { strategy: external, command: [venv/bin/python, replicators/redis-py/replicator.py] }

It hears of each key that changes (keyspace notifications), and copies the key as it is then (DUMP,
RESTORE). Whatever arrives last stays. Two of them carry in both directions: each leaves a fingerprint
of what it has written beside the data, and what has that fingerprint is not sent back.
"""

import os
import time

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

MARKS = "replicator:marks"  # a hash: key -> fingerprint of the value that came from elsewhere
BATCH = 500
EVENTS = "__keyevent@0__:"

# What is to be sent of a key: its value and time to live, "gone", or nothing as it came from elsewhere.
READ = """
local value = redis.call('DUMP', KEYS[1])
local mark = value and redis.sha1hex(value) or 'gone'
if redis.call('HGET', KEYS[2], KEYS[1]) == mark then return false end
return {value or 'gone', math.max(redis.call('PTTL', KEYS[1]), 0)}
"""

# DUMP says the same value in another way on another server, so the fingerprint is made there.
WRITE = """
if ARGV[1] == 'gone' then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[2], KEYS[1], 'gone')
else
  redis.call('RESTORE', KEYS[1], ARGV[2], ARGV[1], 'REPLACE')
  redis.call('HSET', KEYS[2], KEYS[1], redis.sha1hex(redis.call('DUMP', KEYS[1])))
end
"""


def primary(nodes):
    """A connection to the node that takes writes."""
    for node in os.environ[nodes].split(","):
        host, port = node.rsplit(":", 1)
        client = redis.Redis(
            host, int(port), password=os.environ["REDRILL_PASSWORD"] or None,
            socket_timeout=5, socket_connect_timeout=5, retry=Retry(NoBackoff(), 0),
        )
        try:
            if client.execute_command("ROLE")[0] == b"master":
                return client
        except redis.RedisError as error:
            print(f"{node}: {error}", flush=True)
    raise redis.ConnectionError(f"none of {os.environ[nodes]} takes writes")


def carry(source, target, keys):
    """Copies these keys, as they are now."""
    keys = [key for key in keys if key != MARKS.encode()]
    read = source.pipeline(transaction=False)
    for key in keys:
        read.eval(READ, 2, key, MARKS)
    write = target.pipeline(transaction=False)
    for key, found in zip(keys, read.execute()):
        if found:
            write.eval(WRITE, 2, key, MARKS, *found)
    write.execute()


def changed(events):
    """Keys that have changed since the last call, the first of them first."""
    keys, wait = {}, 1.0
    while len(keys) < BATCH and (message := events.get_message(timeout=wait)):
        if message["type"] == "pmessage":
            keys[message["data"]] = None
        wait = 0.0
    return list(keys)


def run():
    source, target = primary("REDRILL_SOURCE_NODES"), primary("REDRILL_TARGET_NODES")
    source.config_set("notify-keyspace-events", "EA")
    events = source.pubsub()
    events.psubscribe(EVENTS + "*")
    # Nobody has told what changed before: all keys are copied.
    cursor = None
    while cursor != 0:
        cursor, keys = source.scan(cursor or 0, count=BATCH)
        carry(source, target, keys)
    print("all keys are copied", flush=True)
    while True:
        carry(source, target, changed(events))


while True:
    try:
        run()
    except redis.RedisError as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        time.sleep(0.5)
