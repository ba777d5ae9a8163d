"""Starts applications as offhost-exec does, with a listening socket as file descriptor 3, and speaks with them."""

import contextlib
import csv
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
import unittest

from environments import cache, environment
from starters import EXAMPLES, PYTHON, REPOSITORY, StarterTest, account
from visitor import AT_THREE, Connection, WebSocket

PREFIX = "/content/sales"
PUBLIC = "apps.example.test"
# What the gateway says of a request.
FORWARDED = {
    "Host": PUBLIC,
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": PUBLIC,
    "X-Forwarded-Port": "443",
    "X-Forwarded-Prefix": PREFIX,
}
# In seconds: slow machines load large frameworks slowly.
PATIENCE = 120


class Answer:
    def __init__(self, response):
        self.code = response.status
        self.headers = response.headers
        self.body = response.read()
        self.text = self.body.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.text)


class Tunnel(WebSocket):
    """A WebSocket through the gateway, frame by frame."""

    def __init__(self, address, path, headers=None, protocols=""):
        told = {**FORWARDED, "Origin": f"https://{PUBLIC}", **(headers or {})}
        del told["Host"]
        if protocols:
            told["Sec-WebSocket-Protocol"] = protocols
        super().__init__(address, path, **told)

    def send(self, data):
        self.send_frame(*((1, data.encode()) if isinstance(data, str) else (2, data)))

    def send_frame(self, code, payload):
        mask = os.urandom(4)
        size = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + struct.pack("!H", len(payload))
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        self.sock.sendall(bytes([0x80 | code]) + size + mask + masked)

    def frame(self):
        """The kind and the payload of the next frame; pings are answered."""
        head = self.file.read(2)
        if len(head) < 2:
            return 8, struct.pack("!H", 1006)
        size = head[1] & 127
        if size > 125:
            size = int.from_bytes(self.file.read(2 if size == 126 else 8), "big")
        code, payload = head[0] & 15, self.file.read(size)
        if code == 9:
            # The end may be under way already, with its last frame still to be read.
            with contextlib.suppress(OSError):
                self.send_frame(10, payload)
            return self.frame()
        return code, payload

    def until(self, wanted):
        """The first payload that has these bytes in it."""
        while True:
            kind, payload = self.frame()
            if kind == 8:
                raise AssertionError(f"closed with {payload!r} before {wanted!r} came")
            if wanted in payload:
                return payload

    def closing_code(self):
        while True:
            kind, payload = self.frame()
            if kind == 8:
                return struct.unpack("!H", payload[:2])[0] if payload else 1005


