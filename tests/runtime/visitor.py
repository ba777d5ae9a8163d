"""Starts a serving starter the way offhost-exec does, and visits what it serves: HTTP and WebSocket, standard library only."""

import base64
import http.client
import json
import os
import signal
import socket
import struct
import subprocess
import time

from starters import PYTHON, StarterTest, account

LONG = 60
# Puts the listening socket at descriptor 3, as the helper does, and nothing else above the standard streams.
AT_THREE = "import os, sys; n = int(sys.argv[1]); os.dup2(n, 3); n == 3 or os.close(n); os.execvp(sys.argv[2], sys.argv[2:])"


class Connection(http.client.HTTPConnection):
    def __init__(self, place):
        super().__init__("apps.example.test", timeout=LONG)
        self.place = place

    def connect(self):
        self.sock = connect(self.place)


def connect(place):
    """A connection to a path or a port."""
    family = socket.AF_UNIX if isinstance(place, str) else socket.AF_INET
    peer = socket.socket(family, socket.SOCK_STREAM)
    peer.settimeout(LONG)
    peer.connect(place if isinstance(place, str) else ("127.0.0.1", place))
    return peer


class WebSocket:
    """As much of RFC 6455 as a test needs."""

    def __init__(self, place, path, **headers):
        self.sock = connect(place)
        self.file = self.sock.makefile("rb")
        lines = [f"GET {path} HTTP/1.1", "Host: apps.example.test", "Upgrade: websocket", "Connection: Upgrade",
                 "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.status = int(self.file.readline().split()[1])
        while self.file.readline().strip():
            pass

    def send(self, text):
        data, mask = text.encode(), os.urandom(4)
        size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack("!H", len(data))
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
        self.sock.sendall(b"\x81" + size + mask + masked)

    def receive(self):
        """The next message, or None at the end."""
        head = self.file.read(2)
        if len(head) < 2 or head[0] & 0xF == 8:
            return None
        size = head[1] & 0x7F
        if size == 126:
            size = struct.unpack("!H", self.file.read(2))[0]
        elif size == 127:
            size = struct.unpack("!Q", self.file.read(8))[0]
        data = self.file.read(size)
        return self.receive() if head[0] & 0xF in (9, 10) else data.decode()

    def until(self, wanted):
        """The first message with this text."""
        end = time.monotonic() + LONG
        while time.monotonic() < end:
            message = self.receive()
            if message is None or wanted in message:
                return message
        raise AssertionError(f"no message has '{wanted}'")

    def close(self):
        self.file.close()
        self.sock.close()


class ShinySession(WebSocket):
    """A session of Shiny, as its own client opens one."""

    def __init__(self, place, inputs, path="/websocket/", **headers):
        super().__init__(place, path, **headers)
        self.send(json.dumps({"method": "init", "data": {".clientdata_url_search": "", **inputs}}))

    def update(self, inputs):
        self.send(json.dumps({"method": "update", "data": inputs}))

    def call(self, method, *args):
        self.send(json.dumps({"method": method, "args": args, "tag": 1}))
        return json.loads(self.until('"response"'))["response"]["value"]


class ServeTest(StarterTest):
    """A test of what serves: `self.ready` is the ready file, `self.socket` the path to listen on."""

    def setUp(self):
        super().setUp()
        place = self.directory("tmp/.offhost")
        self.ready = os.path.join(place, "ready")
        self.socket = os.path.join(place, "app.sock")

    def start(self, command, listener=None, **env):
        base = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "TMPDIR": self.tmp, "LANG": "C.UTF-8"}
        base.update(env)
        if listener:
            command = [PYTHON, "-I", "-S", "-c", AT_THREE, str(listener.fileno()), *command]
        who = account()
        options = {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []} if who else {}
        self.log = os.path.join(self.place, f"log-{len(os.listdir(self.place))}")
        with open(self.log, "wb") as log:
            process = subprocess.Popen(
                command, cwd=self.app, env=base, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                pass_fds=[listener.fileno()] if listener else [], start_new_session=True, **options)
        self.addCleanup(end, process)
        return process

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def wait_ready(self, process, seconds=LONG):
        end_at = time.monotonic() + seconds
        while not os.path.exists(self.ready):
            self.assertIsNone(process.poll(), self.said())
            self.assertLess(time.monotonic(), end_at, self.said())
            time.sleep(0.01)

    def wait_ended(self, process, seconds=LONG):
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.fail(self.said())

    def get(self, path="/", method="GET", body=None, place=None, **headers):
        """Status and text of one request."""
        connection = Connection(place or self.socket)
        try:
            connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()


def end(process):
    """Ends the process and whatever it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
