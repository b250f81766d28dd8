# redrill in an image of its own, to drill containers from: see compose/redrill.yaml.
#   docker build -t redrill .
FROM rust:1-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin redrill

FROM debian:bookworm-slim
COPY --from=build /src/target/release/redrill /usr/local/bin/redrill
# Run folders land where the caller mounts something.
WORKDIR /work
ENTRYPOINT ["redrill"]
CMD ["--help"]
