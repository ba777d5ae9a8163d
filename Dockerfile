# The images of offhost: `docker build .` makes the server's, `docker build --target exec .` the one that is mounted
# into every content Pod.

FROM docker.io/library/rust:1.95-bookworm AS build
WORKDIR /build
COPY . .
# `--build-arg PROFILE=dev` for a quick build.
ARG PROFILE=release
# offhost-exec runs in images of any kind, whatever C library they have, so that it is linked statically. That is a
# matter of its last step: everything before is shared with the server.
RUN cargo build --profile "$PROFILE" --locked --bin offhost \
    && cargo rustc --profile "$PROFILE" --locked --bin offhost-exec -- -C target-feature=+crt-static \
    && built=target/$(echo "$PROFILE" | sed 's/^dev$/debug/') \
    && install -D -t /image/server "$built/offhost" "$built/offhost-exec" \
    && install -D -t /image/exec/bin "$built/offhost-exec" \
    && cp -R runtime /image/exec/runtime \
    && mkdir /image/exec/inputs /image/exec/source

# Mounted whole and read-only at /opt/offhost. The empty directories are places for mounts of a Pod.
FROM scratch AS exec
COPY --from=build /image/exec/ /
ENTRYPOINT ["/bin/offhost-exec"]

FROM docker.io/library/debian:bookworm-slim AS server
# The account that content runs as unless it names another, with the number it has in content images by default.
RUN groupadd --system --gid 999 rstudio-connect \
    && useradd --system --uid 999 --gid 999 --no-create-home --home-dir /opt/rstudio-connect \
        --shell /usr/sbin/nologin rstudio-connect
COPY --from=build /image/server/ /usr/local/bin/
USER 999:999
ENTRYPOINT ["offhost"]
