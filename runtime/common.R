# Shared by the R starters: options, messages and a session that works for an account without a home.
# Base R only, R 3.6 or later.

# Progress goes to stderr: stdout belongs to the content.
say <- function(...) {
  cat(sprintf(...), "\n", sep = "", file = stderr())
}

# One sentence that says what to do, then a non-zero exit.
fail <- function(...) {
  cat("Error: ", sprintf(...), "\n", sep = "", file = stderr())
  quit(save = "no", status = 1, runLast = FALSE)
}

# Reads `--key value` pairs; `known` names the keys and gives their defaults (NA: required, NULL can not be stored).
read_options <- function(known, words = commandArgs(trailingOnly = TRUE)) {
  at <- 1
  while (at <= length(words)) {
    key <- sub("^--", "", words[at])
    if (!startsWith(words[at], "--") || !(key %in% names(known))) {
      fail("unknown option '%s'; known are %s.", words[at], paste0("--", names(known), collapse = ", "))
    }
    if (at == length(words)) fail("option '--%s' needs a value.", key)
    known[[key]] <- words[at + 1]
    at <- at + 2
  }
  missing <- names(known)[vapply(known, is.na, NA)]
  if (length(missing)) fail("option '--%s' is required.", missing[1])
  known
}

# HOME may be unwritable and the locale unset; both break rmarkdown and pandoc in ways that are hard to read.
prepare_session <- function() {
  options(warn = 1, digits.secs = NULL, menu.graphics = FALSE)
  if (!isTRUE(l10n_info()[["UTF-8"]])) {
    Sys.unsetenv("LC_ALL")
    for (locale in c("C.UTF-8", "C.utf8", "en_US.UTF-8")) {
      if (nzchar(suppressWarnings(Sys.setlocale("LC_CTYPE", locale)))) {
        Sys.setenv(LANG = locale)
        break
      }
    }
  }
  temporary <- Sys.getenv("TMPDIR", unset = tempdir())
  for (name in c("R_USER_CACHE_DIR", "R_USER_DATA_DIR", "R_USER_CONFIG_DIR", "XDG_CACHE_HOME")) {
    if (!nzchar(Sys.getenv(name)) && file.access(path.expand("~"), 2) != 0) {
      do.call(Sys.setenv, stats::setNames(list(file.path(temporary, tolower(name))), name))
    }
  }
}

# The message of a condition with the call that raised it, as R itself prints it.
describe_error <- function(condition) {
  call <- conditionCall(condition)
  where <- if (is.null(call)) "" else paste0(" (in ", deparse(call, width.cutoff = 80)[1], ")")
  paste0(conditionMessage(condition), where)
}
