#!/usr/bin/env bash
# Starts a cluster of three primaries with a replica each, without redrill, puts
# main.rs on it, and kills a primary after five seconds.
#
#   docs/findings/redis-rs-stall/run.sh [RATE] [SECONDS] [renew]
#
# SERVER and CLI name other programs than redis-server and redis-cli. The cluster listens on
# 127.0.0.1, ports 7101 to 7106 and 17101 to 17106, and ends with this script.
set -euo pipefail
cd "$(dirname "$0")"
server=${SERVER:-redis-server} cli=${CLI:-redis-cli}
folder=$(mktemp -d)
cargo build --release --target-dir "${CARGO_TARGET_DIR:-target}"
client=${CARGO_TARGET_DIR:-target}/release/redis-rs-stall
servers=()
trap 'kill "${servers[@]}" 2>/dev/null || true; wait; rm -rf "$folder"' EXIT

addresses=()
for port in 7101 7102 7103 7104 7105 7106; do
  "$server" --bind 127.0.0.1 --port $port --cluster-enabled yes --cluster-node-timeout 2000 \
    --cluster-config-file $port.conf --dir "$folder" --save '' --logfile "$folder/$port.log" &
  servers+=($!)
  addresses+=("127.0.0.1:$port")
done
sleep 1
"$cli" --cluster create "${addresses[@]}" --cluster-replicas 1 --cluster-yes >/dev/null
sleep 10 # until replicas are linked

"$client" "${addresses[0]}" "${1:-4000}" "${2:-25}" "${3-}" &
load=$!
sleep 5
echo "      a primary is killed"
kill -9 "${servers[1]}"
wait $load
