#!/usr/bin/env python3
"""Reads and writes a cache for a load of redrill with cashews, as docs/adapters.md says.

    python3 -m venv venv
    venv/bin/pip install -r adapters/cashews/requirements.txt
    redrill run ... --set \
        'loads.app.client={command: [venv/bin/python, adapters/cashews/adapter.py]}'

It uses the library as its README does, with its own defaults but for the time-out: one event loop,
`get_or_set`, `set` and `delete` on a backend with `client_side=True`, which keeps copies in the
process until the server tells of a change (CLIENT TRACKING in broadcast mode). `--style cache` has
the decorator instead, by which one read of each process asks and the others wait for it, and
`--style lock` the decorator with a lock in the group. Without a layer in the process it is the
library without `client_side`.

The library hears of changes only by RESP2, as redis-py spoke by default until its version 8. So it
is told to speak that; `--protocol 3` shows what users of both libraries' defaults get.

What it cannot promise:

- Near copies are only for single servers: the library refuses clusters, and knows no sentinels. Of
  a group with replicas it knows the first primary.
- It counts entries and not bytes, 10,000 unless `--entries` says otherwise, and keeps them until
  the server tells of a change: `near_bytes` and `near_ttl_ms` are not for it.
- By default it hides errors of the group, and only logs them: a read asks the origin then. A write
  or an invalidation with such a line in the log is `unknown` here; an application would not know.
- It has ten connections for all its orders, and keeps nothing near for ten seconds after it lost
  the one on which it listens. One that is silently cut serves its copies until it is not.
- Nothing keeps a reader from leaving in the group what it computed before somebody's write.
"""

import argparse
import asyncio
import contextvars
import itertools
import json
import logging
import sys
import time
from importlib.metadata import version

from cashews import Cache, Command
from cashews.backends.memory import Memory

about = contextvars.ContextVar("what is known of this order", default=None)


class Failed(Exception):
    """The origin did not compute a text. What it said is the whole answer to the order."""


class Near(Memory):
    """The library's own, and which reads it served."""

    async def get(self, key, default=None):
        found = await super().get(key, default)
        if found is not default and (known := about.get()) is not None:
            known["from"] = "near"
        return found


class Hidden(logging.Handler):
    """Errors that the library logs and hides."""

    def emit(self, record):
        if (known := about.get()) is not None:
            error = record.exc_info[1] if record.exc_info else None
            known["hidden"] = f"{type(error).__name__}: {error}" if error else record.getMessage()


def tell(line):
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


class Adapter:
    def __init__(self, options):
        self.style, self.entries, self.protocol = options.style, options.entries, options.protocol
        self.cache, self.numbers, self.waiting, self.ended = Cache(), itertools.count(1), {}, False

    async def compute(self, key):
        about.get()["from"] = "origin"
        if self.ended:
            raise Failed("the input has ended")
        number, answer = next(self.numbers), asyncio.get_running_loop().create_future()
        self.waiting[number] = answer
        tell({"ask": number, "compute": key})
        try:
            line = await asyncio.wait_for(answer, self.patience)
        except asyncio.TimeoutError:
            raise Failed("the origin did not answer within the time-out") from None
        finally:
            del self.waiting[number]
        if "ok" not in line:
            raise Failed(line["fail"])
        return line["ok"]

    async def connect(self, order):
        if order["mode"] == "sentinel":
            raise ValueError("cashews knows no sentinels")
        self.patience, self.ttl = order["timeout_ms"] / 1000, order["cache"]["ttl_ms"] / 1000
        options = {"socket_timeout": self.patience, "socket_connect_timeout": self.patience}
        options.update(password=order.get("password"), protocol=self.protocol)
        options.update(cluster=order["mode"] == "cluster")
        if "near_ttl_ms" in order["cache"]:
            options.update(client_side=True, local_cache=Near(size=self.entries))

        async def note(call, command, backend, *args, **kwargs):
            # A read that finds a copy finds it in the group, unless `Near` says otherwise.
            if command is Command.GET and (known := about.get()) is not None:
                known["from"] = "group"
            return await call(*args, **kwargs)

        self.cache.setup(f"redis://{order['nodes'][0]}", middlewares=(note,), **options)
        await self.cache.init()
        await self.cache.ping()

        @self.cache(ttl=self.ttl, key="{key}", lock=self.style == "lock")
        async def decorated(key):
            return await self.compute(key)

        self.decorated = decorated

    async def read(self, order):
        key, known = order["key"], about.get()
        if self.style == "get_or_set":
            # The library awaits what this is, if it has no copy.
            async def default():
                return await self.compute(key)

            text = await self.cache.get_or_set(key, default, expire=self.ttl)
        else:
            text = await self.decorated(key=key)
        # A read that asked nobody waited for one that did.
        return {"text": text, "from": known.get("from", "other")}

    async def write(self, order):
        await self.cache.set(order["key"], order["text"], expire=self.ttl)

    async def invalidate(self, order):
        await self.cache.delete(order["key"])

    async def noop(self, order):
        pass

    async def carry_out(self, order):
        known, answer, began = {}, {"id": order["id"]}, time.monotonic_ns()
        about.set(known)
        try:
            answer["ok"] = await getattr(self, order["do"])(order)
            if "hidden" in known and order["do"] in ("write", "invalidate"):
                del answer["ok"]
                answer["unknown"] = known["hidden"]
        except Failed as failed:
            answer["fail"] = str(failed)
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            if error.__cause__ is not None:
                why += f" ({type(error.__cause__).__name__}: {error.__cause__})"
            answer["fail" if order["do"] == "connect" else "unknown"] = why
        if order["do"] not in ("noop", "connect"):
            answer["ns"] = time.monotonic_ns() - began
        tell(answer)

    async def serve(self):
        does = ["read", "write", "invalidate"]
        tell({"protocol": 1, "name": "cashews", "version": version("cashews"), "does": does})
        lines = asyncio.StreamReader(limit=1 << 26)
        loop, under_way = asyncio.get_running_loop(), set()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        await lines.readline()  # redrill's greeting
        async for line in lines:
            order = json.loads(line)
            if "answer" not in order:
                task = asyncio.create_task(self.carry_out(order))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            elif (answer := self.waiting.get(order["answer"])) and not answer.done():
                answer.set_result(order)
        self.ended = True
        for answer in self.waiting.values():
            if not answer.done():
                answer.set_result({"fail": "the input has ended"})
        await asyncio.gather(*under_way)
        await self.cache.close()


def main():
    parser = argparse.ArgumentParser(description="Reads and writes a cache with cashews.")
    styles = ["get_or_set", "cache", "lock"]
    parser.add_argument("--style", choices=styles, default=styles[0], help="(default: %(default)s)")
    parser.add_argument("--entries", type=int, default=10_000, help="(default: %(default)s)")
    parser.add_argument("--protocol", type=int, default=2, help="RESP (default: %(default)s)")
    options = parser.parse_args()
    logger = logging.getLogger("cashews")
    logger.addHandler(Hidden())
    logger.propagate = False
    asyncio.run(Adapter(options).serve())


main()
