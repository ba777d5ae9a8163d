"""Finds what an entry point names: `module`, `module:object`, `file.py`, `dir/file.py:object`."""

import importlib
import importlib.util
import inspect
import os
import sys
import traceback

from .serve_common import HERE, Failure, one_line

# In the order in which they are looked for; the last two are called.
OBJECTS = ("app", "application", "create_app", "make_app")
FACTORIES = ("create_app", "make_app")


def split(entrypoint):
    """Module or file, and the object or an empty string."""
    if not entrypoint:
        raise Failure("the content names no entry point: name one, as 'app' or 'app:object'")
    if entrypoint.count(":") > 1:
        raise Failure(f"entry point '{entrypoint}' has more than one colon: write it as 'module:object'")
    module, _, name = entrypoint.partition(":")
    return module, name


def file_of(module, suffix=".py"):
    """The file that a module or file name means, whether it exists or not."""
    if os.path.splitext(module)[1] in (".py", ".ipynb", ".md") or os.path.isdir(module):
        return module
    if "/" in module:
        return module + suffix
    path = module.replace(".", "/")
    package = os.path.join(path, "__init__.py")
    return package if os.path.isfile(package) and not os.path.isfile(path + suffix) else path + suffix


def script(entrypoint):
    """The file of a kind whose file is run."""
    path = file_of(split(entrypoint)[0])
    if not os.path.exists(path):
        raise Failure(f"entry point '{entrypoint}' means '{path}', which is not in the bundle: correct the entry point")
    return path


def use_application_directory(*more):
    """Puts the working directory first on the path, as `python -m` does."""
    for place in (*more, os.getcwd()):
        if place in sys.path:
            sys.path.remove(place)
        sys.path.insert(0, place)


def dotted(path):
    """The module name of a file below the working directory, or nothing where it can have none."""
    stem = os.path.splitext(os.path.normpath(path))[0]
    parts = stem.split("/")
    if parts[-1] == "__init__":
        parts.pop()
    return ".".join(parts) if parts and not any("." in part or not part for part in parts) else ""


def report(error):
    """The traceback without the lines of this starter."""
    frames = error.__traceback__
    while frames is not None and (
        frames.tb_frame.f_code.co_filename.startswith((HERE + os.sep, "<frozen importlib"))
        or f"{os.sep}importlib{os.sep}" in frames.tb_frame.f_code.co_filename
    ):
        frames = frames.tb_next
    traceback.print_exception(type(error), error, frames)


def load_file(path, name):
    """For a file whose name is taken by a module that is loaded already, or can not be a module's."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def run_import(path, module):
    name = dotted(path) if os.path.isfile(path) else module
    loaded = sys.modules.get(name)
    taken = loaded is not None and os.path.realpath(getattr(loaded, "__file__", None) or "") != os.path.realpath(path)
    if os.path.isfile(path) and (not name or taken):
        return load_file(path, "offhost_application")
    return importlib.import_module(name)


def load(entrypoint):
    """The module of an entry point. What goes wrong inside it is shown as Python does."""
    module, _ = split(entrypoint)
    path = file_of(module)
    use_application_directory(*([os.path.abspath(os.path.dirname(path))] if "/" in module else []))
    if module.endswith(".py") and not os.path.isfile(path):
        raise Failure(f"entry point '{entrypoint}': '{path}' is not in the bundle: correct the entry point")
    try:
        return run_import(path, module)
    except SystemExit as end:
        raise Failure(f"'{module}' ended with code {end.code} while it was loaded: an application must not call exit")
    except BaseException as error:
        if isinstance(error, ModuleNotFoundError) and not os.path.isfile(path) and within(module, error.name):
            raise Failure(f"entry point '{entrypoint}': neither '{path}' is in the bundle nor a module '{module}' in its"
                          " environment: correct the entry point")
        report(error)
        raise Failure(f"'{module}' could not be loaded: {type(error).__name__}: {one_line(error)}")


def within(module, missing):
    return missing is not None and (module + ".").startswith(missing + ".")


def named(module, entrypoint, name):
    made = module
    for part in name[:-2].split(".") if name.endswith("()") else name.split("."):
        try:
            made = getattr(made, part)
        except AttributeError:
            raise Failure(f"entry point '{entrypoint}': '{module.__name__}' has no '{name}': correct the entry point")
    return made


def takes_nothing(made):
    """Whether it is a function that makes the application, rather than the application."""
    if not (inspect.isfunction(made) or inspect.ismethod(made)):
        return False
    try:
        inspect.signature(made).bind()
    except TypeError:
        return False
    return not inspect.iscoroutinefunction(made)


def call(factory, name):
    try:
        return factory()
    except Exception as error:
        report(error)
        raise Failure(f"'{name}()' failed: {type(error).__name__}: {one_line(error)}")


def application(entrypoint, objects=OBJECTS, is_one=None):
    """The application that an entry point names.

    Without a name, the objects are looked for in their order, then the only one that `is_one` knows.
    """
    module = load(entrypoint)
    file, name = split(entrypoint)
    if name:
        made = named(module, entrypoint, name)
        return call(made, name.replace("()", "")) if name.endswith("()") or takes_nothing(made) else made
    for name in objects:
        made = getattr(module, name, None)
        if made is None or inspect.ismodule(made):
            continue
        if name in FACTORIES or takes_nothing(made):
            return call(made, name)
        return made
    known = {id(made): made for made in vars(module).values() if is_one is not None and is_one(made)}
    if len(known) == 1:
        return known.popitem()[1]
    looked = ", ".join(f"'{one}'" for one in objects[:-1]) + f" nor '{objects[-1]}'"
    raise Failure(f"'{file}' has neither {looked}: name the object in the entry point, as '{file}:NAME'")
