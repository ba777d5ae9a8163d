"""Programs that are built from their Go modules, once for each set of versions, and kept."""

import fcntl
import hashlib
import os
import subprocess

from server import HERE, cache

PACKAGES = {
    "dex": "github.com/dexidp/dex/cmd/dex",
    "oauth2-proxy": "github.com/oauth2-proxy/oauth2-proxy/v7",
}


def program(name):
    """The program that programs/NAME/go.mod asks for."""
    package = PACKAGES[name]
    source = os.path.join(HERE, "programs", name)
    digest = hashlib.sha256(package.encode())
    for file in ("go.mod", "go.sum"):
        with open(os.path.join(source, file), "rb") as text:
            digest.update(text.read())
    place = os.path.join(cache(), f"{name}-{digest.hexdigest()[:12]}")
    os.makedirs(place, exist_ok=True)
    built = os.path.join(place, name)
    with open(os.path.join(place, "lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(built):
            # The toolchain that is here, not one that go.mod would have fetched.
            env = {**os.environ, "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-mod=readonly", "CGO_ENABLED": "0"}
            subprocess.run(["go", "build", "-trimpath", "-ldflags", "-s -w", "-o", f"{built}.new", package], cwd=source,
                           env=env, check=True)
            # A build that was interrupted must not look like a finished one.
            os.replace(f"{built}.new", built)
    return built
