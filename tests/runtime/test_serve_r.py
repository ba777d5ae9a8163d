"""runtime/serve_r.R: real Shiny, R Markdown and Plumber."""

import json
import os
import signal
import socket
import stat
import time

from starters import R
from visitor import Connection, ServeTest, ShinySession

APP = """library(shiny)
onStop(function() cat("the end\\n", file = stderr()))
shinyApp(
  fluidPage(numericInput("n", "n", 2), textOutput("square"), fileInput("file", "file"), textOutput("size")),
  function(input, output, session) {
    output$square <- renderText(paste0("square=", input$n^2, " user=", session$user))
    output$size <- renderText(paste0("size=", file.size(input$file$datapath)))
    observe(if (identical(input$busy, TRUE)) { t <- Sys.time(); while (Sys.time() < t + 30) {} })
  }
)
"""
DOCUMENT = """---
title: Interactive
runtime: %s
output: html_document
---

```{r}
shiny::numericInput("n", "n", 2)
```
%s
"""
RENDERED_EACH = DOCUMENT % ("shiny", '```{r}\nshiny::renderText(paste0("square=", input$n^2))\n```\n')
RENDERED_ONCE = DOCUMENT % ("shinyrmd", '```{r}\nshiny::textOutput("square")\n```\n\n```{r, context="server"}\n'
                            'output$square <- shiny::renderText(paste0("square=", input$n^2))\n```\n')
API = """
#* @get /double
#* @param x:numeric
function(x) list(double = 2 * as.numeric(x))

#* @post /sum
function(req) list(sum = sum(unlist(jsonlite::fromJSON(req$postBody))))

#* @plumber
function(pr) plumber::pr_hook(pr, "exit", function() cat("the end\\n", file = stderr()))
"""


class ServeR(ServeTest):
    def serve(self, kind, entrypoint=".", listen=None, **env):
        words = ["--kind", kind, "--entrypoint", entrypoint, "--listen", listen or f"unix:{self.socket}",
                 "--ready-file", self.ready, "--prefix", "/content/app"]
        starter = os.path.join(self.runtime, "serve_r.R")
        return self.start(R + ["-f", starter, "--args", *words], **env)

    def serve_ready(self, *args, **env):
        process = self.serve(*args, **env)
        self.wait_ready(process)
        return process

    def refused(self, process, *parts):
        self.assertNotEqual(self.wait_ended(process), 0, self.said())
        sentence = [line for line in self.said().splitlines() if line.startswith("Error: ")]
        self.assertEqual(len(sentence), 1, self.said())
        for part in parts:
            self.assertIn(part, sentence[0])
        self.assertFalse(os.path.exists(self.ready))

    def session(self, hidden="square", **headers):
        return ShinySession(self.socket, {"n": 2, f".clientdata_output_{hidden}_hidden": False}, **headers)


