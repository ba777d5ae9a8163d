# Finds the file of exactly one version of a package in CRAN-like repositories. Base R only.

options(HTTPUserAgent = sprintf("R/%s R (%s)", getRversion(), paste(getRversion(), R.version$platform, R.version$arch, R.version$os)))

index_of <- local({
  read <- list()
  function(url) {
    if (is.null(read[[url]])) read[[url]] <<- read_index(utils::contrib.url(url, "source"))
    read[[url]]
  }
})

# A repository without an index that can be read has no packages listed; `unreadable` tells it from an empty one.
read_index <- function(address) {
  unreadable <- FALSE
  none <- matrix(character(), 0, 3, dimnames = list(NULL, c("Package", "Version", "Repository")))
  # No filters: the version that is locked may not be the newest, or be meant for another R.
  index <- tryCatch(
    withCallingHandlers(utils::available.packages(address, filters = list()), warning = function(w) {
      if (grepl("unable to access index", conditionMessage(w), fixed = TRUE)) unreadable <<- TRUE
      invokeRestart("muffleWarning")
    }),
    error = function(e) {
      unreadable <<- TRUE
      none
    }
  )
  structure(index, unreadable = unreadable)
}

# Versions of `name` that the index of `url` lists.
versions_at <- function(name, url) {
  index <- index_of(url)
  unname(index[index[, "Package"] == name, "Version"])
}

# Addresses where the version could be, best first.
candidates <- function(package, url) {
  base <- utils::contrib.url(url, "source")
  file <- sprintf("%s_%s.tar.gz", package$Package, package$Version)
  index <- index_of(url)
  found <- index[index[, "Package"] == package$Package & index[, "Version"] == package$Version, , drop = FALSE]
  listed <- character()
  if (nrow(found)) {
    own <- if ("File" %in% colnames(found) && !is.na(found[1, "File"])) found[1, "File"] else file
    listed <- file.path(found[1, "Repository"], own)
  }
  unique(c(listed, file.path(base, file), file.path(base, "Archive", package$Package, file)))
}

# The local path of `address`, downloaded unless it is a file; NULL where there is none.
obtain <- function(address) {
  if (startsWith(address, "file:")) {
    path <- utils::URLdecode(sub("^file:(//)?", "", address))
    return(if (file.exists(path)) path)
  }
  place <- file.path(tempdir(), basename(address))
  done <- tryCatch(suppressWarnings(utils::download.file(address, place, quiet = TRUE, mode = "wb")),
    error = function(e) 1)
  if (done == 0 && isTRUE(file.size(place) > 0)) place
}

# Names of the packages that the index says `package` needs; for locks that do not say it themselves.
required_by <- function(package, repositories) {
  for (url in repositories) {
    index <- index_of(url)
    rows <- index[index[, "Package"] == package$Package, , drop = FALSE]
    if (!nrow(rows)) next
    row <- rows[c(which(rows[, "Version"] == package$Version), 1)[1], ]
    fields <- unlist(strsplit(stats::na.omit(row[intersect(c("Depends", "Imports", "LinkingTo"), names(row))]), ","))
    return(trimws(sub("\\(.*", "", fields)))
  }
  character()
}

# The file of exactly the locked version, from the first repository that has it.
find_package <- function(package, repositories) {
  if (!length(repositories)) {
    fail("no R package repository is configured; add an [RPackageRepository \"CRAN\"] section with its URL.")
  }
  for (url in unique(repositories)) {
    for (address in candidates(package, url)) {
      file <- obtain(address)
      if (!is.null(file)) return(file)
    }
  }
  tried <- vapply(seq_along(repositories), function(at) {
    there <- versions_at(package$Package, repositories[at])
    sprintf("%s (%s) %s", names(repositories)[at], repositories[at],
            if (length(there)) paste("has", paste(there, collapse = ", "))
            else if (isTRUE(attr(index_of(repositories[at]), "unreadable"))) "has no index that can be read"
            else "has no version of it")
  }, "")
  locked <- if (nzchar(package$Repository)) sprintf(" (locked from %s)", package$Repository) else ""
  fail("package '%s' %s%s is in no repository: %s; add it to one, or lock a version that is there.",
       package$Package, package$Version, locked, paste(tried, collapse = "; "))
}
