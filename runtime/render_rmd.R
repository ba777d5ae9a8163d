# Renders one R Markdown document:
#   R --no-echo --no-restore --no-save -f render_rmd.R --args --input report.Rmd --output-dir DIR
#     [--output-file index.html] [--params FILE.json]
# The working directory is a fresh copy of the source that nobody else uses, so knitr may write into it.

here <- dirname(sub("^--file=", "", c(grep("^--file=", commandArgs(), value = TRUE),
                                      commandArgs()[match("-f", commandArgs()) + 1])[1]))
source(file.path(here, "common.R"))
source(file.path(here, "params.R"))

# The first format the document asks for; formats of `_output.yml` and of the site count as well.
first_format <- function(input) {
  tryCatch(rmarkdown::default_output_format(input), error = function(e) {
    fail("the header of '%s' can not be read, correct it: %s", input, conditionMessage(e))
  })
}

# Files that the finished page refers to, and those the author wants kept beside it.
published_files <- function(input, front, self_contained) {
  wanted <- unlist(front$rmd_output_metadata$rsc_output_files)
  if (!self_contained) {
    found <- rmarkdown::find_external_resources(input)
    wanted <- c(wanted, found$path[found$web | found$explicit])
  }
  unique(wanted)
}

# Copies `files`, relative to the working directory, to the same place below `directory`.
copy_below <- function(files, directory) {
  for (file in files) {
    if (!file.exists(file)) {
      say("warning: '%s' is named as an output file and does not exist", file)
      next
    }
    if (grepl("(^|/)\\.\\.(/|$)", file) || startsWith(file, "/")) {
      say("warning: '%s' lies outside the source and is not copied", file)
      next
    }
    place <- file.path(directory, dirname(file))
    dir.create(place, recursive = TRUE, showWarnings = FALSE)
    if (!all(file.copy(file, place, recursive = TRUE, overwrite = TRUE))) {
      fail("'%s' could not be copied to '%s'; check the space left there.", file, directory)
    }
  }
}

# Whether a page carries its images and scripts in itself; formats that do not say so do not.
is_self_contained <- function(format) isTRUE(format$options$self_contained)

check_packages <- function() {
  if (!requireNamespace("rmarkdown", quietly = TRUE)) {
    fail("R package 'rmarkdown' is not installed in %s; lock it with the report or add it to Packages.External.",
         paste(.libPaths(), collapse = ", "))
  }
  if (!rmarkdown::pandoc_available("1.12.3")) {
    fail("pandoc was not found; install it, or set RSTUDIO_PANDOC to the directory it is in.")
  }
}

render <- function(options) {
  input <- options$input
  if (!file.exists(input)) fail("'%s' is not in the bundle; correct the entry point.", input)
  check_packages()
  front <- rmarkdown::yaml_front_matter(input)
  if (identical(front$runtime, "shiny") || identical(front$runtime, "shinyrmd") || identical(front$server, "shiny")) {
    fail("'%s' is an interactive document; run it as an application instead of rendering it.", input)
  }
  params <- read_params(options$params, input)
  format <- first_format(input)
  say("rendering %s as %s with rmarkdown %s, R %s", input, format$name,
      as.character(utils::packageVersion("rmarkdown")), getRversion())
  # Without an extension rmarkdown adds the one of the format: index.html, index.pdf, index.docx.
  made <- rmarkdown::render(
    input,
    output_format = format$name,
    output_file = tools::file_path_sans_ext(options[["output-file"]]),
    output_dir = options[["output-dir"]],
    knit_root_dir = getwd(),
    params = params,
    envir = new.env(parent = globalenv()),
    encoding = "UTF-8",
    quiet = TRUE
  )
  html <- grepl("\\.html?$", made)
  copy_below(published_files(input, front, !html || is_self_contained(format)), options[["output-dir"]])
  index <- file.path(options[["output-dir"]], "index.html")
  if (html && !file.exists(index)) file.copy(made, index)
  say("output: %s", basename(made))
}

# The calls of the document's own code that led to the error, innermost first.
calls_of_content <- function(calls) {
  lines <- vapply(calls, function(call) sub("\n.*", "", deparse(call, width.cutoff = 80)[1]), "")
  own <- max(c(0, grep("withVisible\\(|eval\\(expr, envir", lines)))
  handlers <- grep("^(h\\(simpleError|\\.handleSimpleError|\\(function \\(e\\))", lines)
  rev(lines[setdiff(seq_along(lines), c(seq_len(own), handlers))])
}

prepare_session()
options <- read_options(list(input = NA, `output-dir` = NA, `output-file` = "index.html", params = ""))
trace <- character()
tryCatch(withCallingHandlers(render(options), error = function(e) trace <<- calls_of_content(sys.calls())),
  error = function(e) {
    for (line in trace) say("  at %s", line)
    fail("'%s' could not be rendered: %s", options$input, describe_error(e))
  })
quit(save = "no", status = 0, runLast = FALSE)