class Running:
    """An application that was started."""

    def __init__(self, process, address, ready_file):
        self.process = process
        self.address = address
        self.ready_file = ready_file
        self.output = []
        self.reader = threading.Thread(target=lambda: self.output.extend(process.stdout), daemon=True)
        self.reader.start()

    def log(self):
        return "".join(self.output)

    def is_ready(self):
        return os.path.exists(self.ready_file)

    def wait_ready(self):
        limit = time.monotonic() + PATIENCE
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > limit:
                self.reader.join(5)
                raise AssertionError(f"not ready, exit code {self.process.poll()}\n{self.log()}")
            time.sleep(0.02)
        return self

    def ask(self, path, method="GET", body=None, **headers):
        connection = Connection(self.address)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, {**FORWARDED, **named})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def stream(self, path, **headers):
        """A connection and its response, whose body is not read yet."""
        connection = Connection(self.address)
        connection.request("GET", path, headers={**FORWARDED, **headers})
        return connection, connection.getresponse()

    def websocket(self, path, **more):
        return Tunnel(self.address, path, **more)

    def stop(self, within=15):
        """Sends SIGTERM and gives the exit code and the seconds it took."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.ended(within), time.monotonic() - begun

    def ended(self, within=PATIENCE):
        code = self.process.wait(within)
        self.reader.join(5)
        return code

    def children(self):
        """Processes below this one, at any depth."""
        table = subprocess.run(["ps", "-eo", "pid=,ppid="], stdout=subprocess.PIPE, encoding="ascii", check=True).stdout
        pairs = [tuple(map(int, line.split())) for line in table.splitlines()]
        found, more = set(), {self.process.pid}
        while more:
            more = {pid for pid, parent in pairs if parent in more} - found
            found |= more
        return found


class ServeTest(StarterTest):
    """A test that starts applications in `self.app`."""

    python = PYTHON

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        servers = os.path.join(cache(), "tests-servers")
        subprocess.run([os.path.join(REPOSITORY, "scripts", "fetch-servers"), servers], check=True)
        cls.servers = servers

    def setUp(self):
        super().setUp()
        shutil.copytree(self.servers, os.path.join(self.runtime, "servers"))

    def listen(self, family):
        made = socket.socket(family)
        if family == socket.AF_UNIX:
            # Where only the server can enter: the application can neither remove nor replace it.
            private = os.path.join(self.place, "private")
            os.makedirs(private, mode=0o700, exist_ok=True)
            address = os.path.join(private, f"{time.monotonic_ns()}.sock")
            made.bind(address)
        else:
            made.bind(("127.0.0.1", 0))
            address = made.getsockname()[1]
        made.listen(128)
        return made, address

    def start(self, kind, entrypoint, prefix=PREFIX, family=socket.AF_UNIX, words=(), **env):
        made, address = self.listen(family)
        sign = os.path.join(self.directory("tmp/.offhost"), f"ready-{time.monotonic_ns()}")
        command = [self.python, os.path.join(self.runtime, "serve_python.py"), "--kind", kind, "--entrypoint", entrypoint,
                   "--listen", "fd:3", "--ready-file", sign, "--prefix", prefix, *words]
        who = account()
        options = {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []} if who else {}
        with made:
            process = subprocess.Popen(
                [PYTHON, "-I", "-S", "-c", AT_THREE, str(made.fileno()), *command],
                pass_fds=[made.fileno()], cwd=self.app, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, encoding="utf-8", errors="replace",
                env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "TMPDIR": self.tmp, **env}, **options,
            )
        running = Running(process, address, sign)
        self.addCleanup(self.end, running)
        return running

    def end(self, running):
        below = running.children()
        for pid in (running.process.pid, *below):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        running.process.wait()
        running.reader.join(5)
        running.process.stdout.close()

    def assert_not_started(self, running, *parts):
        """Ended with one sentence that says these things, and never said that it was ready."""
        self.assertNotEqual(running.ended(), 0, running.log())
        self.assertFalse(running.is_ready())
        sentences = [line for line in running.log().splitlines() if line.startswith("Error: ")]
        self.assertEqual(len(sentences), 1, running.log())
        for part in parts:
            self.assertIn(part, sentences[0])

    def assert_stops(self, running, below=10):
        code, seconds = running.stop()
        self.assertEqual(code, 0, running.log())
        self.assertLess(seconds, below, running.log())


def total(region=None, year=None):
    """What the examples are to show, from the data they all have."""
    with open(os.path.join(EXAMPLES, "notebook", "sales.csv"), newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if region in (None, row["region"]) and year in (None, row["year"])]
    return sum(int(row["sales"]) for row in rows)


class FrameworkTest(ServeTest):
    """An example of examples/apps in the environment that it asks for."""

    app_name = None
    # Other packages than the example's own.
    packages = None

    @classmethod
    def setUpClass(cls):
        if os.environ.get("OFFHOST_TEST_NETWORK", "1") != "1":
            raise unittest.SkipTest("OFFHOST_TEST_NETWORK is not 1: the packages come from pip's index")
        super().setUpClass()
        packages = cls.packages
        if packages is None:
            with open(os.path.join(EXAMPLES, "apps", cls.app_name, "requirements.txt"), encoding="utf-8") as file:
                packages = file.read().split()
        place, cls.python = environment(*packages)
        cls.addClassCleanup(shutil.rmtree, place, ignore_errors=True)

    def example_app(self):
        self.example(os.path.join("apps", self.app_name))
        with open(os.path.join(self.app, "manifest.json"), encoding="utf-8") as file:
            return json.load(file)["metadata"]

    def start_example(self, **more):
        told = self.example_app()
        return self.start(told["appmode"], told["entrypoint"], **more)
