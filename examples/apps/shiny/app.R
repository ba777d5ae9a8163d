library(shiny)

sales <- read.csv("sales.csv")
sales$date <- as.Date(sprintf("%d-%02d-01", sales$year, sales$month))

ui <- fluidPage(
  titlePanel("Sales"),
  sidebarLayout(
    sidebarPanel(
      selectInput("region", "Region", sort(unique(sales$region))),
      sliderInput("years", "Years", min(sales$year), max(sales$year), range(sales$year), step = 1, sep = ""),
      fileInput("file", "More sales (CSV)", accept = ".csv"),
      actionButton("note", "Remember this region"),
      downloadButton("download", "Download")
    ),
    mainPanel(
      textOutput("greeting"),
      plotOutput("plot", height = "300px"),
      textOutput("total"),
      textOutput("remembered")
    )
  )
)

server <- function(input, output, session) {
  all_sales <- reactive({
    if (is.null(input$file)) return(sales)
    more <- read.csv(input$file$datapath)
    validate(need(all(c("year", "region", "month", "sales") %in% names(more)),
                  "The file needs the columns year, region, month and sales."))
    more$date <- as.Date(sprintf("%d-%02d-01", more$year, more$month))
    rbind(sales, more[names(sales)])
  })
  chosen <- reactive({
    found <- all_sales()
    found[found$region == input$region & found$year >= input$years[1] & found$year <= input$years[2], ]
  })
  # What a session remembers lives in this process alone: the visitor has to come back to it.
  remembered <- reactiveVal(character())
  observeEvent(input$note, remembered(unique(c(remembered(), input$region))))

  output$greeting <- renderText(if (!is.null(session$user)) paste("Hello,", session$user))
  output$plot <- renderPlot({
    plot(chosen()$date, chosen()$sales, type = "h", lwd = 4, col = "steelblue", xlab = NA, ylab = "sales", bty = "n")
  })
  output$total <- renderText(paste("Total:", sum(chosen()$sales)))
  output$remembered <- renderText(paste("Remembered:", paste(remembered(), collapse = ", ")))
  output$download <- downloadHandler(
    function() paste0("sales-", input$region, ".csv"),
    function(file) write.csv(chosen(), file, row.names = FALSE)
  )
}

shinyApp(ui, server)
