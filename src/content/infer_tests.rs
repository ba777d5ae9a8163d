use super::*;
use crate::content::files::memory::Memory;

fn infer(files: &[(&str, &str)]) -> Result<(AppMode, Option<String>), InferError> {
    let memory = Memory::new(files);
    let bundle = Bundle::new(&memory).unwrap();
    let app_mode = kind(&bundle)?.app_mode;
    Ok((app_mode, entrypoint(app_mode, &bundle)?))
}

/// Files, the kind they mean, and its entry point.
type Case<'a> = (&'a [(&'a str, &'a str)], AppMode, Option<&'a str>);

fn hold(cases: &[Case<'_>]) {
    for (files, app_mode, entrypoint) in cases {
        let found = infer(files).unwrap_or_else(|error| panic!("{files:?}: {error}"));
        assert_eq!(found, (*app_mode, entrypoint.map(str::to_owned)), "{files:?}");
    }
}

/// Proves: PK9 (L, P)
#[test]
fn a_directory_of_documents_has_its_kind_inferred() {
    let shiny = "---\nruntime: shiny\n---\n";
    hold(&[
        (
            &[("report.Rmd", ""), ("report.html", ""), ("data/a.csv", "")],
            AppMode::RmdStatic,
            Some("report.Rmd"),
        ),
        (&[("board.rmd", shiny)], AppMode::RmdShiny, Some("board.rmd")),
        (
            &[("index.Rmd", ""), ("about.Rmd", ""), ("_site.yml", "")],
            AppMode::RmdStatic,
            Some("index.Rmd"),
        ),
        (&[("a.ipynb", "{}")], AppMode::JupyterStatic, Some("a.ipynb")),
        (&[("a.qmd", "")], AppMode::QuartoStatic, Some("a.qmd")),
        (
            &[("a.qmd", "---\nserver: shiny\n---\n")],
            AppMode::QuartoShiny,
            Some("a.qmd"),
        ),
        (
            &[("_quarto.yml", ""), ("a.qmd", ""), ("b.qmd", ""), ("c.ipynb", "")],
            AppMode::QuartoStatic,
            None,
        ),
        (
            &[("_quarto.yml", ""), ("index.qmd", ""), ("b.Rmd", "")],
            AppMode::QuartoStatic,
            Some("index.qmd"),
        ),
    ]);
}

/// Proves: PK9 (L, P)
#[test]
fn a_directory_of_an_application_has_its_kind_inferred() {
    hold(&[
        (&[("app.r", "")], AppMode::Shiny, None),
        (&[("server.R", ""), ("ui.R", "")], AppMode::Shiny, None),
        (&[("plumber.R", "")], AppMode::Api, None),
        (
            &[("app.py", "import os\nfrom flask import Flask")],
            AppMode::PythonApi,
            Some("app"),
        ),
        (
            &[("app.py", "import dash, flask")],
            AppMode::PythonDash,
            Some("app"),
        ),
        (
            &[("main.py", "from fastapi.routing import X"), ("util.py", "")],
            AppMode::PythonFastapi,
            Some("main"),
        ),
        (
            &[("only.py", "import streamlit as st")],
            AppMode::PythonStreamlit,
            Some("only"),
        ),
        (
            &[("app.py", "import panel as pn\nimport bokeh")],
            AppMode::PythonPanel,
            Some("app"),
        ),
        (
            &[("app.py", "from shiny.express import ui")],
            AppMode::PythonShiny,
            Some("app"),
        ),
        (
            &[("app.py", "import gradio as gr")],
            AppMode::PythonGradio,
            Some("app"),
        ),
        (
            &[("app.py", "import bokeh.plotting")],
            AppMode::PythonBokeh,
            Some("app"),
        ),
        (
            &[("package.json", "{\"main\": \"./s.js\"}"), ("s.js", "")],
            AppMode::Nodejs,
            Some("s.js"),
        ),
        (
            &[
                ("package.json", "{\"scripts\": {\"start\": \"node x.js -p\"}}"),
                ("x.js", ""),
            ],
            AppMode::Nodejs,
            Some("x.js"),
        ),
        (
            &[("package.json", "{}"), ("index.ts", "")],
            AppMode::Nodejs,
            Some("index.ts"),
        ),
        (&[("m/1/saved_model.pb", "")], AppMode::TensorflowSavedModel, None),
        (
            &[("index.html", ""), ("style.css", ""), ("b.html", "")],
            AppMode::Static,
            Some("index.html"),
        ),
    ]);
}

/// Proves: PK9 (L, P)
#[test]
fn what_is_not_clear_is_refused_with_what_was_looked_for_and_found() {
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[], "found nothing;"),
        (&[("sub/x.Rmd", "")], "found only directories;"),
        (
            &[("notes.txt", ""), ("run.py", "print(1)")],
            "looked at its top for _quarto.yml or *.qmd (Quarto), *.Rmd",
        ),
        (
            &[("notes.txt", ""), ("run.py", "print(1)")],
            "found 'notes.txt', 'run.py';",
        ),
        (&[("server.R", "")], "found 'server.R'"),
        (
            &[("a.ipynb", "{}"), ("report.Rmd", "")],
            "rmd-static (it has 'report.Rmd') or jupyter-static (it has 'a.ipynb')",
        ),
        (
            &[("app.py", "import flask\nimport streamlit")],
            "python-api ('app.py' imports flask) or python-streamlit",
        ),
        (
            &[("a.Rmd", ""), ("b.Rmd", "")],
            "has 'a.Rmd', 'b.Rmd'; name one as 'entrypoint' in a job, or call one 'index.Rmd'",
        ),
        (
            &[("package.json", "{"), ("app.js", "")],
            "'package.json' is not JSON",
        ),
        (
            &[("package.json", "{\"main\": \"gone.js\"}")],
            "has no file that 'package.json' names",
        ),
    ];
    for (files, expected) in cases {
        let message = infer(files).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}
