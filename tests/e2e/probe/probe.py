"""Prints what a process of content sees and can do, one fact a line, and ends with the exit code of its first argument."""

import os
import resource
import sys

PLACES = sys.argv[2].split(":")
MOUNTED = ("/opt/offhost", "/opt/rstudio-connect/", "/tmp", "/var/tmp", "/dev/shm", "/home")


def say(kind, *facts):
    print(kind, *facts)


def ability(action):
    try:
        action()
        return "yes"
    except OSError:
        return "no"


def entries(path):
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []


def write(path):
    name = os.path.join(path, f"probe-{os.getpid()}")
    with open(name, "w") as file:
        file.write("x")
    os.remove(name)


def read(path):
    with open(path, "rb") as file:
        file.read(1)


def place(path):
    if os.path.isdir(path):
        say("place", path, "lists", len(entries(path)), "writes", ability(lambda: write(path)))
    else:
        say("place", path, "lists 0 writes no", "reads", ability(lambda: read(path)))


def status():
    wanted = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")
    with open("/proc/self/status") as file:
        for line in file:
            name, _, value = line.partition(":")
            if name in wanted:
                say("status", name, value.strip())


def mounts():
    with open("/proc/self/mountinfo") as file:
        found = {fields[4]: fields[5].split(",")[0] for fields in map(str.split, file)}
    for path in sorted(found):
        if path.startswith(MOUNTED):
            say("mount", path, found[path])


def main():
    for number, word in enumerate(sys.argv):
        say("argument", number, repr(word))
    say("directory", os.getcwd())
    for name in sorted(os.environ):
        say("variable", name, repr(os.environ[name]))
    say("account", os.getuid(), os.geteuid(), os.getgid(), os.getegid(), sorted(os.getgroups()))
    mask = os.umask(0o22)
    say("umask", oct(mask))
    for name in ("CORE", "FSIZE", "NOFILE"):
        say("limit", name, *resource.getrlimit(getattr(resource, f"RLIMIT_{name}")))
    status()
    say("session", "own" if os.getsid(0) == os.getpid() else "another's")
    say("terminal", ability(lambda: os.close(os.open("/dev/tty", os.O_RDWR))))
    say("input", os.readlink("/proc/self/fd/0"))
    say("descriptors", [int(name) for name in entries("/proc/self/fd") if int(name) < 3 or os.path.exists(f"/proc/self/fd/{name}")])
    say("bundle", entries("."))
    mounts()
    for path in PLACES:
        place(os.path.expandvars(path))
    sys.exit(int(sys.argv[1]))


main()
