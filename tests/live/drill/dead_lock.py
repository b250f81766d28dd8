# A lock library that dies in one way. Until then its locks are right: they are in its own memory.
#   dead_lock.py MODE COUNT: MODE from the acquisition number COUNT on
import json, sys, time
tell = lambda **line: print(json.dumps(line), flush=True)
mode, count = sys.argv[1], int(sys.argv[2])
holders, asked = {}, 0
tell(protocol=1, name="dead-lock", version="1", does=["acquire", "release"])
sys.stdin.readline()
for order in map(json.loads, sys.stdin):
    do, number = order["do"], order["id"]
    if do == "acquire":
        asked += 1
        until = time.monotonic() + order["ttl_ms"] / 1e3
        if asked > count and mode == "errors":
            tell(id=number, unknown="DataError: always")
        elif asked > count and mode == "fails":
            tell(id=number, fail="ConnectionError: no primary")
        elif asked > count and mode == "taken":
            tell(id=number, ok={"got": False})
        elif asked > count and mode == "hangs":
            pass
        elif asked > count and mode == "ends":
            sys.exit(0)
        elif holders.get(order["key"], ("", 0))[1] > time.monotonic():
            tell(id=number, ok={"got": False})
        else:
            holders[order["key"]] = (order["token"], until)
            tell(id=number, ok={"got": True, "valid_ms": order["ttl_ms"]})
    elif do == "release":
        held = holders.get(order["key"], ("", 0))[0] == order["token"]
        if held:
            del holders[order["key"]]
        tell(id=number, ok=held)
    else:
        tell(id=number, ok=None)
