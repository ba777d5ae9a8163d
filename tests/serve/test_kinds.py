"""Every kind of application, from the examples' bundles, visited through the gateway by a real browser and by plain HTTP."""

import json
import os
import unittest

from server import ROOT, ServeTest, script

APPS = os.path.join(ROOT, "examples", "apps")
# Kind: what a person sees there, and what a person sees after the step below.
PAGES = {
    "shiny": "shiny",
    "rmd-shiny": "rmd-shiny",
    "flask": "flask",
    "dash": "dash",
    "streamlit": "streamlit",
    "bokeh": "bokeh",
    "panel": "panel",
    "voila": "voila",
    "gradio": "gradio",
    "shiny-python": "shiny-python",
}


def packages_of_r():
    """What the R examples lock: Debian's own packages serve here, as the demonstration installs the locked ones."""
    names = set()
    for app in ("shiny", "rmd-shiny", "plumber"):
        with open(os.path.join(APPS, app, "manifest.json"), encoding="utf-8") as file:
            names.update(json.load(file).get("packages") or {})
    return "".join(f"External = {name}\n" for name in sorted(names))


class Kinds(ServeTest):
    settings = "[Packages]\n" + packages_of_r()
    # Installing what all of them need takes minutes.
    place = "/var/tmp/offhost-serve-kinds"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name in sorted(os.listdir(APPS)):
            if os.path.isdir(os.path.join(APPS, name)):
                cls.server.serve(name, os.path.join(APPS, name), idleTimeoutSeconds=600, initTimeoutSeconds=120)
        cls.server.start()

    def browse(self, scenario, name):
        self.installed(name)
        return self.visit("node", script("browse.js"), scenario, self.server.address(name))

    def installed(self, name):
        """Packages are installed before the first process; a first run on a machine takes minutes for that."""
        self.server.wait(lambda: self.server.get(f"/content/{name}/", timeout=300)[0] < 400, f"{name} answers", 900)

    def json(self, path, **request):
        status, _, body = self.server.get(path, **request)
        self.assertEqual(status, 200, body)
        return json.loads(body)

    # Proves: PK5 (L), PR1 (L)
    def test_fastapi(self):
        self.installed("fastapi")
        index = self.json("/content/fastapi/")
        self.assertTrue(index["docs"].endswith(f":{self.server.port}/content/fastapi/docs"), index)
        region = index["regions"][0]
        self.assertTrue(self.json(f"/content/fastapi/sales/{region}"))
        status, _, page = self.server.get("/content/fastapi/docs")
        self.assertEqual(status, 200)
        self.assertIn(b"/content/fastapi/openapi.json", page)

    # Proves: PK5 (L), PK9 (L)
    def test_plumber_and_nodejs_answer_the_same_questions(self):
        for name in ("plumber", "nodejs"):
            with self.subTest(name):
                path = f"/content/{name}/sales?region=north"
                self.server.wait(lambda: self.server.get(path)[0] == 200, f"{name} answers", 900)
                rows = self.json(path)
                self.assertTrue(rows and all(row["region"] == "north" for row in rows), rows)
                total = self.json(f"/content/{name}/total", method="POST", body="[1, 2, 3.5]", Content_Type="application/json")
                self.assertIn(total["total"], (6.5, [6.5]))
                missing, _, _ = self.server.get(f"/content/{name}/sales?region=nowhere")
                self.assertEqual(missing, 404)

    # Proves: PK5 (L)
    def test_nobody_can_say_to_be_somebody(self):
        path = "/content/nodejs/me"
        self.server.wait(lambda: self.server.get(path)[0] == 200, "nodejs answers", 900)
        claim = json.dumps({"user": "admin", "groups": []})
        for header in ("RStudio-Connect-Credentials", "Rstudio_Connect_Credentials", "rstudio-connect-credentials"):
            status, _, body = self.server.get(path, **{header: claim})
            self.assertEqual((status, json.loads(body)), (200, {"user": None}), header)

    # Proves: SC5 (L), PK5 (L)
    def test_shiny_keeps_each_tab_its_state_and_a_reload_starts_anew(self):
        self.browse("tabs", "shiny")


def page(name, scenario):
    # Proves: PK5 (L), SC1 (L)
    def test(self):
        self.browse(scenario, name)

    return test


for kind, steps in PAGES.items():
    setattr(Kinds, f"test_{kind.replace('-', '_')}_in_a_browser", page(kind, steps))

if __name__ == "__main__":
    unittest.main(verbosity=2)
