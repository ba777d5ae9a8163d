"""runtime/render_rmd.R and render_site.R."""

import json
import os

from starters import StarterTest

TYPED = """---
title: Types
output: html_document
params:
  number: 2024
  half: 1.5
  text: north
  day: !r as.Date("2020-01-01")
  flag: true
  many: [1, 2]
---

```{r}
cat(sapply(params, function(p) paste(class(p), format(p), collapse = "/")), sep = "|")
cat("in", getwd())
```
"""


class RenderRmd(StarterTest):
    def render(self, name="report.Rmd", params=None, **env):
        words = ["--input", name, "--output-dir", self.report]
        if params is not None:
            words += ["--params", self.write("params.json", json.dumps(params))]
        return self.run_r("render_rmd.R", *words, **env)

    # Proves: PK3 (L)
    def test_renders_one_page_with_the_source_as_working_directory(self):
        self.write("report.Rmd", TYPED)
        outcome = self.render()
        self.assert_worked(outcome)
        self.assertEqual(os.listdir(self.report), ["index.html"])
        self.assertIn(f"in {self.app}", self.read(self.report, "index.html"))
        self.assertTrue(outcome.err.strip().endswith("output: index.html"), outcome)

    # Proves: PK3 (L)
    def test_parameters_take_the_types_of_their_defaults(self):
        self.write("report.Rmd", TYPED)
        given = {"number": "2025", "half": 2, "text": 7, "day": "2024-02-29", "flag": "no", "many": [4, 5]}
        self.assert_worked(self.render(params=given))
        wanted = "integer 2025|numeric 2|character 7|Date 2024-02-29|logical FALSE|integer 4/integer 5"
        self.assertIn(wanted, self.read(self.report, "index.html"))

    # Proves: PK3 (L)
    def test_parameters_that_the_report_does_not_have_or_that_do_not_fit_are_refused(self):
        self.write("report.Rmd", TYPED)
        self.assert_refused(self.render(params={"yeer": 1}), "no parameter 'yeer'", "it has number, half")
        self.assert_refused(self.render(params={"day": "tomorrow"}), "'day'", "not a date")
        self.assert_refused(self.render(params={"number": "many"}), "'number'", "not a number")
        self.assert_refused(self.render(params={"flag": 3}), "'flag'", "not true or false")
        self.assertEqual(os.listdir(self.report), [])

    # Proves: PK3 (L)
    def test_a_failing_chunk_fails_the_render_with_its_message(self):
        self.write("report.Rmd", "---\ntitle: x\n---\n\n```{r}\nf <- function() stop('boom')\nf()\n```\n")
        outcome = self.render()
        self.assert_refused(outcome, "'report.Rmd' could not be rendered", "boom")
        self.assertIn("at f()", outcome.err)
        self.assertEqual(os.listdir(self.report), [])

    # Proves: PK3 (L)
    def test_resources_follow_a_page_that_does_not_contain_them(self):
        self.write("data/table.csv", "a,b\n")
        self.write("secret.csv", "a,b\n")
        self.write("report.Rmd", "---\noutput:\n  html_document:\n    self_contained: false\n"
                   "resource_files: [data/table.csv]\n---\n\n```{r}\nplot(1)\n```\n")
        self.assert_worked(self.render())
        self.assertEqual(self.read(self.report, "data", "table.csv"), "a,b\n")
        self.assertEqual(sorted(os.listdir(self.report)), ["data", "index.html", "index_files"])

    # Proves: PK3 (L)
    def test_another_format_keeps_its_extension_and_only_the_first_is_made(self):
        self.write("report.Rmd", "---\noutput:\n  word_document: default\n  html_document: default\n---\n\nhello\n")
        outcome = self.render()
        self.assert_worked(outcome)
        self.assertEqual(os.listdir(self.report), ["index.docx"])
        self.assertIn("output: index.docx", outcome.err)

    # Proves: PK3 (L)
    def test_text_beyond_ascii_survives_without_a_locale(self):
        self.write("bericht.Rmd", "---\ntitle: Übersicht\n---\n\n```{r}\ncat('größer ≥ 3')\n```\n")
        self.assert_worked(self.render("bericht.Rmd", LC_ALL="C"))
        page = self.read(self.report, "index.html")
        self.assertIn("Übersicht", page)
        self.assertIn("größer ≥ 3", page)

    # Proves: PK3 (L)
    def test_what_can_not_be_rendered_is_refused_before_anything_runs(self):
        self.write("app.Rmd", "---\nruntime: shiny\n---\n")
        self.assert_refused(self.render("app.Rmd"), "interactive document")
        self.assert_refused(self.render("missing.Rmd"), "'missing.Rmd' is not in the bundle")
        self.assert_refused(self.run_r("render_rmd.R", "--inptu", "x"), "unknown option '--inptu'", "--input")


class RenderSite(StarterTest):
    # Proves: PK4 (L), ST1 (L)
    def test_a_site_is_rendered_in_place(self):
        self.write("_site.yml", "name: s\noutput_dir: out\n")
        self.write("index.Rmd", "---\ntitle: Home\n---\n\n`r 6 * 7` pages\n")
        outcome = self.run_r("render_site.R")
        self.assert_worked(outcome)
        self.assertIn("42 pages", self.read(self.app, "out", "index.html"))
        self.assertTrue(outcome.err.strip().endswith("output: out"), outcome)

    # Proves: PK4 (L)
    def test_what_is_no_site_or_fails_is_refused(self):
        self.assert_refused(self.run_r("render_site.R"), "_site.yml")
        self.write("_site.yml", "name: s\n")
        self.write("index.Rmd", "---\ntitle: Home\n---\n\n```{r}\nstop('boom')\n```\n")
        self.assert_refused(self.run_r("render_site.R"), "the site could not be rendered", "boom")
