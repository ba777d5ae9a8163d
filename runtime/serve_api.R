# Plumber APIs: entrypoint.R gives the router, or plumber.R is read as one.

serve_api <- function(entrypoint, place, ready_file) {
  refuse_other_engines(if (dir.exists(entrypoint)) entrypoint else dirname(entrypoint))
  need_packages(c("plumber", "httpuv", "later"))
  introduce("the API", "plumber")
  router <- load_router(entrypoint)
  inside <- router$.__enclos_env__$private
  # Plumber's own run() sets and does these; it can not listen on a socket of the file system.
  if (is.environment(inside) && exists("maxSize", inside, inherits = FALSE)) {
    inside$maxSize <- getOption("plumber.maxRequestSize", 0)
  }
  on.exit(if (is.environment(inside) && is.function(inside$runHooks)) inside$runHooks("exit"))
  server <- if (is.character(place$port)) {
    httpuv::startPipeServer(place$port, attr(place$port, "mask"), router)
  } else {
    httpuv::startServer(place$host, place$port, router)
  }
  on.exit(httpuv::stopServer(server), add = TRUE, after = FALSE)
  announce(place, ready_file)
  repeat httpuv::service()
}

# The directory of the file is the working directory while the API runs, as Plumber does it.
load_router <- function(entrypoint) {
  if (dir.exists(entrypoint)) {
    setwd(entrypoint)
    return(plumber::plumb(dir = "."))
  }
  if (!file.exists(entrypoint)) fail("'%s' is not in the bundle; correct the entry point.", entrypoint)
  setwd(dirname(entrypoint))
  if (tolower(basename(entrypoint)) == "entrypoint.r") return(plumber::plumb(dir = "."))
  plumber::plumb(basename(entrypoint))
}

refuse_other_engines <- function(directory) {
  file <- file.path(directory, c("_server.yml", "_server.yaml"))
  file <- file[file.exists(file)]
  if (!length(file)) return(invisible())
  engine <- sub("^engine:[[:space:]]*['\"]?([^'\"[:space:]]+).*", "\\1",
                grep("^engine:", readLines(file[1], warn = FALSE), value = TRUE))
  fail("'%s' asks for the engine '%s', and APIs are run with plumber only; publish a plumber.R.",
       basename(file[1]), c(engine, "unknown")[1])
}