class Shiny(ServeR):
    # Proves: PK5 (L, P)
    def test_a_session_computes_and_an_input_changes_its_output(self):
        self.write("app.R", APP)
        self.serve_ready("shiny")
        status, page = self.get()
        self.assertEqual(status, 200)
        self.assertIn('id="square"', page)
        session = self.session(Shiny_Server_Credentials='{"user":"ada","groups":["g"]}')
        self.assertEqual(session.status, 101)
        self.assertIn("square=4 user=ada", session.until("square="))
        session.update({"n": 5})
        self.assertIn("square=25", session.until("square="))
        session.close()

    # Proves: PK5 (L, P)
    def test_only_its_own_account_can_connect_and_a_stale_socket_is_no_hindrance(self):
        self.write("app.R", APP)
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(self.socket)
        stale.close()
        self.give(self.socket)
        self.serve_ready("shiny")
        self.assertEqual(stat.S_IMODE(os.stat(self.socket).st_mode), 0o700)
        self.assertEqual(self.get()[0], 200)

    # Proves: PK5 (L, P)
    def test_it_is_ready_only_when_the_application_is_loaded(self):
        self.write("global.R", "Sys.sleep(1.5)\n")
        self.write("server.R", "function(input, output) {}\n")
        self.write("ui.R", "later::run_now(0); fluidPage('split')\n")
        started = time.monotonic()
        self.serve_ready("shiny", "server.R")
        self.assertGreater(time.monotonic() - started, 1.5)
        self.assertIn("split", self.get()[1])

    # Proves: PK5 (L, P)
    def test_code_that_turns_the_event_loop_while_it_loads_does_not_make_it_ready(self):
        self.write("app.R", "later::run_now(0)\nSys.sleep(0.5)\nlater::run_now(0)\nstop('not yet')\n")
        self.refused(self.serve("shiny"), "not yet")

    # Proves: PK5 (P)
    def test_it_listens_on_every_address_of_a_pod(self):
        self.write("app.R", APP)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.serve_ready("shiny", listen=f"tcp:{port}")
        self.assertEqual(self.get(place=port)[0], 200)
        with open("/proc/net/tcp", encoding="ascii") as sockets:
            self.assertIn(f"00000000:{port:04X} 00000000:0000 0A", sockets.read())

    # Proves: PK5 (L, P), PR1 (L, P)
    def test_a_file_is_uploaded(self):
        self.write("app.R", APP)
        self.serve_ready("shiny")
        session = self.session("size")
        data = os.urandom(3_000_001)
        given = session.call("uploadInit", [{"name": "x.bin", "size": len(data), "type": ""}])
        status, _ = self.get("/" + given["uploadUrl"], "POST", data, Content_Type="application/octet-stream")
        self.assertEqual(status, 200)
        session.send(json.dumps({"method": "uploadEnd", "args": [given["jobId"], "file"], "tag": 2}))
        self.assertIn("size=3000001", session.until("size=3"))
        session.close()

    # Proves: PK5 (L, P)
    def test_an_interrupt_runs_what_is_to_be_done_at_the_end(self):
        self.write("app.R", APP)
        process = self.serve_ready("shiny")
        process.send_signal(signal.SIGINT)
        self.assertEqual(self.wait_ended(process, 10), 0, self.said())
        self.assertIn("the end", self.said())
        self.assertFalse(os.path.exists(self.socket))

    # Proves: PK5 (L, P)
    def test_while_it_computes_only_a_termination_ends_it(self):
        self.write("app.R", APP)
        process = self.serve_ready("shiny")
        session = self.session()
        session.until("square=4")
        session.update({"busy": True})
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(self.wait_ended(process, 5), -signal.SIGTERM)

    # Proves: PK5 (L, P)
    def test_a_script_error_ends_it_with_the_message_and_where(self):
        self.write("app.R", "library(shiny)\nread_sales <- function() stop('no such table')\nread_sales()\n")
        self.refused(self.serve("shiny"), "the application ended: no such table")
        self.assertIn("at read_sales()", self.said())

    # Proves: PK5 (L, P)
    def test_the_starter_leaves_nothing_in_the_global_environment(self):
        self.write("app.R", "cat('seen:', ls(globalenv()), exists('fail'), exists('say'), '\\n', file = stderr())\n" + APP)
        self.serve_ready("shiny")
        self.assertIn("seen:  FALSE FALSE", self.said())

    # Proves: PK5 (L, P)
    def test_options_that_can_not_be_are_refused(self):
        self.refused(self.serve("shinny"), "unknown kind 'shinny'", "rmd-shiny")
        self.refused(self.serve("shiny", listen="unix:app.sock"), "neither unix:PATH")
        self.refused(self.serve("shiny", "missing.R"), "'missing.R' is not in the bundle")


class Documents(ServeR):
    # Proves: PK5 (L, P)
    def test_a_document_is_rendered_for_each_session_and_its_neighbours_are_served(self):
        self.write("index.Rmd", RENDERED_EACH)
        self.write("other.Rmd", RENDERED_EACH.replace("Interactive", "Another"))
        self.serve_ready("rmd-shiny", "index.Rmd")
        for path, title in (("/", "Interactive"), ("/other.Rmd", "Another")):
            self.assertEqual(self.get(path)[0], 200)
            session = ShinySession(self.socket, {".clientdata_output___reactivedoc___hidden": False,
                                                 ".clientdata_url_pathname": path}, path.rstrip("/") + "/websocket/")
            self.assertIn(title, session.until('"html"'))
            session.close()

    # Proves: PK5 (L, P)
    def test_a_document_that_is_rendered_once_is_ready_after_that(self):
        self.write("doc.Rmd", RENDERED_ONCE)
        self.serve_ready("rmd-shiny", "doc.Rmd")
        self.assertTrue(os.path.exists(os.path.join(self.app, "doc.html")))
        self.assertIn('id="square"', self.get()[1])
        session = self.session()
        self.assertIn("square=4", session.until("square="))
        session.close()

    # Proves: PK5 (L, P), AP1 (L, P)
    def test_two_processes_of_one_application_render_it_once(self):
        self.write("doc.Rmd", RENDERED_ONCE + '\n```{r}\ncat("x\\n", file = "rendered", append = TRUE)\nSys.sleep(1)\n```\n')
        first = self.serve("rmd-shiny", "doc.Rmd")
        self.ready, self.socket = self.ready + "-2", self.socket + "-2"
        self.wait_ready(self.serve("rmd-shiny", "doc.Rmd"))
        self.ready = self.ready[:-2]
        self.wait_ready(first)
        self.assertEqual(self.read(self.app, "rendered"), "x\n")

    # Proves: PK5 (L, P)
    def test_a_quarto_document_is_served_as_it_was_rendered(self):
        self.write("doc.Rmd", RENDERED_ONCE)
        first = self.serve_ready("rmd-shiny", "doc.Rmd")
        first.kill()
        first.wait()
        os.rename(os.path.join(self.app, "doc.Rmd"), os.path.join(self.app, "doc.qmd"))
        self.write("doc.qmd", self.read(self.app, "doc.qmd").replace("runtime: shinyrmd", "server: shiny"))
        os.unlink(self.ready)
        self.serve_ready("quarto-shiny", "doc.qmd")
        session = self.session()
        self.assertIn("square=4", session.until("square="))
        session.close()

    # Proves: PK5 (L, P)
    def test_a_quarto_document_without_its_page_is_rendered_where_there_is_quarto(self):
        self.write("doc.qmd", RENDERED_ONCE.replace("runtime: shinyrmd", "server: shiny"))
        self.refused(self.serve("quarto-shiny", "doc.qmd", PATH="/usr/bin:/bin"), "'doc.html' is not in the bundle")
        quarto = self.write("bin/quarto", "#!/bin/sh\necho \"$@\" >asked\n")
        os.chmod(quarto, 0o755)
        self.refused(self.serve("quarto-shiny", "doc.qmd", PATH=f"{self.app}/bin:/usr/bin:/bin"), "could not be rendered by Quarto")
        self.assertEqual(self.read(self.app, "asked"), "render doc.qmd\n")

    # Proves: PK5 (L, P)
    def test_a_document_that_is_none_or_fails_is_refused(self):
        self.refused(self.serve("rmd-shiny", "missing.Rmd"), "'missing.Rmd' is no document")
        self.write("doc.Rmd", RENDERED_ONCE + "\n```{r}\nstop('boom')\n```\n")
        self.refused(self.serve("rmd-shiny", "doc.Rmd"), "boom")


