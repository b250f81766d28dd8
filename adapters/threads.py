"""What adapters around a library with threads have in common: as many threads as the load has
clients, each of which carries out one order after another. docs/adapters.md has the lines.

Of locks, only acquiring waits for somebody else. So what ends or extends one has threads of its
own: it is never behind those that wait for it.

A cache asks redrill for what it has no copy of: `origin.compute(key)`.
"""

import json
import queue
import sys
import threading
import time

ENDS = {"extend", "release"}

write_lock = threading.Lock()


def tell(line):
    text = json.dumps(line) + "\n"
    with write_lock:
        sys.stdout.write(text)
        sys.stdout.flush()


class Failed(Exception):
    """The origin did not compute a text. What it said is the whole answer to the order."""


class Origin:
    """Texts that redrill computes. A thread waits for its own, as long as an order may take."""

    def __init__(self):
        self.lock, self.asked, self.waiting = threading.Lock(), 0, {}
        self.patience, self.ended = None, False

    def compute(self, key):
        with self.lock:
            if self.ended:
                raise Failed("the input has ended")
            self.asked += 1
            number, answers = self.asked, queue.SimpleQueue()
            self.waiting[number] = answers
        tell({"ask": number, "compute": key})
        try:
            answer = answers.get(timeout=self.patience)
        except queue.Empty:
            raise Failed("the origin did not answer within the time-out") from None
        finally:
            del self.waiting[number]
        if "ok" not in answer:
            raise Failed(answer["fail"])
        return answer["ok"]

    def answer(self, line):
        # One that comes too late is for nobody.
        if (answers := self.waiting.get(line["answer"])) is not None:
            answers.put(line)

    def end(self):
        with self.lock:
            self.ended = True
            for answers in self.waiting.copy().values():
                answers.put({"fail": "the input has ended"})


origin = Origin()


def work(orders, does, certainly_not_done, patience):
    while (waiting := orders.get()) is not None:
        (since, order), began = waiting, time.monotonic_ns()
        answer = {"id": order["id"]}
        if began - since > patience:
            # Its user has gone. Web servers drop such a request too, or never catch up.
            tell(answer | {"fail": "no thread was free within the time-out"})
            continue
        try:
            answer["ok"] = does[order["do"]](order)
        except Failed as failed:
            answer["fail"] = str(failed)
        except Exception as error:
            outcome = "fail" if certainly_not_done(error) else "unknown"
            answer[outcome] = f"{type(error).__name__}: {error}"
        if order["do"] != "noop":
            answer["ns"] = time.monotonic_ns() - began
        tell(answer)


def serve(name, version, does, connect, certainly_not_done):
    """Carries out orders until the end of input. `connect` makes functions for the words of `does`
    out of the order to connect; `certainly_not_done` says so of an error."""
    tell({"protocol": 1, "name": name, "version": version, "does": list(does)})
    orders, endings, threads = queue.SimpleQueue(), queue.SimpleQueue(), []
    sys.stdin.readline()  # redrill's greeting
    for line in sys.stdin:
        order = json.loads(line)
        if "answer" in order:
            origin.answer(order)
            continue
        if order["do"] != "connect":
            to = endings if order["do"] in ENDS else orders
            to.put((time.monotonic_ns(), order))
            continue
        try:
            functions = connect(order) | {"noop": lambda order: None}
        except Exception as error:
            tell({"id": order["id"], "fail": f"{type(error).__name__}: {error}"})
            continue
        origin.patience = order["timeout_ms"] / 1000
        for source in [orders, endings] if ENDS & set(does) else [orders]:
            args = (source, functions, certainly_not_done, order["timeout_ms"] * 1_000_000)
            for _ in range(order["clients"]):
                thread = threading.Thread(target=work, args=args)
                thread.start()
                threads.append((thread, source))
        tell({"id": order["id"], "ok": None})
    origin.end()
    for _, source in threads:
        source.put(None)
    for thread, _ in threads:
        thread.join()
