# The images of offhost: `docker build .` makes the server's, `docker build --target exec .` the one that is mounted
# into every content Pod, `docker build --target builder .` that of `offhost builder`, which has git and ssh besides.

FROM docker.io/library/rust:1.95-bookworm AS build
WORKDIR /build
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends libpam0g-dev \
    && rm -rf /var/lib/apt/lists/*
COPY . .
# `--build-arg PROFILE=dev` for a quick build.
ARG PROFILE=release
# offhost-exec runs in images of any kind, whatever C library they have, so that it is linked statically. That is a
# matter of its last step: everything before is shared with the server.
RUN cargo build --profile "$PROFILE" --locked --bin offhost --bin offhost-pam \
    && cargo rustc --profile "$PROFILE" --locked --bin offhost-exec -- -C target-feature=+crt-static \
    && built=target/$(echo "$PROFILE" | sed 's/^dev$/debug/') \
    && install -D -t /image/server "$built/offhost" "$built/offhost-exec" "$built/offhost-pam" \
    && install -D -t /image/exec/bin "$built/offhost-exec" \
    && cp -R runtime /image/exec/runtime \
    && mkdir -p /image/exec/inputs /image/exec/source /image/exec/build/source /image/exec/build/output

# The servers for Python applications that bring none; see runtime/servers.lock.
FROM docker.io/library/debian:bookworm-slim AS servers
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends ca-certificates python3-pip \
    && rm -rf /var/lib/apt/lists/*
COPY runtime/servers.lock /build/runtime/
COPY scripts/fetch-servers /build/scripts/
RUN /build/scripts/fetch-servers /servers

# Mounted whole and read-only at /opt/offhost. The empty directories are places for mounts of a Pod.
FROM scratch AS exec
COPY --from=build /image/exec/ /
COPY --from=servers /servers/ /runtime/servers/
ENTRYPOINT ["/bin/offhost-exec"]

# What asks Git repositories and has packages built in Pods; no package is built in it.
FROM docker.io/library/debian:bookworm-slim AS builder
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends ca-certificates git openssh-client \
    && rm -rf /var/lib/apt/lists/*
# With the numbers of the account of content images, which packages are built as.
RUN groupadd --system --gid 999 rstudio-pm \
    && useradd --system --uid 999 --gid 999 --no-create-home --home-dir /var/lib/rstudio-pm \
        --shell /usr/sbin/nologin rstudio-pm
COPY --from=build /image/server/offhost /usr/local/bin/
USER 999:999
ENTRYPOINT ["offhost"]

FROM docker.io/library/debian:bookworm-slim AS server
# What offhost-pam is linked with is in every Debian; the modules of usual services are named, so that they stay.
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends libpam0g libpam-modules \
    && rm -rf /var/lib/apt/lists/*
# The account that content runs as unless it names another, with the number it has in content images by default.
RUN groupadd --system --gid 999 rstudio-connect \
    && useradd --system --uid 999 --gid 999 --no-create-home --home-dir /opt/rstudio-connect \
        --shell /usr/sbin/nologin rstudio-connect
COPY --from=build /image/server/ /usr/local/bin/
USER 999:999
ENTRYPOINT ["offhost"]
