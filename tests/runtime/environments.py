"""Environments with real frameworks, made by install_python.py and kept between runs."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile

from starters import PYTHON, RUNTIME


def cache():
    return os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "offhost")


def kept(requirements, python):
    """The directory of an environment in the cache, made where it is not there yet."""
    version = subprocess.run([python, "--version"], stdout=subprocess.PIPE, encoding="utf-8", check=True).stdout
    digest = hashlib.sha256("\n".join([version, *sorted(requirements)]).encode()).hexdigest()[:16]
    place = os.path.join(cache(), f"apps-{digest}")
    os.makedirs(place, exist_ok=True)
    with open(os.path.join(place, "lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        env = os.path.join(place, "env")
        # Written when everything is installed.
        if not os.path.exists(os.path.join(env, "requirements.txt.lock")):
            shutil.rmtree(env, ignore_errors=True)
            wanted = os.path.join(place, "requirements.txt")
            with open(wanted, "w", encoding="utf-8") as file:
                file.write("".join(f"{one}\n" for one in requirements))
            subprocess.run([python, os.path.join(RUNTIME, "install_python.py"), "--env", env, "--requirements", wanted],
                           check=True, stdout=subprocess.DEVNULL)
    return env


def environment(*requirements, python=PYTHON):
    """A copy that the starters' account can read, for the caller to remove, and its interpreter."""
    place = tempfile.mkdtemp(prefix="offhost-apps-", dir="/var/tmp")
    os.chmod(place, 0o755)
    env = os.path.join(place, "env")
    source = kept(requirements, python)
    # Hard links where both are on one file system.
    if subprocess.run(["cp", "-al", source, env], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        shutil.rmtree(env, ignore_errors=True)
        subprocess.run(["cp", "-a", source, env], check=True)
    return place, os.path.join(env, "bin", "python")
