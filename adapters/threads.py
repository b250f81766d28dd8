"""What adapters around a library with threads have in common: as many threads as the load has
clients, each of which carries out one order after another. docs/adapters.md has the lines.

Of locks, only acquiring waits for somebody else. So what ends or extends one has threads of its
own: it is never behind those that wait for it.
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
        if order["do"] != "connect":
            to = endings if order["do"] in ENDS else orders
            to.put((time.monotonic_ns(), order))
            continue
        try:
            functions = connect(order) | {"noop": lambda order: None}
        except Exception as error:
            tell({"id": order["id"], "fail": f"{type(error).__name__}: {error}"})
            continue
        for source in [orders, endings] if ENDS & set(does) else [orders]:
            args = (source, functions, certainly_not_done, order["timeout_ms"] * 1_000_000)
            for _ in range(order["clients"]):
                thread = threading.Thread(target=work, args=args)
                thread.start()
                threads.append((thread, source))
        tell({"id": order["id"], "ok": None})
    for _, source in threads:
        source.put(None)
    for thread, _ in threads:
        thread.join()
