"""runtime/render_notebook.py, in the environment that examples/notebook asks for, made by install_python.py."""

import html
import json
import os
import re
import shutil
import subprocess
import tempfile

from starters import EXAMPLES, PYTHON, RUNTIME, StarterTest


def cell(source, *tags, kind="code"):
    made = {"cell_type": kind, "metadata": {"tags": list(tags)} if tags else {}, "source": source}
    if kind == "code":
        made.update(execution_count=None, outputs=[])
    return made


def notebook(*cells, language="python"):
    spec = {"name": "no-such-kernel", "display_name": "Gone", "language": language}
    return json.dumps({"nbformat": 4, "nbformat_minor": 4, "metadata": {"kernelspec": spec}, "cells": list(cells)})


class RenderNotebook(StarterTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env = tempfile.mkdtemp(prefix="offhost-nb-", dir="/var/tmp")
        cls.addClassCleanup(shutil.rmtree, cls.env, ignore_errors=True)
        os.chmod(cls.env, 0o755)
        requirements = os.path.join(EXAMPLES, "notebook", "requirements.txt")
        subprocess.run([PYTHON, os.path.join(RUNTIME, "install_python.py"), "--env", cls.env,
                        "--requirements", requirements], check=True, stdout=subprocess.DEVNULL)
        cls.python = os.path.join(cls.env, "bin", "python")

    def render(self, text, *words, params=None, **env):
        self.write("nb.ipynb", text)
        if params is not None:
            words += ("--params", self.write("params.json", json.dumps(params)))
        return self.run_python("render_notebook.py", "--input", "nb.ipynb", "--output-dir", self.report, *words,
                               python=self.python, **env)

    def page(self):
        """The text of the notebook, without nbconvert's own styles and scripts."""
        main = self.read(self.report, "index.html").split("<main>", 1)[1].split("</main>")[0]
        return html.unescape(re.sub(r"<[^>]*>", "", main))

    # Proves: PK3 (L)
    def test_cells_run_in_this_interpreter_and_the_source_directory(self):
        outcome = self.render(notebook(cell("import os, sys\nprint(sys.executable, os.getcwd())")))
        self.assert_worked(outcome)
        self.assertEqual(os.listdir(self.report), ["index.html"])
        self.assertIn(f"{self.python} {self.app}", self.page())
        self.assertIn("cell 1/1", outcome.err)

    # Proves: PK3 (L)
    def test_parameters_follow_the_tagged_cell_and_keep_their_types(self):
        cells = [cell("year = 2024\nname: str = 'x'\nmany = None", "parameters"), cell("old = 1", "injected-parameters"),
                 cell("print((year, name, many, 'old' in globals()))")]
        given = {"year": 2025, "name": 'so"u\'th\n', "many": [1.5, True, None]}
        self.assert_worked(self.render(notebook(*cells), params=given))
        self.assertIn(repr((2025, 'so"u\'th\n', [1.5, True, None], False)), self.page())

    # Proves: PK3 (L)
    def test_parameters_that_the_notebook_does_not_have_are_refused(self):
        tagged = notebook(cell("year = 2024", "parameters"))
        self.assert_refused(self.render(tagged, params={"yeer": 1}), "no parameter 'yeer'", "it has year")
        self.assert_refused(self.render(notebook(cell("year = 1")), params={"year": 1}), "no cell tagged 'parameters'")

    # Proves: PK3 (L)
    def test_a_failing_cell_fails_the_render_with_its_traceback(self):
        outcome = self.render(notebook(cell("def f():\n    return 1 / 0\nf()")))
        self.assert_refused(outcome, "a cell of 'nb.ipynb' failed: ZeroDivisionError: division by zero")
        self.assertIn("return 1 / 0", outcome.err)
        self.assertNotIn("\x1b", outcome.err)
        self.assertEqual(os.listdir(self.report), [])

    # Proves: PK3 (L)
    def test_a_kernel_that_ends_fails_the_render(self):
        self.assert_refused(self.render(notebook(cell("import os\nos._exit(3)"))), "ended while a cell ran")

    # Proves: PK3 (L)
    def test_input_is_hidden_as_asked(self):
        text = notebook(cell("shown = 1"), cell("secret = 2", "hide_input"))
        self.assert_worked(self.render(text))
        self.assertIn("secret", self.page())
        self.assert_worked(self.render(text, "--hide-tagged-input"))
        self.assertIn("shown", self.page())
        self.assertNotIn("secret", self.page())
        self.assert_worked(self.render(text, "--hide-all-input"))
        self.assertNotIn("shown", self.page())

    # Proves: PK3 (L)
    def test_the_kernel_opens_no_port(self):
        look = "import ipykernel.kernelapp as k\nprint('over', k.IPKernelApp.instance().transport)"
        self.assert_worked(self.render(notebook(cell(look))))
        self.assertIn("over ipc", self.page())

    # Proves: PK3 (L), TD1 (L)
    def test_nothing_is_written_outside_the_given_directories(self):
        self.assert_worked(self.render(notebook(cell("import matplotlib.pyplot as p\np.plot([1])\np.show()"))))
        self.assertEqual(os.listdir(self.app), ["nb.ipynb"])
        self.assertIn("image/png", self.read(self.report, "index.html"))

    # Proves: PK3 (L)
    def test_what_can_not_be_rendered_is_refused(self):
        self.assert_refused(self.render(notebook(language="R")), "written for a R kernel")
        self.assert_refused(self.render("{"), "'nb.ipynb' is not a notebook")
        bare = self.run_python("render_notebook.py", "--input", "nb.ipynb", "--output-dir", self.report, python=PYTHON)
        self.assert_refused(bare, "is not installed in the content's environment", "requirements.txt")

    # Proves: PK3 (L)
    def test_the_example_renders_with_its_parameters(self):
        self.example("notebook")
        params = self.write("params.json", '{"year": 2025, "region": "west"}')
        outcome = self.run_python("render_notebook.py", "--input", "notebook.ipynb", "--output-dir", self.report,
                                  "--params", params, "--hide-tagged-input", python=self.python)
        self.assert_worked(outcome)
        self.assertIn("west 2025:", self.page())
