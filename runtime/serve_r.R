# Serves one R application until it is told to stop:
#   R --no-echo --no-restore --no-save -f serve_r.R --args --kind shiny|rmd-shiny|quarto-shiny|api
#     [--entrypoint FILE] --listen unix:PATH|tcp:PORT --ready-file FILE [--prefix PATH]
# The working directory is the application's. The gateway removes the prefix, and each of these frameworks learns the
# public address from the browser, so nothing is done with it here.

# Nothing is left in the global environment, which an application sees before the packages it attaches.
local({
  here <- dirname(sub("^--file=", "", c(grep("^--file=", commandArgs(), value = TRUE),
                                        commandArgs()[match("-f", commandArgs()) + 1])[1]))
  starter <- new.env(parent = baseenv())
  for (file in c("common.R", "serve_listen.R", "serve_shiny.R", "serve_api.R")) {
    sys.source(file.path(here, file), envir = starter)
  }
  starter$serve(list(
    shiny = starter$serve_shiny,
    `rmd-shiny` = starter$serve_rmd,
    `quarto-shiny` = starter$serve_quarto,
    api = starter$serve_api
  ))
})
