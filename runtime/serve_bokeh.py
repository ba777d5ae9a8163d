"""Bokeh and Panel, by their own `serve` commands in this process."""

import logging
import os
import sys

from . import serve_entry, serve_tornado
from .serve_common import Failure, need, one_line

# What Bokeh looks for beside the main.py of an application that is a directory.
PARTS = ("app_hooks.py", "server_lifecycle.py", "request_handler.py", "static", "templates", "theme.yaml")


def listen_words(job):
    """Releases before 3.0 know ports only, and make their socket in a function of their own."""
    from bokeh.command.subcommands.serve import Serve
    from bokeh.server import server

    if any("--unix-socket" in names for names, _ in Serve.args):
        return ["--unix-socket", "inherited"]
    server.bind_sockets = lambda _address, port: ([job.sock], port)
    return []


def words(job, path):
    """The command line. Origins are the gateway's to check: it knows the public hosts."""
    stem = os.path.splitext(os.path.basename(path))[0]
    made = ["serve", path, *listen_words(job), "--allow-websocket-origin", "*", "--use-xheaders"]
    if job.kind == "python-panel":
        # Its page is at the root, with relative addresses: the prefix is none of its business.
        return [*made, "--index", stem]
    return [*made, "--prefix", job.prefix] if job.prefix else made


def target(job):
    """The file, or its directory where that is an application with templates or hooks of its own."""
    path = serve_entry.script(job.entrypoint)
    directory = os.path.dirname(os.path.abspath(path))
    whole = os.path.basename(path) == "main.py" and any(os.path.exists(os.path.join(directory, one)) for one in PARTS)
    return directory if whole else path


def quiet():
    """No access log, and no address that nobody can use."""
    for name in ("tornado.access", "bokeh.command.subcommands.serve"):
        logging.getLogger(name).setLevel(logging.WARNING)


def serve(job):
    name = "panel" if job.kind == "python-panel" else "bokeh"
    need(name, f"a {name.capitalize()} application")
    path = target(job)
    serve_entry.use_application_directory()
    serve_tornado.take_over(job)
    quiet()
    if name == "panel":
        from panel.command import main
    else:
        from bokeh.command.bootstrap import main
    try:
        # Panel reads the command line from here; the application is given one of its own.
        sys.argv = [name, *words(job, path)]
        main(sys.argv) if name == "bokeh" else main()
    except SystemExit as end:
        if end.code:
            raise Failure(f"'{path}' could not be served; what {name} said is above")
    except Exception as error:
        serve_entry.report(error)
        raise Failure(f"'{path}' could not be served: {type(error).__name__}: {one_line(error)}")
