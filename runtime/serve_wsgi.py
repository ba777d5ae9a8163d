"""Flask and other WSGI applications, by waitress.

One process with threads: an application that is killed ends this process, and whoever started it sees that. gunicorn's
master would start another worker by itself, takes twice the memory, and listens before the application is loaded.
"""

import inspect
import os
import signal
import time

from . import serve_entry
from .serve_common import GRACE, KEEP_ALIVE, use_server
from .serve_forwarded import Wsgi

# Requests at once; event streams hold one each. As many as a process is given by default (MaxConnsPerProcess).
THREADS = 20


def is_asgi(app):
    call = app if inspect.isfunction(app) or inspect.ismethod(app) else getattr(app, "__call__", None)
    return inspect.iscoroutinefunction(call)


def serve(job):
    use_server("waitress")
    serve_application(job, serve_entry.application(job.entrypoint))


def serve_application(job, app):
    """Serves what was found as what it is."""
    if is_asgi(app):
        from . import serve_asgi

        serve_asgi.serve_application(job, app)
    else:
        serve_wsgi(job, app)


def serve_wsgi(job, app):
    use_server("waitress")
    from waitress.server import create_server

    server = create_server(
        Wsgi(app, job.prefix),
        sockets=[job.sock],
        threads=THREADS,
        ident=None,
        channel_timeout=KEEP_ALIVE,
        # The gateway has limits of its own; these two would be further ones.
        connection_limit=100000,
        max_request_body_size=1 << 50,
        asyncore_use_poll=True,
        # They are the gateway's, and Wsgi() reads them.
        clear_untrusted_proxy_headers=False,
    )
    run(server, job.ready)


def busy(server):
    """Whether a request is being received, answered, or its answer sent."""
    return any(
        channel.requests or channel.request is not None or channel.total_outbufs_len
        for channel in list(server.active_channels.values())
    )


def wake_for_signals(trigger):
    """A signal that comes just before poll(2), or that a thread of the application takes, ends the wait as others do.

    The handler only runs once the main thread is back in Python, which poll(2) could keep it from for its whole timeout.
    """
    os.set_blocking(trigger, False)
    signal.set_wakeup_fd(trigger, warn_on_full_buffer=False)


def run(server, ready):
    stopped = []

    def stop(_signal, _frame):
        stopped.append(time.monotonic())

    def turn(timeout):
        server.asyncore.loop(timeout=timeout, map=server._map, use_poll=True, count=1)

    wake_for_signals(server.trigger.trigger)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    ready()
    while not stopped:
        turn(30)
    # From here on nobody is let in; who is in gets an answer.
    server.del_channel()
    server.socket.close()
    while busy(server) and time.monotonic() < stopped[0] + GRACE:
        turn(0.1)
    server.task_dispatcher.shutdown(timeout=0.5)
    if busy(server):
        # Threads that still answer would keep the interpreter from ending.
        os._exit(0)
