"""An `offhost serve` with applications of its own, and visits to it."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
OFFHOST = os.environ.get("OFFHOST", os.path.join(ROOT, "target", "debug", "offhost"))
LONG = 120
# The network is for packages, root for the sandbox as another account.
MISSING = [f"{name}=1" for name in ("OFFHOST_TEST_ROOT", "OFFHOST_TEST_NETWORK") if os.environ.get(name) != "1"]


def cache():
    return os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "offhost")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """One server, in a place of its own. A place that is given is kept, for the packages that are installed there."""

    def __init__(self, settings="", place=None):
        self.kept = place is not None
        self.place = place or tempfile.mkdtemp(prefix="offhost-serve-", dir="/var/tmp")
        os.makedirs(self.place, exist_ok=True)
        os.chmod(self.place, 0o755)
        for name in ("data", "tmp", "etc", "content"):
            os.makedirs(os.path.join(self.place, name), exist_ok=True)
        os.chmod(os.path.join(self.place, "tmp"), 0o1777)
        self.port, self.admin = free_port(), free_port()
        self.config = os.path.join(self.place, "etc", "offhost.gcfg")
        self.log = os.path.join(self.place, "server.log")
        self.process = None
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f"[Server]\nDataDir = {self.place}/data\nTempDir = {self.place}/tmp\n"
                       f"[HTTP]\nListen = 127.0.0.1:{self.port}\n"
                       "[Python]\nEnabled = true\nExecutable = /usr/bin/python3\n[NodeJs]\nEnabled = true\n"
                       f"{settings}\n")

    def serve(self, name, bundle, **spec):
        """Writes the manifest of an application."""
        manifest = {"apiVersion": "offhost.dev/v1alpha1", "kind": "ContentApp", "metadata": {"name": name},
                    "spec": {"bundle": {"path": bundle}, **spec}}
        path = os.path.join(self.place, "content", f"{name}.json")
        with open(f"{path}.new", "w", encoding="utf-8") as file:
            json.dump(manifest, file)
        os.replace(f"{path}.new", path)

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [OFFHOST, "serve", "--config", self.config, "--manifests", os.path.join(self.place, "content"),
                 "--admin-listen", f"127.0.0.1:{self.admin}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/")
        self.wait(lambda: self.answers(self.admin, "/readyz"), "the server gets ready")
        return self

    def answers(self, port, path):
        try:
            return self.get(path, port=port)[0] == 200
        except OSError:
            return False

    def wait(self, is_true, what, seconds=LONG):
        end = time.monotonic() + seconds
        while not is_true():
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"{what}: not so after {seconds} s\n{self.said()}")
            time.sleep(0.05)

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()[-8000:]

    def get(self, path, method="GET", body=None, port=None, timeout=LONG, **headers):
        """Status, headers and body of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=timeout)
        try:
            connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def address(self, name):
        return f"http://127.0.0.1:{self.port}/content/{name}/"

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGTERM)
                self.process.wait(30)
        return self.process.returncode if self.process else None

    def remove(self):
        self.stop()
        if not self.kept:
            shutil.rmtree(self.place, ignore_errors=True)


def visitors():
    """The directory with the npm packages of the visitors, installed by their lock."""
    place = os.path.join(cache(), "visitors")
    os.makedirs(place, exist_ok=True)
    lock = os.path.join(HERE, "package-lock.json")
    mark = os.path.join(place, "node_modules", ".lock-of-tests")
    with open(lock, encoding="utf-8") as file:
        text = file.read()
    done = ""
    if os.path.exists(mark):
        with open(mark, encoding="utf-8") as file:
            done = file.read()
    if done != text:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(os.path.join(HERE, name), place)
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=place, check=True, stdout=subprocess.DEVNULL)
        with open(mark, "w", encoding="utf-8") as file:
            file.write(text)
    return place


def script(name):
    """A program of the visitors, beside their packages."""
    place = visitors()
    for file in os.listdir(HERE):
        if file.endswith(".js"):
            shutil.copy(os.path.join(HERE, file), os.path.join(place, file))
    return os.path.join(place, name)


def python_with(*requirements):
    """A Python with these packages."""
    sys.path.insert(0, os.path.join(ROOT, "tests", "runtime"))
    import environments

    return os.path.join(environments.kept(requirements, "/usr/bin/python3"), "bin", "python")


@unittest.skipIf(MISSING, f"it runs applications in the sandbox, with real packages; set {' '.join(MISSING)} to run it")
class ServeTest(unittest.TestCase):
    settings = ""
    place = None

    @classmethod
    def setUpClass(cls):
        cls.server = Server(cls.settings, cls.place)
        cls.addClassCleanup(cls.server.remove)

    def visit(self, *command, **env):
        """Runs a visitor, whose lines are shown where it fails."""
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", timeout=600,
                              check=False, env={**os.environ, **env})
        self.assertEqual(done.returncode, 0, f"{done.stdout}\n--- server\n{self.server.said()}")
        return done.stdout
