"""Gradio applications, published as scripts that call `launch()`, or as modules with a Blocks object."""

import inspect
import os
import sys
import types

from . import serve_entry
from .serve_asgi import SERVER, serve_application
from .serve_common import Failure, need, one_line, use_server

OBJECTS = ("demo", "app", "application", "interface", "iface", "create_app", "make_app")


def run_script(path, launches):
    """Runs the file as `python FILE` would, which is how it is written; launch() only notes what was asked for."""
    serve_entry.use_application_directory(os.path.abspath(os.path.dirname(path)))
    module = types.ModuleType("__main__")
    module.__file__ = os.path.abspath(path)
    sys.modules["__main__"] = module
    try:
        with open(path, "rb") as file:
            exec(compile(file.read(), module.__file__, "exec"), module.__dict__)
    except SystemExit as end:
        if not launches:
            raise Failure(f"'{path}' ended with code {end.code} before it launched anything")
    except BaseException as error:
        serve_entry.report(error)
        raise Failure(f"'{path}' could not be loaded: {type(error).__name__}: {one_line(error)}")
    return module


def watch_launch(gradio, launches):
    def launch(blocks, *args, **kwargs):
        names = list(inspect.signature(original).parameters)[1:]
        launches.append((blocks, {**dict(zip(names, args)), **kwargs}))
        return None, "", ""

    original = gradio.Blocks.launch
    gradio.Blocks.launch = launch
    gradio.Blocks.block_thread = lambda blocks: None


def find(gradio, job):
    launches = []
    watch_launch(gradio, launches)

    def is_blocks(made):
        return isinstance(made, gradio.Blocks)

    name = serve_entry.split(job.entrypoint)[1]
    if name:
        blocks = serve_entry.application(job.entrypoint)
        wanted = next((asked for launched, asked in launches if launched is blocks), {})
        return blocks, wanted
    path = serve_entry.script(job.entrypoint)
    module = run_script(path, launches)
    if launches:
        return launches[0]
    found = [getattr(module, one, None) for one in OBJECTS] + list(vars(module).values())
    blocks = next((made for made in found if is_blocks(made)), None)
    if blocks is None:
        raise Failure(f"'{path}' neither calls launch() nor has a Gradio object such as 'demo': name it in the entry"
                      " point, as 'app:NAME'")
    return blocks, {}


def mounted(gradio, blocks, wanted):
    """The application, with what launch() was given as far as it is not about where to listen."""
    from fastapi import FastAPI

    known = set(inspect.signature(gradio.mount_gradio_app).parameters) - {
        "app", "blocks", "path", "root_path", "server_name", "server_port", "ssr_mode", "node_server", "node_port",
    }
    kept = {name: value for name, value in wanted.items() if name in known}
    if "show_error" in known:
        kept.setdefault("show_error", False)
    return gradio.mount_gradio_app(FastAPI(docs_url=None, redoc_url=None, openapi_url=None), blocks, path="/", **kept)


def serve(job):
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("GRADIO_ROOT_PATH", job.prefix)
    use_server(*SERVER)
    gradio = need("gradio", "a Gradio application")
    serve_application(job, mounted(gradio, *find(gradio, job)))
