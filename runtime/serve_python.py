"""Serves one Python application on a socket that listens already.

    python serve_python.py --kind KIND --entrypoint E [--listen fd:3|unix:PATH|tcp:PORT] [--ready-file F] [--prefix P]

The application's directory is the working directory. Requests that come before the application is loaded wait in the
socket's queue. The file F is made when it can answer.
"""

import argparse
import importlib
import os
import signal
import socket
import stat
import sys
import threading
import types

HERE = os.path.dirname(os.path.abspath(__file__))
# The other files are modules of this package, under a name that no content has: they never shadow the content's own.
PACKAGE = "offhost_starter"
# How many connections wait while the application is loaded; the kernel lowers it to its own limit.
BACKLOG = 4096
# For threads that do not end after the server has; then the process is ended without them.
LAST_SECONDS = 3

KINDS = {
    "python-api": "serve_wsgi",
    "python-dash": "serve_dash",
    "python-fastapi": "serve_asgi",
    "python-shiny": "serve_shiny",
    "python-gradio": "serve_gradio",
    "python-streamlit": "serve_streamlit",
    "python-bokeh": "serve_bokeh",
    "python-panel": "serve_bokeh",
    "jupyter-voila": "serve_voila",
}


def make_package():
    package = types.ModuleType(PACKAGE)
    package.__path__ = [HERE]
    sys.modules[PACKAGE] = package
    sys.path = [entry for entry in sys.path if os.path.abspath(entry or ".") != HERE]


def load(name):
    return importlib.import_module(f"{PACKAGE}.{name}")


def end_before_ready(_signal, _frame):
    """At once, whatever is being loaded; also for a process 1, which the kernel would not end.

    The servers put their own handler in its place.
    """
    os._exit(0)


def inherited(number, failure):
    try:
        if not stat.S_ISSOCK(os.fstat(number).st_mode):
            raise failure(f"file descriptor {number} is no socket: start this with a listening one, or use --listen tcp:PORT")
        made = socket.socket(fileno=number)
    except OSError:
        raise failure(f"file descriptor {number} is not open: start this with a listening socket, or use --listen tcp:PORT")
    if made.type != socket.SOCK_STREAM or not made.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise failure(f"file descriptor {number} is no listening stream socket")
    return made


def listening(where, failure):
    """The socket to serve on, not handed to children."""
    how, _, rest = where.partition(":")
    try:
        if how == "fd" and rest.isdigit():
            made = inherited(int(rest), failure)
        elif how == "unix" and rest:
            made = socket.socket(socket.AF_UNIX)
            made.bind(rest)
            made.listen(BACKLOG)
        elif how == "tcp" and rest.isdigit():
            made = socket.socket(socket.AF_INET)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(("127.0.0.1", int(rest)))
            made.listen(BACKLOG)
        else:
            raise failure(f"--listen {where} is none of fd:NUMBER, unix:PATH and tcp:PORT")
    except OSError as error:
        raise failure(f"can not listen on {where}: {error.strerror or error}")
    made.set_inheritable(False)
    made.setblocking(False)
    return made


def prepare_environment():
    """Where frameworks write, unless somebody has said so: the home directory may be read-only or shared."""
    temporary = os.environ.get("TMPDIR") or "/tmp"
    for name, place in (("MPLCONFIGDIR", "matplotlib"), ("GRADIO_TEMP_DIR", "gradio"), ("NUMBA_CACHE_DIR", "numba")):
        os.environ.setdefault(name, os.path.join(temporary, place))
    # What is printed is seen at once, in kernels and other children too.
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)


def parse_arguments():
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--kind", required=True, choices=sorted(KINDS))
    parser.add_argument("--entrypoint", default="")
    parser.add_argument("--listen", default="fd:3")
    parser.add_argument("--ready-file", default="")
    parser.add_argument("--prefix", default="")
    return parser.parse_args()


def finish(code):
    """Ends even if threads of the application do not."""
    last = threading.Timer(LAST_SECONDS, os._exit, [code])
    last.daemon = True
    last.start()
    sys.exit(code)


def main():
    signal.signal(signal.SIGTERM, end_before_ready)
    options = parse_arguments()
    make_package()
    common = load("serve_common")
    code = 0
    try:
        prepare_environment()
        job = common.Job(
            kind=options.kind,
            entrypoint=options.entrypoint,
            prefix=options.prefix.rstrip("/"),
            sock=listening(options.listen, common.Failure),
            ready=common.Ready(options.ready_file),
        )
        # The application sees no options that are not its own.
        del sys.argv[1:]
        load(KINDS[options.kind]).serve(job)
    except common.Failure as failure:
        common.say(f"Error: {failure}.")
        code = 1
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finish(code)


if __name__ == "__main__":
    main()
