# Says back what is said, counts, and keeps saying numbers: whoever is cut off can see whether anything is missing.
library(shiny)

ui <- fluidPage(
  tags$head(tags$script(HTML("
    window.heard = {echo: [], tick: []};
    document.addEventListener('DOMContentLoaded', () => {
      for (const name of ['echo', 'tick']) {
        Shiny.addCustomMessageHandler(name, (value) => window.heard[name].push(value));
      }
    });
  "))),
  actionButton("more", "More"),
  textOutput("count"),
  textInput("name", "Name"),
  textOutput("greeting")
)

server <- function(input, output, session) {
  count <- reactiveVal(0)
  observeEvent(input$more, count(count() + 1))
  output$count <- renderText(paste("Count:", count()))
  output$greeting <- renderText(paste("Hello,", input$name))
  observeEvent(input$said, session$sendCustomMessage("echo", input$said))
  observeEvent(input$many, for (number in seq_len(input$many)) {
    session$sendCustomMessage("echo", paste(number, strrep("x", 1000)))
  })
  tick <- 0
  observe({
    req(input$ticks)
    invalidateLater(20)
    session$sendCustomMessage("tick", tick)
    tick <<- tick + 1
  })
}

shinyApp(ui, server)
