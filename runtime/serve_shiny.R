# Shiny applications, and documents that are Shiny applications.

# A directory is run as Shiny finds it: app.R, or server.R with ui.R. Another file is an application by itself.
serve_shiny <- function(entrypoint, place, ready_file) {
  need_packages("shiny")
  usual <- tolower(basename(entrypoint)) %in% c("app.r", "server.r", "ui.r", "global.r")
  app <- if (usual) dirname(entrypoint) else entrypoint
  if (!file.exists(app)) fail("'%s' is not in the bundle; correct the entry point.", app)
  introduce(if (usual) entrypoint else sprintf("'%s'", app), "shiny")
  announce(place, ready_file)
  shiny::runApp(app, host = place$host, port = place$port, launch.browser = FALSE, quiet = TRUE)
}

# `runtime: shiny` is rendered anew for each visitor, after the page has come: ready means that visitors are let in.
# `shinyrmd`, which was `shiny_prerendered`, is rendered once, before that, unless it lies rendered beside the document.
# Other documents of the directory are served under their own names.
serve_rmd <- function(entrypoint, place, ready_file) {
  need_packages(c("rmarkdown", "shiny"))
  if (!file.exists(entrypoint) || dir.exists(entrypoint)) {
    fail("'%s' is no document of the bundle; correct the entry point.", entrypoint)
  }
  if (!rmarkdown::pandoc_available("1.12.3")) {
    fail("pandoc was not found; install it, or set RSTUDIO_PANDOC to the directory it is in.")
  }
  introduce(entrypoint, "rmarkdown")
  unlock <- if (is_rendered_once(entrypoint)) lock_document(entrypoint) else function() NULL
  run_document(entrypoint, place, ready_file, unlock)
}

# Quarto renders, and what it rendered is served as R Markdown's own would be. The engine of the document is R.
serve_quarto <- function(entrypoint, place, ready_file) {
  need_packages(c("rmarkdown", "shiny"))
  if (!file.exists(entrypoint) || dir.exists(entrypoint)) {
    fail("'%s' is no document of the bundle; correct the entry point.", entrypoint)
  }
  if (utils::packageVersion("rmarkdown") < "2.10") {
    fail("an interactive Quarto document needs the R package 'rmarkdown' 2.10 or later; lock a later one.")
  }
  introduce(entrypoint, "rmarkdown")
  page <- paste0(tools::file_path_sans_ext(entrypoint), ".html")
  unlock <- function() NULL
  if (!is_rendered(entrypoint, page)) {
    unlock <- lock_document(entrypoint)
    # Another process of the application may have rendered it meanwhile.
    if (!is_rendered(entrypoint, page)) render_quarto(entrypoint, page)
  }
  Sys.setenv(RMARKDOWN_RUN_PRERENDER = "0")
  run_document(entrypoint, place, ready_file, unlock)
}

run_document <- function(entrypoint, place, ready_file, then) {
  announce(place, ready_file, then)
  rmarkdown::run(
    file = NULL,
    dir = dirname(entrypoint),
    default_file = basename(entrypoint),
    auto_reload = FALSE,
    shiny_args = list(host = place$host, port = place$port, launch.browser = FALSE, quiet = TRUE),
    render_args = list(envir = globalenv())
  )
}

is_rendered_once <- function(document) {
  header <- rmarkdown::yaml_front_matter(document, "UTF-8")
  server <- header$server
  if (is.list(server)) server <- server$type
  isTRUE(header$runtime %in% c("shinyrmd", "shiny_prerendered")) || identical(server, "shiny")
}

# Deploying gives every file about the same time, so a page that is a little older than its document is its own.
is_rendered <- function(document, page) {
  file.exists(page) && file.mtime(page) > file.mtime(document) - 60
}

render_quarto <- function(document, page) {
  quarto <- Sys.which("quarto")
  if (!nzchar(quarto)) {
    if (file.exists(page)) return(invisible())
    fail("'%s' is not in the bundle and there is no Quarto to make it; publish the rendered page with '%s'.",
         page, document)
  }
  status <- system2(quarto, c("render", shQuote(document)), stdout = "")
  if (status != 0 || !file.exists(page)) fail("'%s' could not be rendered by Quarto; see the lines above.", document)
}

# The processes of an application share its directory, and two that render there at once take each other's files away.
# The lock is held by a shell that ends with this process, however that ends. Gives the function that takes it off.
lock_document <- function(document) {
  if (!nzchar(Sys.which("flock")) || file.access(dirname(document), 2) != 0) return(function() NULL)
  taken <- tempfile("locked-")
  hold <- sprintf("touch %s; cat >/dev/null", shQuote(taken))
  # Where the file system knows no locks, it goes on without.
  command <- sprintf("flock -w 600 %s sh -c %s || touch %s", shQuote(document), shQuote(hold), shQuote(taken))
  holder <- pipe(command, "w")
  while (!file.exists(taken)) Sys.sleep(0.02)
  function() {
    close(holder)
    unlink(taken)
  }
}
