library(plumber)

sales <- read.csv("sales.csv")

#* @apiTitle Sales

#* The sales of one region, or of all
#* @param region:str Name of a region
#* @param year:int A year
#* @get /sales
function(res, region = NULL, year = NULL) {
  found <- sales
  if (!is.null(region)) found <- found[found$region == region, ]
  if (!is.null(year)) found <- found[found$year == as.integer(year), ]
  if (!nrow(found)) {
    res$status <- 404
    return(list(error = "there are no such sales"))
  }
  found
}

#* The sum of numbers that are sent as JSON
#* @post /total
function(req, res) {
  if (!is.numeric(req$body)) {
    res$status <- 400
    return(list(error = "send a JSON array of numbers"))
  }
  list(total = sum(req$body))
}

#* Who asks, where the server tells it
#* @get /me
#* @serializer unboxedJSON
function(req) {
  told <- req$HTTP_RSTUDIO_CONNECT_CREDENTIALS
  if (is.null(told)) list(user = NULL) else jsonlite::fromJSON(told)
}

#* A bar for each month
#* @get /plot
#* @serializer png
function(region = "north", year = 2024) {
  found <- sales[sales$region == region & sales$year == as.integer(year), ]
  barplot(found$sales, names.arg = month.abb[found$month], border = NA)
}
