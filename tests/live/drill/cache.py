"""A cache for drills that are to find it wrong: right by itself, and wrong in one thing if told so.

    python3 cache.py NEWS [WRONG]

NEWS is how a process hears of changes: `publish`, `tracking` or `keyspace`. Who finds no copy takes
a lock beside it, asks redrill's origin and leaves the answer there in exchange for the lock; the
others look every 5 ms. Who changes an entity deletes the copy and the lock, so that nobody leaves
what he had asked for before. There is one connection to each server, on which news arrive too.

WRONG is one of these:

    asks-first          it asks the origin, and takes the lock only then
    endless-lock        a lock has no expiry
    any-lock            a lock is given back without its token
    keeps-overtaken     a process keeps what changed while it asked for it
    one-node            it hears what one server tells, of all of a cluster
    ignores-flush       it keeps its copies when a server has lost its own
    ignores-loss        it keeps its copies when it loses a connection
    keeps-anew          near copies are kept for their whole time, however old they are
    drops-before        it drops copies before the origin is written, and not after that
"""

import asyncio
import binascii
import collections
import json
import os
import sys
import time

NEWS, WRONG = sys.argv[1], (sys.argv[2:] or [None])[0]
LEASE, LOOK = 1.0, 0.005
# What an application does between dropping a copy and writing.
BETWEEN = 0.03
CHANGED, DELETED = "changed", "__keyevent@0__:del"
FILL = """if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
if ARGV[2] ~= '' then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1"""
FILL_ANYHOW = FILL.replace("if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end", "")

now = time.monotonic


def tell(**line):
    print(json.dumps(line), flush=True)


class Refused(Exception):
    """What a server or the origin says instead of an answer."""


async def value(reader):
    """One value of RESP3, and whether it is a push."""
    line = (await reader.readuntil(b"\r\n"))[:-2]
    kind, rest = chr(line[0]), line[1:].decode()
    if kind == "-":
        return Refused(rest), False
    if kind == "$" and rest != "-1":
        return (await reader.readexactly(int(rest) + 2))[:-2].decode(), False
    if kind in "*~>%" and rest != "-1":
        count = int(rest) * (2 if kind == "%" else 1)
        return [(await value(reader))[0] for _ in range(count)], kind == ">"
    return int(rest) if kind == ":" else None if kind in "_$*" else rest, False


class Server:
    """A connection, which is made anew when it is lost."""

    def __init__(self, address, hello, near, is_heard):
        self.address, self.hello, self.near, self.is_heard = address, hello, near, is_heard
        self.writer, self.waiting, self.is_up = None, collections.deque(), asyncio.Event()
        self.task = asyncio.create_task(self.run())

    async def run(self):
        while True:
            try:
                host, port = self.address.rsplit(":", 1)
                reader, self.writer = await asyncio.open_connection(host, int(port))
                first = [self.hello]
                if self.is_heard and NEWS == "tracking":
                    first.append(("CLIENT", "TRACKING", "ON"))
                elif self.is_heard:
                    first.append(("SUBSCRIBE", CHANGED if NEWS == "publish" else DELETED))
                # A subscription is confirmed by a push, and not by an answer.
                asked = [self.send(*words) for words in first if words[0] != "SUBSCRIBE"]
                if len(asked) < len(first):
                    self.write(first[-1])
                else:
                    asked[-1].add_done_callback(lambda done: self.is_up.set())
                while True:
                    told, is_push = await value(reader)
                    if is_push:
                        self.hears(told)
                    elif not (answer := self.waiting.popleft()).done():
                        answer.set_result(told)
            except (OSError, EOFError):
                self.is_up.clear()
                for answer in self.waiting:
                    if not answer.done():
                        answer.set_result(Refused("the connection is lost"))
                self.waiting.clear()
                if WRONG != "ignores-loss":
                    self.near.forget_all()
                await asyncio.sleep(0.02)

    def hears(self, push):
        kind, told = push[0], push[-1]
        if kind == "subscribe":
            self.is_up.set()
        elif kind == "message":
            self.near.forget(told)
        elif kind == "invalidate" and told is not None:
            for key in told:
                self.near.forget(key)
        elif kind == "invalidate" and WRONG != "ignores-flush":
            self.near.forget_all()

    def write(self, words):
        parts = [str(word).encode() for word in words]
        text = b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
        self.writer.write(b"*%d\r\n%s" % (len(parts), text))

    def send(self, *words):
        self.waiting.append(asyncio.get_running_loop().create_future())
        self.write(words)
        return self.waiting[-1]

    async def ask(self, *words):
        if not self.is_up.is_set():
            raise Refused("there is no connection")
        told = await self.send(*words)
        if isinstance(told, Refused):
            raise told
        return told


class Near:
    """Copies in this process, and how often each entity has changed."""

    def __init__(self, seconds):
        self.seconds, self.copies, self.gaps = seconds, {}, 0
        self.changes = collections.Counter()

    def get(self, key):
        text, until = self.copies.get(key, (None, 0))
        return text if now() < until else None

    def asks(self, key):
        return self.gaps, self.changes[key]

    def keep(self, key, text, until, asked):
        if self.seconds and (asked == self.asks(key) or WRONG == "keeps-overtaken"):
            most = now() + self.seconds
            self.copies[key] = text, most if WRONG == "keeps-anew" else min(until, most)

    def forget(self, key):
        self.changes[key] += 1
        self.copies.pop(key, None)

    def forget_all(self):
        self.gaps += 1
        self.copies.clear()