class Plumber(ServeR):
    # Proves: PK5 (L, P)
    def test_an_api_answers(self):
        self.write("plumber.R", API)
        process = self.serve_ready("api")
        self.assertEqual(self.get("/double?x=4"), (200, '{"double":[8]}'))
        self.assertEqual(self.get("/sum", "POST", "[1, 2, 3]", Content_Type="application/json"), (200, '{"sum":[6]}'))
        self.assertEqual(self.get("/__docs__/")[0], 404)
        process.send_signal(signal.SIGINT)
        self.assertEqual(self.wait_ended(process, 10), 0, self.said())
        self.assertIn("the end", self.said())

    # Proves: PK5 (L, P), PR1 (L, P)
    def test_a_connection_is_kept_and_a_large_body_taken(self):
        self.write("plumber.R", "#* @post /size\n#* @parser octet\nfunction(req) length(req$bodyRaw)\n")
        self.serve_ready("api", "plumber.R")
        connection = Connection(self.socket)
        for size in (10, 5_000_000, 20):
            connection.request("POST", "/size", os.urandom(size), {"Content-Type": "application/octet-stream"})
            self.assertEqual(json.loads(connection.getresponse().read()), [size])
        connection.close()

    # Proves: PK5 (L, P)
    def test_an_entrypoint_gives_the_router(self):
        self.write("api/entrypoint.R", "pr <- plumber::pr()\nplumber::pr_get(pr, '/where', function() basename(getwd()))\n")
        self.serve_ready("api", "api/entrypoint.R")
        self.assertEqual(self.get("/where"), (200, '["api"]'))

    # Proves: PK5 (L, P)
    def test_what_is_no_plumber_api_is_refused(self):
        self.refused(self.serve("api"), "No plumber.R file found")
        self.write("plumber.R", "stop('boom')\n")
        self.refused(self.serve("api"), "boom")
        self.write("_server.yml", "engine: plumber2\n")
        self.refused(self.serve("api"), "'_server.yml'", "'plumber2'")


class Examples(ServeR):
    # Proves: PK5 (L, P)
    def test_the_shiny_example_remembers_for_a_session(self):
        self.example("apps/shiny")
        self.serve_ready("shiny")
        first, second = [self.visit() for _ in range(2)]
        self.assertIn("Total: ", first.until('"total":"Total'))
        first.update({"note:shiny.action": 1})
        self.assertIn("Remembered: north", first.until("Remembered: n"))
        second.update({"region": "south", "note:shiny.action": 1})
        self.assertIn("Remembered: south", second.until("Remembered: s"))
        first.close()
        second.close()

    def visit(self):
        hidden = {f".clientdata_output_{name}_hidden": False for name in ("total", "remembered")}
        return ShinySession(self.socket, {"region": "north", "years": [2023, 2025], "note:shiny.action": 0, **hidden})

    # Proves: PK5 (L, P)
    def test_the_interactive_document(self):
        self.example("apps/rmd-shiny")
        self.serve_ready("rmd-shiny", "index.Rmd")
        session = ShinySession(self.socket, {".clientdata_output___reactivedoc___hidden": False})
        self.assertIn("Sales, asked and answered", session.until('"html"'))
        session.close()

    # Proves: PK5 (L, P)
    def test_the_api(self):
        self.example("apps/plumber")
        self.serve_ready("api")
        status, text = self.get("/sales?region=north&year=2024")
        self.assertEqual((status, len(json.loads(text))), (200, 12))
        self.assertEqual(self.get("/sales?region=nowhere")[0], 404)
        self.assertEqual(self.get("/total", "POST", "[1, 2.5]", Content_Type="application/json"), (200, '{"total":[3.5]}'))
        self.assertEqual(self.get("/me", RStudio_Connect_Credentials='{"user":"ada"}'), (200, '{"user":"ada"}'))
