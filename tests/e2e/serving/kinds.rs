//! Every kind of application on a cluster, from its bundle to an answer that only its own code can give (AP1, PK5, PK7).

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;

use super::visits::{self, Visitor};
use crate::app::App;
use crate::job::LATER;
use crate::release::{Release, copy, shared, use_index};
use crate::{api, cluster};

/// Enough for packages and a first process while all others are installed and started on the same two processors.
const PATIENCE: Duration = Duration::from_secs(1200);

/// As many as two processors get done at a time.
const AT_A_TIME: usize = 4;

/// A kind of application: the example of that name, and what proves that it works.
struct Kind {
    name: &'static str,
    prove: fn(&Visitor<'_>),
    /// Whether its packages are too large for every run: it is tried with `OFFHOST_TEST_KINDS=1`, or its name there.
    is_heavy: bool,
}

const fn light(name: &'static str, prove: fn(&Visitor<'_>)) -> Kind {
    Kind {
        name,
        prove,
        is_heavy: false,
    }
}

const fn heavy(name: &'static str, prove: fn(&Visitor<'_>)) -> Kind {
    Kind {
        name,
        prove,
        is_heavy: true,
    }
}

const KINDS: &[Kind] = &[
    light("fastapi", visits::fastapi),
    light("flask", visits::flask),
    light("nodejs", visits::nodejs),
    light("plumber", visits::plumber),
    light("rmd-shiny", visits::rmd_shiny),
    light("shiny", visits::shiny),
    light("shiny-python", visits::shiny_python),
    heavy("bokeh", visits::bokeh),
    heavy("dash", visits::dash),
    heavy("gradio", visits::gradio),
    heavy("panel", visits::panel),
    heavy("streamlit", visits::streamlit),
    heavy("voila", visits::voila),
];

/// Several at a time, so that packages are installed while another one starts.
///
/// Proves: PK5 (P), PK9 (P), AP1 (P), PR1 (P)
#[test]
fn every_kind_gets_its_packages_and_answers() {
    if !cluster::there() {
        return;
    }
    let release = shared();
    let asked = std::env::var("OFFHOST_TEST_KINDS").unwrap_or_default();
    let is_asked = |kind: &&Kind| match asked.as_str() {
        "" => !kind.is_heavy,
        "1" => true,
        names => names.split(',').any(|name| name == kind.name),
    };
    let todo = Mutex::new(KINDS.iter().filter(is_asked));
    let next = || todo.lock().unwrap_or_else(PoisonError::into_inner).next();
    std::thread::scope(|threads| {
        for _ in 0..AT_A_TIME {
            threads.spawn(|| {
                while let Some(kind) = next() {
                    try_out(release, kind);
                }
            });
        }
    });
}

/// Installs and visits one kind.
fn try_out(release: &Release, kind: &Kind) {
    let begun = Instant::now();
    let app = deploy(release, kind.name);
    let installed = begun.elapsed();
    (kind.prove)(&Visitor::new(&app, PATIENCE));
    println!(
        "{}: installed after {installed:.0?}, answered after {:.0?}",
        kind.name,
        begun.elapsed()
    );
}

/// An example, with its packages installed.
fn deploy<'r>(release: &'r Release, name: &str) -> App<'r> {
    let bundle = release.incoming(name);
    copy(&cluster::repository("examples/apps").join(name), &bundle);
    use_index(&bundle);
    let spec = json!({"bundle": {"path": name}, "initTimeoutSeconds": 300, "idleTimeoutSeconds": 60});
    let app = release.try_app(name, &spec).unwrap();
    app.wait_for(PATIENCE, "installed", |app| {
        crate::job::condition(app, "Ready").reason == "Accepted"
    });
    app
}

const DOCUMENT: &str = "---\ntitle: Squares\noutput: html_document\nruntime: shinyrmd\n---\n\n\
    ```{r}\nshiny::textOutput('square')\n```\n\n\
    ```{r, context='server'}\noutput$square <- shiny::renderText(paste0('square=', input$n^2))\n```\n";

/// Quarto itself is not here: the page that it would have made is one that R Markdown makes of the same document.
///
/// Proves: PK5 (P), PR1 (P)
#[test]
fn a_document_is_rendered_once_and_served_by_quarto_as_it_lies_there() {
    if !cluster::there() {
        return;
    }
    let release = shared();
    let manifest = |app_mode: &str, document: &str| {
        json!({
            "version": 1, "metadata": {"appmode": app_mode, "primary_rmd": document},
            "platform": "4.2.2", "packages": {}, "files": {},
        })
        .to_string()
    };
    let serve = |name: &str| {
        let app = release.try_app(name, &json!({"bundle": {"path": name}})).unwrap();
        app.says("Ready", "True", "Accepted");
        visits::square(&Visitor::new(&app, LATER));
        app
    };
    let files = [
        ("doc.Rmd", DOCUMENT),
        ("manifest.json", &manifest("rmd-shiny", "doc.Rmd")),
    ];
    release.bundle("rendered-once", &files);
    let app = serve("rendered-once");
    let page = rendered(&app);

    let document = DOCUMENT.replace("runtime: shinyrmd", "server: shiny");
    let files = [
        ("doc.qmd", document.as_str()),
        ("doc.html", &page),
        ("manifest.json", &manifest("quarto-shiny", "doc.qmd")),
    ];
    release.bundle("quarto", &files);
    serve("quarto");
}

/// The page that a process has left in the bundle.
fn rendered(app: &App<'_>) -> String {
    let seen = app.get();
    let of_bundle = |field: &str| seen["status"][field].as_str().unwrap().to_owned();
    let place: PathBuf = ["apps", &of_bundle("content"), &of_bundle("bundle"), "doc.html"]
        .iter()
        .collect();
    let place = app.release.data.join(place);
    std::fs::read_to_string(&place).unwrap_or_else(|error| panic!("{}: {error}", place.display()))
}

/// Proves: PK5 (P)
#[test]
fn a_result_is_served_once_there_is_one() {
    if !cluster::there() {
        return;
    }
    let release = shared();
    let manifest = json!({
        "version": 1, "metadata": {"appmode": "rmd-static", "primary_rmd": "page.Rmd"},
        "platform": "4.2.2", "packages": {}, "files": {},
    });
    let page = "---\ntitle: A result\noutput: html_document\n---\n\nSeven times six is `r 7 * 6`.\n";
    release.bundle(
        "result",
        &[("page.Rmd", page), ("manifest.json", &manifest.to_string())],
    );
    let app = release
        .try_app("result", &json!({"bundle": {"path": "result"}}))
        .unwrap();
    app.says("Ready", "False", "NothingToServe");
    let gateway = release.gateway();
    let answer = gateway.until("/content/result/", |answer| answer.status == 503);
    assert!(answer.body.contains("has not been rendered yet"), "{answer:?}");
    let job = release.job("render-result", json!({"content": "result", "task": "Render"}));
    job.succeeds_in(LATER);
    app.says("Ready", "True", "Accepted");
    let answer = gateway.until("/content/result/", |answer| answer.status == 200);
    assert!(answer.body.contains("Seven times six is 42"), "{answer:?}");
    assert!(app.pods().is_empty());
    api::delete(&job.path());
}
