"""Streamlit: an ASGI application since 1.57, before that a Tornado server."""

import os
import sys

from . import serve_entry
from .serve_asgi import SERVER, serve_application
from .serve_common import Failure, need, use_server

# They win over the bundle's .streamlit/config.toml, as flags do. The address and the prefix are the gateway's business.
OPTIONS = {
    "server.headless": True,
    "server.fileWatcherType": "none",
    "server.runOnSave": False,
    "server.baseUrlPath": "",
    "browser.gatherUsageStats": False,
    "global.developmentMode": False,
}


def serve(job):
    streamlit = need("streamlit", "a Streamlit application")
    path = os.path.abspath(serve_entry.script(job.entrypoint))
    version = tuple(int(part) for part in streamlit.__version__.split(".")[:2])
    sys.argv = [path]
    if version >= (1, 57):
        serve_asgi(job, path)
    else:
        serve_tornado(job, path)


def serve_asgi(job, path):
    use_server(*SERVER)
    from streamlit import config
    from streamlit.starlette import App
    from streamlit.web import bootstrap

    serve_entry.use_application_directory(os.path.dirname(path))
    config._main_script_path = path
    bootstrap.load_config_options({name.replace(".", "_"): value for name, value in OPTIONS.items()})
    serve_application(
        job,
        App(path),
        ws_max_size=int(config.get_option("server.maxMessageSize")) * 1_000_000,
        ws_per_message_deflate=bool(config.get_option("server.enableWebsocketCompression")),
    )


def serve_tornado(job, path):
    from . import serve_tornado

    try:
        from streamlit.web import bootstrap, cli
    except ImportError:
        # Before 1.12.
        from streamlit import bootstrap, cli
    # It would name an address that nobody can use.
    bootstrap._print_url = lambda *_: None
    serve_tornado.take_over(job, stop_with_the_frameworks_handler=True)
    words = [word for name, value in OPTIONS.items() for word in (f"--{name}", str(value).lower())]
    try:
        cli.main(["run", path, *words, "--server.address", "127.0.0.1"], standalone_mode=False)
    except Exception as error:
        serve_entry.report(error)
        raise Failure(f"Streamlit did not start: {error}")
