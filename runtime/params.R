# Parameters of an R Markdown document: read from a JSON file, checked against the declared ones, and
# given the types of the declared defaults.

# The parameters that the document declares, name -> default (a list, as a default may be NULL).
declared_params <- function(input) {
  found <- tryCatch(knitr::knit_params(readLines(input, warn = FALSE, encoding = "UTF-8"), evaluate = TRUE),
    error = function(e) fail("the parameters of '%s' can not be read, correct its header: %s", input, conditionMessage(e)))
  defaults <- list()
  for (param in found) defaults[param$name] <- list(param$value)
  defaults
}

# One value of the JSON file as the type of `default`. `say_no` is called where it does not fit.
as_type_of <- function(default, value, say_no) {
  if (is.null(value) || is.null(default)) return(simplify(value))
  if (is.list(default)) return(if (is.list(value)) lapply(value, simplify) else as.list(value))
  if (is.list(value)) {
    if (!is.null(names(value))) say_no("is a table, and the default is not")
    return(do.call(c, lapply(value, function(one) as_type_of(default[1], one, say_no))))
  }
  if (inherits(default, "Date")) return(checked(as.Date(as.character(value), optional = TRUE), "a date such as 2024-12-31", say_no))
  if (inherits(default, "POSIXct")) return(checked(as_time(value, default), "a time such as 2024-12-31 23:59:00", say_no))
  if (is.factor(default)) return(factor(as.character(value), levels = union(levels(default), as.character(value))))
  switch(typeof(default),
    character = as_text(value),
    logical = as_logical(value, say_no),
    integer = as_number(value, say_no, whole = TRUE),
    double = as_number(value, say_no, whole = FALSE),
    value)
}

# JSON arrays of plain values become vectors, as YAML in a document's header does.
simplify <- function(value) {
  plain <- is.list(value) && is.null(names(value)) && length(value) > 0 &&
    all(vapply(value, function(one) is.atomic(one) && length(one) == 1, NA))
  if (plain) unlist(value) else value
}

checked <- function(value, wanted, say_no) {
  if (length(value) != 1 || is.na(value)) say_no(paste("is not", wanted))
  value
}

as_time <- function(value, default) {
  zone <- attr(default, "tzone")
  for (form in c("%Y-%m-%dT%H:%M:%OSZ", "%Y-%m-%dT%H:%M:%OS", "%Y-%m-%d %H:%M:%OS", "%Y-%m-%d %H:%M", "%Y-%m-%d")) {
    here <- if (endsWith(form, "Z")) "UTC" else if (is.null(zone)) "" else zone[1]
    time <- as.POSIXct(strptime(as.character(value), form, tz = here))
    if (!is.na(time)) return(time)
  }
  NA
}

# 2024 stays "2024" and true stays "true": what was typed, not R's own way of printing it.
as_text <- function(value) {
  if (is.logical(value)) tolower(as.character(value)) else format(value, digits = 15, scientific = FALSE, trim = TRUE)
}

as_logical <- function(value, say_no) {
  known <- c(true = TRUE, yes = TRUE, on = TRUE, `1` = TRUE, false = FALSE, no = FALSE, off = FALSE, `0` = FALSE)
  checked(unname(known[tolower(as.character(value))]), "true or false", say_no)
}

as_number <- function(value, say_no, whole) {
  number <- if (is.logical(value)) NA else suppressWarnings(as.numeric(value))
  checked(number, "a number", say_no)
  if (whole && number == trunc(number) && abs(number) <= .Machine$integer.max) as.integer(number) else number
}

# The `params` argument of rmarkdown::render; NULL where `file` is empty.
read_params <- function(file, input) {
  if (!nzchar(file)) return(NULL)
  given <- tryCatch(jsonlite::fromJSON(file, simplifyVector = FALSE),
    error = function(e) fail("parameter file '%s' can not be read: %s", file, conditionMessage(e)))
  if (length(given) == 0) return(NULL)
  defaults <- declared_params(input)
  unknown <- setdiff(names(given), names(defaults))
  if (length(unknown)) {
    fail("'%s' has no parameter '%s'; %s.", input, unknown[1],
         if (length(defaults)) paste("it has", paste(names(defaults), collapse = ", ")) else "it declares none")
  }
  params <- list()
  for (name in names(given)) {
    say_no <- function(why) fail("the value of parameter '%s' of '%s' %s; give one like the default.", name, input, why)
    params[name] <- list(as_type_of(defaults[[name]], given[[name]], say_no))
  }
  params
}
