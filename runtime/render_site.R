# Renders the R Markdown site in the working directory, in place:
#   R --no-echo --no-restore --no-save -f render_site.R --args [--input DIR]
# What the site leaves in its own output directory is moved by the server afterwards.

here <- dirname(sub("^--file=", "", c(grep("^--file=", commandArgs(), value = TRUE),
                                      commandArgs()[match("-f", commandArgs()) + 1])[1]))
source(file.path(here, "common.R"))

render <- function(input) {
  if (!requireNamespace("rmarkdown", quietly = TRUE)) {
    fail("R package 'rmarkdown' is not installed in %s; lock it with the site or add it to Packages.External.",
         paste(.libPaths(), collapse = ", "))
  }
  if (!rmarkdown::pandoc_available("1.12.3")) {
    fail("pandoc was not found; install it, or set RSTUDIO_PANDOC to the directory it is in.")
  }
  generator <- rmarkdown::site_generator(input)
  if (is.null(generator)) {
    fail("'%s' has no _site.yml beside an index.Rmd or index.md, nor a 'site:' line in index.Rmd; add one of them.",
         normalizePath(input))
  }
  say("rendering site '%s' with rmarkdown %s, R %s", generator$name,
      as.character(utils::packageVersion("rmarkdown")), getRversion())
  rmarkdown::render_site(input, encoding = "UTF-8", envir = new.env(parent = globalenv()), quiet = TRUE)
  say("output: %s", generator$output_dir)
}

prepare_session()
options <- read_options(list(input = "."))
tryCatch(render(options$input), error = function(e) {
  fail("the site could not be rendered: %s", describe_error(e))
})
quit(save = "no", status = 0, runLast = FALSE)
