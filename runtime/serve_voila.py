"""Notebooks as applications, by Voila: each page has a kernel of its own."""

import logging
import os

from . import serve_entry, serve_tornado
from .serve_common import Failure, need

# A Unix socket's address holds 107 bytes; after the temporary directory comes `/voila_XXXXXXXX/kernel-UUID-ipc-N`.
LONGEST_SOCKET_DIR = 107 - len("/voila_XXXXXXXX/kernel-") - 36 - len("-ipc-N")
# Kernels of pages that were left without a word are ended after this many seconds.
IDLE_KERNEL = 600


def prepare_environment():
    """Jupyter and IPython write to the home directory, which may not be writable: Voila would fail."""
    temporary = os.environ.get("TMPDIR") or "/tmp"
    for name, place in (
        ("JUPYTER_CONFIG_DIR", "config"),
        ("JUPYTER_DATA_DIR", "data"),
        ("JUPYTER_RUNTIME_DIR", "run"),
        ("IPYTHONDIR", "ipython"),
    ):
        os.environ.setdefault(name, os.path.join(temporary, "jupyter", place))
        os.makedirs(os.environ[name], mode=0o700, exist_ok=True)
    os.environ.setdefault("JUPYTER_PLATFORM_DIRS", "1")
    return temporary


def words(job, temporary):
    base = job.prefix + "/"
    made = [
        "--no-browser",
        # Below that it names an address that nobody can use.
        "--Voila.log_level=WARN",
        "--Voila.ip=127.0.0.1",
        f"--Voila.base_url={base}",
        f"--Voila.server_url={base}",
        f"--Voila.connection_dir_root={temporary}",
        f"--MappingKernelManager.cull_idle_timeout={IDLE_KERNEL}",
        "--MappingKernelManager.cull_interval=60",
    ]
    if len(os.path.abspath(temporary).encode()) <= LONGEST_SOCKET_DIR:
        # No port that other accounts of the machine could reach.
        made.append("--KernelManager.transport=ipc")
    return made


def serve(job):
    temporary = prepare_environment()
    need("voila", "a Voila application")
    if job.entrypoint:
        path = serve_entry.file_of(serve_entry.split(job.entrypoint)[0], ".ipynb")
        if not os.path.exists(path):
            raise Failure(f"'{path}' is not in the bundle: correct the entry point")
    else:
        path = "."
    serve_tornado.take_over(job)
    logging.getLogger("tornado.access").setLevel(logging.WARNING)
    from voila.app import Voila

    Voila.launch_instance([path, *words(job, temporary)])
