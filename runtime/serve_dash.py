"""Dash applications: WSGI, or ASGI where the application asks for such a back end."""

import os

from . import serve_entry
from .serve_common import use_server
from .serve_wsgi import serve_application


def is_dash(made):
    return type(made).__module__.split(".")[0] == "dash" and hasattr(made, "layout")


def serve(job):
    use_server("waitress")
    # What the browser asks for; the application itself sees paths without it. The slash at the end is required.
    os.environ.setdefault("DASH_REQUESTS_PATHNAME_PREFIX", job.prefix + "/")
    app = serve_entry.application(job.entrypoint, is_one=is_dash)
    # Before 4.0 a Dash object can not be called itself.
    serve_application(job, app.server if hasattr(app, "layout") else app)
