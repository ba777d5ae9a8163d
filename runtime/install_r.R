# Installs the R packages of a content item, each at exactly the locked version, into a staging area:
#   R --no-echo --no-restore --no-save -f install_r.R --args [--packages FILE.dcf]
# FILE's format is described in README.md. Afterwards STAGING/v2/library/<package>/<hash>/<package> holds what was
# built, and STAGING/library/<package> links to each package, built or cached. Base R only.

here <- dirname(sub("^--file=", "", c(grep("^--file=", commandArgs(), value = TRUE),
                                      commandArgs()[match("-f", commandArgs()) + 1])[1]))
source(file.path(here, "common.R"))
source(file.path(here, "repositories.R"))

# Sources that name no repository a fixed version could be taken from.
unsupported_sources <- c("github", "gitlab", "bitbucket", "git", "git2r", "svn", "url", "local", "source", "unknown")

split_list <- function(text, by) {
  parts <- trimws(strsplit(text, by)[[1]])
  parts[nzchar(parts)]
}

# The header record and a data frame with a row for each package; absent fields are "".
read_lock <- function(file) {
  if (!file.exists(file)) fail("package list '%s' does not exist.", file)
  records <- tryCatch(read.dcf(file, keep.white = "Repositories"), error = function(e) {
    fail("package list '%s' can not be read: %s", file, conditionMessage(e))
  })
  known <- c("RVersion", "Cache", "Staging", "Repositories",
             "Package", "Version", "Source", "Repository", "Hash", "Requires", "Cached")
  for (field in setdiff(known, colnames(records))) {
    records <- cbind(records, matrix("", nrow(records), 1, dimnames = list(NULL, field)))
  }
  records[is.na(records)] <- ""
  list(header = as.list(records[1, ]),
       packages = as.data.frame(records[-1, , drop = FALSE], stringsAsFactors = FALSE))
}

# `name=url` lines, in order; names may repeat.
parse_repositories <- function(text) {
  lines <- split_list(text, "\n")
  at <- regexpr("=", lines, fixed = TRUE)
  stats::setNames(substring(lines, at + 1), substring(lines, 1, at - 1))
}

check_r_version <- function(wanted) {
  if (nzchar(wanted) && wanted != as.character(getRversion())) {
    fail("this is R %s and the packages are wanted for R %s; choose that R, or deploy with this one.",
         getRversion(), wanted)
  }
}

is_cached <- function(package) tolower(package$Cached) %in% c("yes", "true")

# Row numbers in an order in which each package comes after those it requires.
build_order <- function(packages, repositories) {
  needs <- lapply(seq_len(nrow(packages)), function(row) {
    package <- as.list(packages[row, ])
    names <- split_list(package$Requires, ",")
    if (!length(names) && !is_cached(package)) names <- required_by(package, repositories)
    intersect(names, packages$Package)
  })
  names(needs) <- packages$Package
  order <- character()
  while (length(order) < nrow(packages)) {
    ready <- names(needs)[vapply(needs, function(names) all(names %in% order), NA)]
    ready <- setdiff(ready, order)
    if (!length(ready)) {
      fail("packages %s require one another in a circle; correct the lock file.",
           paste(setdiff(names(needs), order), collapse = ", "))
    }
    order <- c(order, ready)
  }
  match(order, packages$Package)
}

# A requirement that is not locked must be in R's own libraries (Packages.External).
check_requirements <- function(packages) {
  for (row in seq_len(nrow(packages))) {
    for (name in setdiff(split_list(packages$Requires[row], ","), c("R", packages$Package))) {
      if (!nzchar(system.file(package = name))) {
        fail("package '%s' requires '%s', which is neither locked nor installed with R; lock it, or install it there and add it to Packages.External.",
             packages$Package[row], name)
      }
    }
  }
}

check_source <- function(package) {
  if (tolower(package$Source) %in% unsupported_sources) {
    fail("package '%s' %s comes from '%s', which is not supported; add it to a repository, and lock it from there.",
         package$Package, package$Version, package$Source)
  }
}

link_package <- function(from, package, library) {
  link <- file.path(library, package)
  unlink(link, recursive = TRUE)
  if (!file.symlink(from, link)) fail("'%s' could not be linked to '%s'.", link, from)
}

# Runs `R CMD INSTALL` on one source or binary package file.
build <- function(file, package, destination) {
  dir.create(destination, recursive = TRUE, showWarnings = FALSE)
  status <- system2(file.path(R.home("bin"), "R"),
    c("CMD", "INSTALL", "--no-docs", "--no-multiarch", "--no-demo", paste0("--library=", shQuote(destination)), shQuote(file)))
  built <- file.path(destination, package$Package, "DESCRIPTION")
  if (status != 0 || !file.exists(built)) {
    fail("package '%s' %s could not be built; see the messages above (often a system library is to be installed).",
         package$Package, package$Version)
  }
  version <- read.dcf(built, "Version")[1]
  if (version != package$Version) {
    fail("'%s' holds version %s of package '%s', and %s is locked; correct the repository.",
         basename(file), version, package$Package, package$Version)
  }
}

install_all <- function(lock) {
  header <- lock$header
  packages <- lock$packages
  repositories <- parse_repositories(header$Repositories)
  library <- file.path(header$Staging, "library")
  dir.create(library, recursive = TRUE, showWarnings = FALSE)
  # Builds see the packages already placed, then R's own libraries; never an inherited one.
  Sys.setenv(R_LIBS = library, MAKEFLAGS = Sys.getenv("MAKEFLAGS", "-j2"), R_INSTALL_TAR = "internal")
  .libPaths(library)
  check_requirements(packages)
  from_cache <- 0
  for (row in build_order(packages, repositories)) {
    package <- as.list(packages[row, ])
    below <- file.path(package$Package, package$Hash, package$Package)
    if (is_cached(package)) {
      say("linking %s %s", package$Package, package$Version)
      link_package(file.path(header$Cache, below), package$Package, library)
      from_cache <- from_cache + 1
    } else {
      check_source(package)
      file <- find_package(package, repositories)
      say("installing %s %s", package$Package, package$Version)
      build(file, package, file.path(header$Staging, "v2", "library", package$Package, package$Hash))
      link_package(file.path(header$Staging, "v2", "library", below), package$Package, library)
    }
  }
  say("Installed %d packages (%d from cache)", nrow(packages), from_cache)
}

prepare_session()
options <- read_options(list(packages = "/opt/offhost/inputs/r-packages.dcf"))
lock <- read_lock(options$packages)
check_r_version(lock$header$RVersion)
tryCatch(install_all(lock), error = function(e) fail("the packages could not be installed: %s", describe_error(e)))
quit(save = "no", status = 0, runLast = FALSE)
