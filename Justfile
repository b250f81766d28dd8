# One line a recipe: `just` lists them.

redrill := env("CARGO_TARGET_DIR", "target") / "release/redrill"

# List the recipes
default:
    @just --list --unsorted

# Build redrill (target/release/redrill)
build:
    cargo build --release --locked

# The main job: move a third of a shard's slots while clients read and write
cluster-reshard *ARGS: build
    {{redrill}} run cluster-reshard {{ARGS}}

# A shard gives up all its slots under load
cluster-drain *ARGS: build
    {{redrill}} run cluster-drain {{ARGS}}

# Slots are spread anew by weight under load
cluster-rebalance *ARGS: build
    {{redrill}} run cluster-rebalance {{ARGS}}

# A shard and a replica join under load, and the shard leaves again
scale-out *ARGS: build
    {{redrill}} run scale-out-under-load {{ARGS}}

# Nodes die, stand still, or are cut off from each other
node-failure *ARGS: build
    {{redrill}} suite primary-kill primary-pause replica-kill quorum-loss sentinel-failover node-timeout-sweep node-failure-during-reshard minority-partition split-brain flapping-link rolling-restart scale-out-under-load chaos {{ARGS}}

# Regions that all take writes, or copy one another: lag, conflicts, cuts, and the loss of one
cross-region *ARGS: build
    {{redrill}} suite cross-region-sync cross-region-conflicts cross-region-reads cross-region-invalidation region-partition asymmetric-link slow-link clock-skew replicator-crash region-loss region-return standby-promotion fail-back stretched-cluster-region-loss stretched-cluster-majority-loss {{ARGS}}

# What each rule of replicators does where writes meet, and across a cut: one page for each
cross-region-rules *ARGS: build
    -{{redrill}} run cross-region-conflicts --profile rules {{ARGS}}
    -{{redrill}} run region-partition --profile rules {{ARGS}}

# Locks: what waiting for them costs, deadlocks, and whether two ever have one lock under faults
locks *ARGS: build
    {{redrill}} suite lock-contention lock-sustained lock-deadlock lock-ordering lock-timeouts lock-expiry lock-holder-pause lock-failover lock-partition lock-clock-jump lock-restart-without-data lock-reshard lock-comparison {{ARGS}}

# All kinds of locks under all faults, on one page
lock-comparison *ARGS: build
    {{redrill}} run lock-comparison {{ARGS}}

# Entities are read through layers of copies before a slow origin
cache-aside *ARGS: build
    {{redrill}} run cache-aside {{ARGS}}

# Caches: what they spare, stampedes, and how soon nobody is served an old version
cache *ARGS: build
    {{redrill}} suite cache-aside cache-load-light cache-load-medium cache-load-heavy cache-stampede cache-stampede-many cache-stampede-comparison cache-invalidation cache-invalidation-race cache-invalidation-comparison cache-counters cache-counters-comparison cache-transactions cache-transactions-failing cache-warming cache-warming-comparison cache-restore cache-breaker cache-cold-restart cache-keys cache-invalidation-cut cache-invalidation-failover cache-invalidation-reshard cache-stampede-holder cache-ttl-layers cache-writes cache-writes-comparison cache-slow-link cache-formats cache-formats-comparison cache-eviction cache-eviction-comparison cache-expiry cache-invalidation-tags cache-scale cache-skew {{ARGS}}

# Ways of counting, side by side: what each costs, and which one loses increments
cache-counters *ARGS: build
    {{redrill}} run cache-counters-comparison {{ARGS}}

# A primary's death over several time-outs: where the time goes, side by side
node-timeout-sweep *ARGS: build
    {{redrill}} run node-timeout-sweep {{ARGS}}

# Nothing happens: the floor of every measure on this machine
steady-state *ARGS: build
    {{redrill}} run steady-state {{ARGS}}

# Play any scenario, by name or path
run SCENARIO *ARGS: build
    {{redrill}} run {{SCENARIO}} {{ARGS}}

# The main job on five releases in containers, side by side
matrix *ARGS: build
    {{redrill}} matrix cluster-reshard --engine redis-7.0 --engine redis-8.0 --engine redis-8.6 --engine valkey-8.0 --engine valkey-9.1 {{ARGS}}

# Play every ready scenario; one JUnit file and one index page
suite *ARGS: build
    {{redrill}} suite {{ARGS}}

# Everything that must hold: format, lints, unit tests, live tests on real servers
test: fmt-check lint
    cargo test --locked --no-fail-fast

# What `just test` runs, and what takes long: every engine and backend, many seeds, a soak
test-all: fmt-check lint
    #!/usr/bin/env bash
    export REDRILL_TESTS=all
    pure=(--lib --test pure) live=(--test live --test memory --test timing)
    PROPTEST_CASES=5000 cargo test --locked --no-fail-fast "${pure[@]}" -- --include-ignored
    ended=$?
    alone=(--skip drill::crowd --skip drill::steady::it_degrades)
    PROPTEST_CASES=300 cargo test --locked --profile drill --no-fail-fast "${live[@]}" -- --include-ignored "${alone[@]}"
    ended=$((ended + $?))
    just alone
    exit $((ended + $?))

# What needs the whole machine, by the optimized redrill: two hundred nodes, and drills in which nothing happens
alone:
    REDRILL_TESTS=all cargo test --locked --profile drill --no-fail-fast --test live -- --ignored --test-threads=1 drill::crowd drill::steady::it_degrades

# How many verdicts are wrong, of so many drills of known outcome in each of six classes
verdicts COUNT="50":
    REDRILL_DRILLS={{COUNT}} cargo test --locked --test live -- --ignored drill::verdicts

# Regions that all take writes come to hold the same: each scenario, `lww` and `crdt`, so many seeds
converges SEEDS="20":
    REDRILL_SEEDS={{SEEDS}} cargo test --locked --test live -- --ignored drill::converges

# Leases with confirmed writes, MULTI and INCR on so many seeds: half of them calm, half while slots move
never-accused SEEDS="100":
    REDRILL_SEEDS={{SEEDS}} cargo test --locked --test live -- drill::never_accused

# Only the tests that need no server
unit:
    cargo test --locked --lib

# Format the code
fmt:
    cargo fmt

# Is the code formatted?
fmt-check:
    cargo fmt --check

# Lints, warnings denied
lint:
    cargo clippy --locked --all-targets -- -D warnings

# Measure redrill against what a person would use instead; prints ratios
bench *ARGS:
    cargo bench --locked --bench peers -- {{ARGS}}

# Write what is generated: the JSON schemas (tests hold that they are current)
generate: build
    {{redrill}} schema topology > schemas/topology.json
    {{redrill}} schema scenario > schemas/scenario.json
    {{redrill}} schema report > schemas/report.json

# Bring a topology up in the background (`just down` removes it)
up TOPOLOGY *ARGS: build
    {{redrill}} up {{TOPOLOGY}} {{ARGS}}

# Remove what `just up` brought up
down *ARGS: build
    {{redrill}} down {{ARGS}}
