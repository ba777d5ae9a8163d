"""Shiny for Python: an App object, or a file in the Express style."""

import os
import re

from . import serve_entry
from .serve_asgi import SERVER, serve_application
from .serve_common import Failure, need, use_server

IMPORT = re.compile(r"^(from\s+shiny\.express\b|import\s+shiny\.express\b|from\s+shiny\s+import\s+(.*\b)?express\b)", re.M)
MODE = re.compile(r"^\s*#\s*shiny_mode:\s*(core|express)\s*$", re.M)


def is_express(text):
    said = MODE.search(text[:1000])
    return said.group(1) == "express" if said else bool(IMPORT.search(text))


def express_object(path):
    """The name under which shiny.express.app has the application of a file."""
    return re.sub(r"[^A-Za-z0-9]", lambda one: f"_{ord(one.group()):x}_", path)


def entrypoint_of(entrypoint):
    module, name = serve_entry.split(entrypoint)
    path = serve_entry.file_of(module)
    if name or not os.path.isfile(path):
        return entrypoint
    with open(path, encoding="utf-8", errors="replace") as file:
        return f"shiny.express.app:{express_object(path)}" if is_express(file.read()) else entrypoint


def serve(job):
    need("shiny", "a Shiny application")
    use_server(*SERVER)
    serve_entry.use_application_directory()
    app = serve_entry.application(entrypoint_of(job.entrypoint))
    if not callable(app):
        raise Failure(f"entry point '{job.entrypoint}' is no Shiny application but of type {type(app).__name__}")
    serve_application(job, app)
