"""What every kind of application is served with: the task, the sign of readiness, and the servers that come along."""

import collections
import contextlib
import importlib
import importlib.util
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
# How long requests that have begun may take after SIGTERM, in seconds.
GRACE = 8
# Connections without a request are the gateway's to close: were they closed here, a request could meet the end.
KEEP_ALIVE = 3600

# kind (as in manifest.json), entrypoint, prefix (no slash at the end), sock (listens), ready (call when it can answer)
Job = collections.namedtuple("Job", "kind entrypoint prefix sock ready")


class Failure(Exception):
    """A sentence for the publisher."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def one_line(error):
    return " ".join(str(error).split()) or type(error).__name__


class Ready:
    """Makes the file that says that the application can answer; once."""

    def __init__(self, path):
        self.path = path

    def __call__(self):
        path, self.path = self.path, ""
        if path:
            # Never through a link, and in one step: whoever watches sees it complete.
            with contextlib.suppress(FileExistsError):
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644))


def version_tuple(text):
    return tuple(int(part) for part in text.split(".") if part.isdigit())


def locked(python=sys.version_info[:2]):
    """Name and version of each server in servers.lock that is meant for this Python."""
    with open(os.path.join(HERE, "servers.lock"), encoding="utf-8") as file:
        lines = [line.split() for line in file if line.strip() and not line.startswith("#")]
    for name, version, least, below, _digest in lines:
        if python >= version_tuple(least) and (below == "-" or python < version_tuple(below)):
            yield name, version


def use_server(*names):
    """Makes servers importable, from the content's environment where it has them; the first is the one that is run.

    Ours come at the end of the path, and only those that are missing: nothing of the content's is ever replaced.
    """
    versions = dict(locked())
    for name in names:
        module = name.replace("-", "_")
        if importlib.util.find_spec(module) is None and name in versions:
            place = os.path.join(HERE, "servers", f"{name}-{versions[name]}")
            if os.path.isdir(place):
                sys.path.append(place)
    importlib.invalidate_caches()
    try:
        return importlib.import_module(names[0])
    except ModuleNotFoundError as error:
        raise Failure(
            f"this application is served with {names[0]}, and {error.name} is neither in its environment nor with this"
            " server: have the administrator run scripts/fetch-servers, or add it to requirements.txt"
        )


def need(package, kind):
    """Imports a framework, which only the content can bring."""
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise Failure(f"{kind} needs {error.name}, which is not in the content's environment: add it to requirements.txt")
