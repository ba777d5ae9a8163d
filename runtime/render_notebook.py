"""Executes one Jupyter notebook and exports it as HTML.

    python render_notebook.py --input nb.ipynb --output-dir DIR [--output-file index.html]
        [--params FILE.json] [--hide-all-input] [--hide-tagged-input]

The kernel is the interpreter that runs this file, whatever kernel specifications are installed.
"""

import argparse
import ast
import json
import os
import re
import sys
import tempfile

KERNEL_NAME = "offhost-python"
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# A Unix socket's address holds 107 bytes, and the names of the kernel's sockets take up to 10 of them.
LONGEST_SOCKET_DIR = 95


class Failure(Exception):
    """A sentence for the publisher."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def prepare_environment():
    """Jupyter, IPython and matplotlib write to the home directory, which may not be writable."""
    temporary = tempfile.mkdtemp(prefix="nb-")
    places = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "run",
        "IPYTHONDIR": "ipython",
    }
    for name, place in places.items():
        os.environ[name] = os.path.join(temporary, place)
        os.makedirs(os.environ[name], exist_ok=True)
    os.environ.setdefault("JUPYTER_PLATFORM_DIRS", "1")
    if not os.access(os.path.expanduser("~"), os.W_OK):
        os.environ.setdefault("MPLCONFIGDIR", os.path.join(temporary, "matplotlib"))
        os.environ.setdefault("XDG_CACHE_HOME", os.path.join(temporary, "cache"))
    install_kernel_spec(os.environ["JUPYTER_DATA_DIR"])


def install_kernel_spec(data_dir):
    directory = os.path.join(data_dir, "kernels", KERNEL_NAME)
    os.makedirs(directory)
    spec = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Python",
        "language": "python",
    }
    with open(os.path.join(directory, "kernel.json"), "w", encoding="utf-8") as file:
        json.dump(spec, file)


def check_packages():
    """The three packages are the content's own: the server adds none to its environment."""
    for package in ("nbconvert", "nbclient", "ipykernel"):
        try:
            __import__(package)
        except ModuleNotFoundError as error:
            if error.name != package:
                raise Failure(f"{package} needs {error.name}, which is missing: add it to requirements.txt")
            raise Failure(f"{package} is not installed in the content's environment: add it to requirements.txt")


def read_notebook(path):
    import nbformat

    try:
        notebook = nbformat.read(path, as_version=4)
    except FileNotFoundError:
        raise Failure(f"'{path}' is not in the bundle: correct the entry point")
    except Exception as error:
        raise Failure(f"'{path}' is not a notebook that can be read: {one_line(error)}")
    language = notebook.metadata.get("kernelspec", {}).get("language") or notebook.metadata.get(
        "language_info", {}
    ).get("name", "python")
    if language.lower() not in ("python", "ipython"):
        raise Failure(f"'{path}' is written for a {language} kernel: only Python notebooks can be rendered")
    return notebook


def one_line(error):
    return " ".join(str(error).split()) or type(error).__name__


def tags(cell):
    return cell.get("metadata", {}).get("tags", [])


