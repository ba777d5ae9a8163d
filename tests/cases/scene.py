"""What lies around every sandbox: a secret that is masked, places outside, and a process of the same account."""

import ctypes
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile

# One of its own, which has no entry anywhere: another run on this machine must not meet its processes.
ACCOUNT = 200_000 + os.getpid() % 100_000
PYTHON = "/usr/bin/python3"
HERE = os.path.dirname(os.path.abspath(__file__))

# A process outside that holds the secret in every way a process can; it ends with its standard input.
OUTSIDER = """
import ctypes, os, socket, sys, threading
masked, name = sys.argv[1:3]
os.chdir(masked)
kept = [os.open('.', os.O_RDONLY), open('secret'), open('secret').read()]
libc = ctypes.CDLL(None)
libc.shmat.restype = ctypes.c_void_p
segment = libc.shmget(int(sys.argv[3]), 4096, 0o1666)
secret = os.environ['SECRET'].encode()
ctypes.memmove(libc.shmat(segment, None, 0), secret, len(secret))
with open('/dev/shm/' + name, 'wb') as file:
    file.write(secret)
listener = socket.socket(socket.AF_UNIX)
listener.bind('\\0' + name)
listener.listen()
def serve():
    while True:
        client, _ = listener.accept()
        client.sendall(secret)
        client.close()
threading.Thread(target=serve, daemon=True).start()
print('ready', flush=True)
sys.stdin.read()
os.unlink('/dev/shm/' + name)
libc.shmctl(segment, 0, None)
"""


def sh(*words):
    subprocess.run(words, check=True)


def handle_of(path):
    """The kernel's handle of a file, which needs no path to be opened with."""
    blob = ctypes.create_string_buffer(136)
    ctypes.c_int.from_buffer(blob).value = 128
    mount = ctypes.c_int()
    if ctypes.CDLL(None).name_to_handle_at(-100, path.encode(), blob, ctypes.byref(mount), 0):
        return [0, ""]
    size, kind = (int.from_bytes(blob.raw[at : at + 4], "little") for at in (0, 4))
    return [kind, blob.raw[8 : 8 + size].hex()]


class Scene:
    """A directory of its own on this machine, in a mount namespace of its own."""

    def __init__(self, helper):
        self.base = os.path.realpath(tempfile.mkdtemp(prefix="sandbox-cases-"))
        self.number = 0
        self.secret = "s3cr3t-" + secrets.token_hex(16)
        os.chmod(self.base, 0o755)
        self.data, self.credentials = self.path("data"), self.path("credentials")
        self.make("data", mode=0o777)
        self.write("data/secret", self.secret)
        self.write("credentials", self.secret)
        self.make("data/nested")
        sh("mount", "-t", "tmpfs", "-o", "mode=0755", "none", self.path("data/nested"))
        self.write("data/nested/secret", self.secret)
        self.make("alias")
        sh("mount", "--bind", self.data, self.path("alias"))
        self.make("other-proc")
        sh("mount", "-t", "proc", "proc", self.path("other-proc"))
        shutil.copy("/usr/bin/id", self.path("id"))
        os.chmod(self.path("id"), 0o6755)
        self.make("shown")
        self.make("source", owner=ACCOUNT)
        self.write("source/file", "shown")
        self.make("source/below")
        sh("mount", "-t", "tmpfs", "-o", "mode=0777", "none", self.path("source/below"))
        sh("mknod", "-m", "666", self.path("source/null"), "c", "1", "3")
        self.helper = None
        if helper:
            self.helper = self.path("offhost-exec")
            shutil.copy(helper, self.helper)
            os.chmod(self.helper, 0o755)
        self.process = None

    def path(self, name):
        return os.path.join(self.base, name)

    def make(self, name, owner=0, mode=0o755):
        path = self.path(name)
        os.makedirs(path, exist_ok=True)
        os.chown(path, owner, owner)
        os.chmod(path, mode)
        return path

    def fresh(self, owner=ACCOUNT, mode=0o755):
        """A new directory."""
        self.number += 1
        return self.make(f"fresh-{self.number}", owner, mode)

    def write(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)
        os.chmod(self.path(name), 0o666)

    def outsider(self):
        """The process outside; another one where a case has ended it."""
        if self.process is None or self.process.poll() is not None:
            self.name = f"sandbox-cases-{os.getpid()}-{secrets.token_hex(4)}"
            self.key = secrets.randbelow(1 << 30) + 1
            self.process = subprocess.Popen(
                [PYTHON, "-I", "-S", "-c", OUTSIDER, self.data, self.name, str(self.key)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, user=ACCOUNT, group=ACCOUNT, extra_groups=[],
                env={"SECRET": self.secret})
            if self.process.stdout.readline() != b"ready\n":
                raise SystemExit("the process outside could not be started")
        return self.process

    def config(self, more):
        """What a probe is told."""
        return json.dumps({
            "masked": self.data, "credentials": self.credentials, "base": self.base, "account": ACCOUNT,
            "pid": self.outsider().pid, "name": self.name, "key": self.key,
            "handle": handle_of(self.data + "/secret"), **more})

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait()
        for line in reversed(open("/proc/self/mounts").readlines()):
            path = line.split()[1]
            if path.startswith(self.base + "/"):
                subprocess.run(["umount", "-l", path], check=False)
        shutil.rmtree(self.base)


def in_own_namespace():
    """Starts this program again where its mounts are its own."""
    if os.environ.get("SANDBOX_CASES_INSIDE") != "1":
        os.environ["SANDBOX_CASES_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "-m", "--propagation", "private", PYTHON, *sys.argv])


def processes(account=ACCOUNT, besides=()):
    """The living processes of the account."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/status") as file:
                status = file.read()
        except OSError:
            continue
        if f"\nUid:\t{account}\t" in status and "State:\tZ" not in status and int(pid) not in besides:
            found.append(int(pid))
    return found


def end_all(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
