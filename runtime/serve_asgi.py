"""FastAPI and other ASGI applications, by uvicorn: the content's own, else the one that comes along."""

import inspect
import os
import signal
import sys

from . import serve_entry
from .serve_common import GRACE, KEEP_ALIVE, Failure, use_server
from .serve_forwarded import Asgi

# WebSockets: `websockets` where the content has it, else wsproto, which is the same to every release of uvicorn.
SERVER = ("uvicorn", "h11", "click", "typing-extensions", "wsproto")


def serve(job):
    use_server(*SERVER)
    from .serve_wsgi import serve_application as serve_either

    serve_either(job, serve_entry.application(job.entrypoint))


def settings(uvicorn, app, more):
    wanted = {
        "proxy_headers": False,
        "server_header": False,
        "access_log": False,
        # What it says of itself is addresses that nobody can use; errors are shown.
        "log_level": "warning",
        "timeout_keep_alive": KEEP_ALIVE,
        "timeout_graceful_shutdown": GRACE,
        "backlog": 4096,
        **more,
    }
    known = inspect.signature(uvicorn.Config.__init__).parameters
    return uvicorn.Config(app, **{name: value for name, value in wanted.items() if name in known})


def serve_application(job, app, **more):
    uvicorn = use_server(*SERVER)

    class Server(uvicorn.Server):
        async def startup(self, *args, **kwargs):
            await super().startup(*args, **kwargs)
            if not self.should_exit:
                job.ready()

        def handle_exit(self, *args):
            if not self.started:
                # It would wait for the application's start-up code, however long that takes.
                os._exit(0)
            super().handle_exit(*args)
            # Releases before 0.22 wait for open streams without end.
            if "timeout_graceful_shutdown" not in inspect.signature(uvicorn.Config.__init__).parameters:
                signal.signal(signal.SIGALRM, self.give_up)
                signal.alarm(GRACE)

        def give_up(self, *_):
            self.force_exit = True

    server = Server(settings(uvicorn, Asgi(app, job.prefix), more))
    # Newer releases send themselves the signal again at the end, to die of it: a clean stop has code 0.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    try:
        server.run(sockets=[job.sock])
    except SystemExit as end:
        # Newer releases leave in this way after a start that failed, older ones return.
        if not end.code:
            raise
    if not server.started:
        raise Failure("the application ended while it started; what it said is above")
