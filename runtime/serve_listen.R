# Shared by the kinds that serve_r.R serves: where to listen, when that is said to be so, and how it ends.

# Only the account itself may connect to the socket.
SOCKET_MASK <- strtoi("0077", 8L)

# What `--listen` names, as shiny::runApp takes it: a socket's path that carries its mask, or a port of every address.
read_listen <- function(text) {
  value <- sub("^[a-z]+:", "", text)
  port <- suppressWarnings(as.integer(value))
  if (startsWith(text, "unix:/")) {
    return(list(host = "127.0.0.1", port = structure(value, mask = SOCKET_MASK)))
  }
  if (startsWith(text, "tcp:") && !is.na(port) && port > 0 && port < 65536) {
    return(list(host = "0.0.0.0", port = port))
  }
  fail("option '--listen %s' is neither unix:PATH, with an absolute path, nor tcp:PORT.", text)
}

# What a process that was killed left behind would make the start fail.
clear_socket <- function(place) {
  if (is.character(place$port)) unlink(place$port)
}

does_listen <- function(place) {
  if (is.character(place$port)) return(file.exists(place$port))
  connection <- tryCatch(suppressWarnings(socketConnection("127.0.0.1", place$port, timeout = 1)),
                         error = function(e) NULL)
  if (is.null(connection)) return(FALSE)
  close(connection)
  TRUE
}

# Makes the ready file in the first turn of the event loop in which the socket listens. The loop begins to turn only when
# the application is loaded, unless its own code turns it.
announce <- function(place, file, then = function() NULL) {
  check <- function() {
    if (!does_listen(place)) {
      later::later(check, 0.05)
      return()
    }
    then()
    if (!file.create(file, showWarnings = FALSE)) {
      say("warning: the file '%s', which says that this process is ready, could not be made", file)
    }
    say("ready")
  }
  later::later(check, 0)
}

need_packages <- function(names) {
  for (name in names) {
    if (!requireNamespace(name, quietly = TRUE)) {
      fail("R package '%s' is not installed in %s; lock it with the application or add it to Packages.External.",
           name, paste(.libPaths(), collapse = ", "))
    }
  }
}

# Says with what it is served.
introduce <- function(what, package) {
  say("serving %s with %s %s, R %s", what, package, as.character(utils::packageVersion(package)), getRversion())
}

# The last calls before an error, innermost first, without those that only carry it.
calls_before <- function(calls, most = 8) {
  lines <- vapply(calls, function(call) sub("\n.*", "", deparse(call, width.cutoff = 80)[1]), "")
  own <- max(c(0, grep("^(sourceUTF8|source|eval|plumber::plumb|rmarkdown::run|shiny::runApp)\\(", lines)))
  noise <- grep("^(h\\(simpleError|\\.handleSimpleError|\\(function \\(e\\)|withVisible|stop\\()", lines)
  utils::head(rev(lines[setdiff(seq_along(lines), c(seq_len(own), noise))]), most)
}

# Runs one kind to its end. SIGINT is R's interrupt: what the application asked to be done at its end is done, and that
# is a clean end.
serve <- function(kinds) {
  prepare_session()
  options <- read_options(list(kind = NA, entrypoint = ".", listen = NA, `ready-file` = NA, prefix = ""))
  run <- kinds[[options$kind]]
  if (is.null(run)) {
    fail("unknown kind '%s'; known are %s.", options$kind, paste(names(kinds), collapse = ", "))
  }
  place <- read_listen(options$listen)
  clear_socket(place)
  trace <- character()
  tryCatch(
    withCallingHandlers(run(options$entrypoint, place, options[["ready-file"]]),
                        error = function(e) trace <<- calls_before(sys.calls())),
    interrupt = function(e) say("stopped"),
    error = function(e) {
      for (line in trace) say("  at %s", line)
      clear_socket(place)
      fail("the application ended: %s", describe_error(e))
    }
  )
  clear_socket(place)
  quit(save = "no", status = 0, runLast = FALSE)
}