def declared_parameters(source):
    """Names that the cell tagged `parameters` assigns; None where it can not be told (magics and the like)."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return None
    names = []
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names += [target.id for target in targets if isinstance(target, ast.Name)]
    return names


def literal(value):
    """The value as Python source; JSON has no literal for what Python prints as nan and inf."""
    if isinstance(value, float) and repr(value) in ("nan", "inf", "-inf"):
        return f"float('{value!r}')"
    if isinstance(value, list):
        return "[" + ", ".join(literal(one) for one in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {literal(one)}" for key, one in value.items()) + "}"
    return repr(value)


def read_params(path):
    try:
        with open(path, encoding="utf-8") as file:
            params = json.load(file)
    except (OSError, ValueError) as error:
        raise Failure(f"parameter file '{path}' can not be read: {one_line(error)}")
    if not isinstance(params, dict):
        raise Failure(f"parameter file '{path}' must hold one JSON object")
    return params


def inject_parameters(notebook, params, name):
    """Adds the cell that overrides the defaults, where papermill puts it."""
    import nbformat

    at = next((i for i, cell in enumerate(notebook.cells) if "parameters" in tags(cell)), None)
    if at is None:
        raise Failure(f"'{name}' has no cell tagged 'parameters': tag the one that sets {', '.join(params)}")
    declared = declared_parameters(notebook.cells[at].source)
    for key in params:
        if declared is not None and key not in declared:
            raise Failure(f"'{name}' has no parameter '{key}': it has {', '.join(declared) or 'none'}")
        if not key.isidentifier():
            raise Failure(f"'{key}' is not a Python name: correct the name of the parameter")
    notebook.cells = [cell for cell in notebook.cells if "injected-parameters" not in tags(cell)]
    at = next(i for i, cell in enumerate(notebook.cells) if "parameters" in tags(cell))
    lines = ["# Parameters"] + [f"{key} = {literal(value)}" for key, value in params.items()]
    cell = nbformat.v4.new_code_cell("\n".join(lines), metadata={"tags": ["injected-parameters"]})
    if (notebook.nbformat, notebook.nbformat_minor) < (4, 5):
        cell.pop("id", None)
    notebook.cells.insert(at + 1, cell)


def new_client(notebook, directory):
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient

    class SocketKernelManager(AsyncKernelManager):
        """Talks over Unix sockets in the private temporary directory: no port for other accounts to reach."""

        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            directory = os.environ["JUPYTER_RUNTIME_DIR"]
            if len(directory.encode()) <= LONGEST_SOCKET_DIR:
                self.transport = "ipc"
                self.connection_file = os.path.join(directory, "k.json")

    total = sum(1 for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip())

    def progress(cell, cell_index, **_):
        if cell.cell_type == "code" and cell.source.strip():
            done = sum(1 for c in notebook.cells[: cell_index + 1] if c.cell_type == "code" and c.source.strip())
            say(f"cell {done}/{total}")

    client = NotebookClient(
        notebook,
        timeout=None,
        kernel_name=KERNEL_NAME,
        kernel_manager_class=SocketKernelManager,
        resources={"metadata": {"path": directory}},
    )
    if client.has_trait("on_cell_start"):
        client.on_cell_start = progress
    return client


def execute(notebook, path):
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    directory = os.path.dirname(os.path.abspath(path))
    try:
        new_client(notebook, directory).execute()
    except CellExecutionError as error:
        say(ANSI.sub("", str(error)).strip())
        raise Failure(f"a cell of '{path}' failed: {getattr(error, 'ename', 'Error')}: {one_line(getattr(error, 'evalue', ''))}")
    except DeadKernelError:
        raise Failure(f"the Python process of '{path}' ended while a cell ran: it may have met its memory limit")
    except RuntimeError as error:
        raise Failure(f"the Python process of '{path}' did not start: {one_line(error)}")


def export(notebook, options):
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    config = Config()
    if options.hide_all_input:
        config.HTMLExporter.exclude_input = True
        config.HTMLExporter.exclude_output_prompt = True
    if options.hide_tagged_input:
        config.TagRemovePreprocessor.enabled = True
        config.TagRemovePreprocessor.remove_input_tags = {"hide_input"}
    exporter = HTMLExporter(config=config)
    if exporter.has_trait("embed_images"):
        exporter.embed_images = True
    stem = os.path.splitext(os.path.basename(options.input))[0]
    directory = os.path.dirname(os.path.abspath(options.input))
    page, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": stem, "path": directory}})
    return page


def write(page, options):
    os.makedirs(options.output_dir, exist_ok=True)
    path = os.path.join(options.output_dir, options.output_file)
    with open(path, "w", encoding="utf-8") as file:
        file.write(page)
    say(f"output: {options.output_file}")


def parse_arguments():
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--input", required=True)
    parser.add_argument("--output-dir", required=True)
    parser.add_argument("--output-file", default="index.html")
    parser.add_argument("--params", default="")
    parser.add_argument("--hide-all-input", action="store_true")
    parser.add_argument("--hide-tagged-input", action="store_true")
    return parser.parse_args()


def main():
    options = parse_arguments()
    # Modules beside this file are not the content's to import.
    sys.path = [entry for entry in sys.path if os.path.abspath(entry or ".") != os.path.dirname(os.path.abspath(__file__))]
    prepare_environment()
    check_packages()
    notebook = read_notebook(options.input)
    params = read_params(options.params) if options.params else {}
    if params:
        inject_parameters(notebook, params, options.input)
    say(f"executing {options.input} with Python {sys.version.split()[0]}")
    execute(notebook, options.input)
    write(export(notebook, options), options)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        say(f"Error: {failure}.")
        sys.exit(1)