class Cache:
    async def connect(self, order):
        self.ttl = order["cache"]["ttl_ms"]
        self.near = Near(order["cache"].get("near_ttl_ms", 0) / 1000)
        self.asked, self.computed, self.tokens = 0, {}, 0
        auth = ("AUTH", "default", order["password"]) if "password" in order else ()
        hello = ("HELLO", "3", *auth)
        some = 1 if NEWS == "publish" or WRONG == "one-node" else len(order["nodes"])
        self.servers = {
            address: Server(address, hello, self.near, number < some)
            for number, address in enumerate(order["nodes"])
        }
        for server in self.servers.values():
            await server.is_up.wait()
        self.slots = []
        if order["mode"] == "cluster":
            first = self.servers[order["nodes"][0]]
            for start, end, primary, *_ in await first.ask("CLUSTER", "SLOTS"):
                self.slots.append((start, end, self.servers[f"{primary[0]}:{primary[1]}"]))

    def server(self, key):
        slot = binascii.crc_hqx(key.encode(), 0) % 16384
        of = [server for start, end, server in self.slots if start <= slot <= end]
        return of[0] if of else next(iter(self.servers.values()))

    async def in_group(self, key):
        """The group's copy, and until when it is there at least."""
        server, sent = self.server(key), now()
        millis, text = await asyncio.gather(server.ask("PTTL", key), server.ask("GET", key))
        return text, sent + millis / 1000

    async def compute(self, key):
        self.asked += 1
        number, self.computed[self.asked] = self.asked, asyncio.get_running_loop().create_future()
        tell(ask=number, compute=key)
        answer = await self.computed[number]
        if "fail" in answer:
            raise Refused(answer["fail"])
        return answer["ok"]

    async def read(self, key):
        if (text := self.near.get(key)) is not None:
            return {"text": text, "from": "near"}
        asked, waited = self.near.asks(key), False
        while True:
            text, until = await self.in_group(key)
            if text is not None:
                self.near.keep(key, text, until, asked)
                return {"text": text, "from": "other" if waited else "group"}
            if (found := await self.fill(key, asked)) is not None:
                return {"text": found, "from": "origin"}
            waited, asked = True, self.near.asks(key)
            await asyncio.sleep(LOOK)

    async def fill(self, key, asked):
        """What the origin says, if this reader is the one to ask it."""
        server, lock, since = self.server(key), f"{{{key}}}:lock", now()
        self.tokens += 1
        token = f"{os.getpid()}-{self.tokens}"
        text = await self.compute(key) if WRONG == "asks-first" else ""
        expiry = () if WRONG == "endless-lock" else ("PX", int(LEASE * 1000))
        got = await server.ask("SET", lock, token, "NX", *expiry)
        if not got:
            return text or None
        try:
            # Somebody may have left a copy since this one looked; and a lock that took long to get
            # may be somebody else's.
            there = (await self.in_group(key))[0] is not None
            if not text and not there and now() < since + LEASE / 4:
                since, asked = now(), self.near.asks(key)
                text = await self.compute(key)
        finally:
            millis = int(self.ttl - (now() - since) * 1000)
            script = FILL_ANYHOW if WRONG == "any-lock" else FILL
            keys = ("2", key, lock)
            left = await server.ask("EVAL", script, *keys, token, text if millis > 0 else "", millis)
        # Nobody tells of what is not in the group. By `tracking` a server tells of what was read
        # from it, and not of what was left there.
        if text and (left or WRONG == "keeps-overtaken") and NEWS != "tracking":
            self.near.keep(key, text, since + self.ttl / 1000, asked)
        return text or None

    async def invalidate(self, key):
        self.near.forget(key)
        await self.server(key).ask("DEL", key, f"{{{key}}}:lock")
        if NEWS == "publish":
            await next(iter(self.servers.values())).ask("PUBLISH", CHANGED, key)

    async def do(self, order):
        what, key = order["do"], order.get("key")
        try:
            if what == "connect":
                learned = await self.connect(order)
            elif what == "read":
                learned = await self.read(key)
            else:
                drops = "writing" if WRONG == "drops-before" else "invalidate"
                learned = await self.invalidate(key) if what == drops else None
                if what == "writing" and WRONG == "drops-before":
                    await asyncio.sleep(BETWEEN)
            tell(id=order["id"], ok=learned)
        except Refused as refused:
            tell(id=order["id"], unknown=str(refused))


async def main():
    does = ["read", "invalidate", "writing"]
    tell(protocol=1, name="wrong-cache", version=WRONG or "right", does=does)
    lines, cache, tasks = asyncio.StreamReader(limit=1 << 20), Cache(), set()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
    )
    await lines.readline()  # redrill's greeting
    while line := await lines.readline():
        order = json.loads(line)
        if "answer" in order:
            cache.computed.pop(order["answer"]).set_result(order)
        else:
            tasks.add(task := asyncio.create_task(cache.do(order)))
            task.add_done_callback(tasks.discard)


asyncio.run(main())
