//! The kinds of content: their names, what they need, what is done with them and how their jobs are tagged.

use thiserror::Error;

use Nature::{Application, Command, Document, Files};

use super::AppMode as M;
use super::{AppMode, BundleFacts};
use crate::api::job::TaskKind;
use crate::runtimes::LanguageName;
use crate::text::suggestion;

/// What a kind is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// A document that is rendered: a finite task.
    Document,
    /// An application or API: a long-lived process (PK5).
    Application,
    /// Files that are served as they are (PK7).
    Files,
    /// A directory whose command the job names (PK8).
    Command,
}

/// What a `ContentApp` of a kind gives to its visitors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// What a process of its own answers (PK5).
    Process,
    /// The files of its bundle (PK7).
    Files,
    /// The active result of one of its variants (RD3).
    Result,
}

/// One kind of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The kind.
    pub mode: AppMode,
    /// `metadata.appmode` as the publishing clients write it.
    pub name: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// Languages that every content item of this kind needs.
    pub languages: &'static [LanguageName],
    /// What it is for.
    pub nature: Nature,
    /// Tag of the job that runs or renders it.
    pub tag: &'static str,
}

const R: &[LanguageName] = &[LanguageName::R];
const PYTHON: &[LanguageName] = &[LanguageName::Python];
const QUARTO: &[LanguageName] = &[LanguageName::Quarto];
const NODE: &[LanguageName] = &[LanguageName::Nodejs];
const TENSORFLOW_NAME: &str = "tensorflow-saved-model";
const TENSORFLOW: &[LanguageName] = &[LanguageName::Tensorflow];

/// Every kind, in the order in which errors list them.
#[rustfmt::skip]
pub const KINDS: &[Kind] = &[
    kind(M::RmdStatic, "rmd-static", "R Markdown document", R, Document, "build_report"),
    kind(M::RmdShiny, "rmd-shiny", "interactive R Markdown document", R, Application, "render_shiny"),
    kind(M::QuartoStatic, "quarto-static", "Quarto document", QUARTO, Document, "build_report"),
    kind(M::QuartoShiny, "quarto-shiny", "interactive Quarto document", QUARTO, Application, "render_shiny"),
    kind(M::JupyterStatic, "jupyter-static", "Jupyter notebook", PYTHON, Document, "build_jupyter"),
    kind(M::JupyterVoila, "jupyter-voila", "Voila notebook", PYTHON, Application, "run_voila_app"),
    kind(M::Shiny, "shiny", "Shiny for R application", R, Application, "run_app"),
    kind(M::Api, "api", "Plumber API", R, Application, "run_api"),
    kind(M::PythonApi, "python-api", "WSGI application", PYTHON, Application, "run_python_api"),
    kind(M::PythonFastapi, "python-fastapi", "ASGI application", PYTHON, Application, "run_fastapi_app"),
    kind(M::PythonDash, "python-dash", "Dash application", PYTHON, Application, "run_dash_app"),
    kind(M::PythonStreamlit, "python-streamlit", "Streamlit application", PYTHON, Application, "run_streamlit"),
    kind(M::PythonBokeh, "python-bokeh", "Bokeh application", PYTHON, Application, "run_bokeh_app"),
    kind(M::PythonPanel, "python-panel", "Panel application", PYTHON, Application, "run_panel_app"),
    kind(M::PythonShiny, "python-shiny", "Shiny for Python application", PYTHON, Application, "run_pyshiny_app"),
    kind(M::PythonGradio, "python-gradio", "Gradio application", PYTHON, Application, "run_gradio_app"),
    kind(M::Nodejs, "nodejs", "Node.js application", NODE, Application, "unknown"),
    kind(M::TensorflowSavedModel, TENSORFLOW_NAME, "TensorFlow model", TENSORFLOW, Application, "run_tensorflow"),
    kind(M::Static, "static", "static content", &[], Files, "unknown"),
    kind(M::Script, "script", "script", &[], Command, "unknown"),
];

const fn kind(
    mode: AppMode,
    name: &'static str,
    title: &'static str,
    languages: &'static [LanguageName],
    nature: Nature,
    tag: &'static str,
) -> Kind {
    Kind {
        mode,
        name,
        title,
        languages,
        nature,
        tag,
    }
}

/// Why a kind can not be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KindError {
    /// No kind has this name.
    #[error("unknown kind of content '{given}'{suggestion}; known are {known}")]
    Unknown {
        /// What was given.
        given: String,
        /// Closest name, as the end of a clause.
        suggestion: String,
        /// All names.
        known: String,
    },
}

impl AppMode {
    /// The facts of this kind.
    ///
    /// # Panics
    /// Never: a test holds that the table has every kind.
    #[must_use]
    pub fn kind(self) -> &'static Kind {
        KINDS
            .iter()
            .find(|kind| kind.mode == self)
            .expect("the table has every kind")
    }

    /// Name as the publishing clients write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.kind().name
    }

    /// What visitors get of content of this kind; none where it is run and ends.
    #[must_use]
    pub fn served(self) -> Option<Served> {
        match self.kind().nature {
            Application => Some(Served::Process),
            Files => Some(Served::Files),
            Document => Some(Served::Result),
            Command => None,
        }
    }

    /// Whether its processes want the whole path of a request: of the others it is taken off at the gateway.
    #[must_use]
    pub fn keeps_prefix(self) -> bool {
        matches!(self, M::PythonBokeh | M::JupyterVoila)
    }

    /// Whether its pages are made by Shiny: they may speak with it in other ways than by a WebSocket (PR2), and it learns who
    /// visits by a header of its own.
    #[must_use]
    pub fn is_shiny(self) -> bool {
        matches!(self, M::Shiny | M::RmdShiny | M::QuartoShiny | M::PythonShiny)
    }

    /// Whether its processes can run as the visitor's account (CU1): those in which a person works in a session.
    #[must_use]
    pub fn may_run_as_visitor(self) -> bool {
        self.is_shiny() || matches!(self, M::PythonDash | M::PythonStreamlit | M::PythonBokeh)
    }

    /// Whether a visitor's session lives in one process, so that all requests of the visitor have to go there (SC5).
    #[must_use]
    pub fn needs_affinity(self) -> bool {
        self.is_shiny()
            || matches!(
                self,
                M::PythonStreamlit | M::PythonBokeh | M::PythonPanel | M::JupyterVoila | M::PythonGradio
            )
    }
}

/// The kind of a manifest's `appmode`.
///
/// # Errors
/// [`KindError::Unknown`], which lists the names the clients write.
pub fn of_manifest(name: &str) -> Result<AppMode, KindError> {
    of_name(name, |kind| kind.nature != Nature::Command)
}

/// The kind that a job's `appMode` names: a manifest's names, and `script` (PK8).
///
/// # Errors
/// [`KindError::Unknown`].
pub fn of_job(name: &str) -> Result<AppMode, KindError> {
    of_name(name, |_| true)
}

fn of_name(name: &str, accepted: impl Fn(&Kind) -> bool) -> Result<AppMode, KindError> {
    // An older spelling of one client.
    let wanted = if name == "nodejs-api" { "nodejs" } else { name };
    let names = || KINDS.iter().filter(|kind| accepted(kind));
    names()
        .find(|kind| kind.name == wanted)
        .map(|kind| kind.mode)
        .ok_or_else(|| KindError::Unknown {
            given: name.to_owned(),
            suggestion: suggestion(name, names().map(|kind| kind.name)),
            known: names().map(|kind| kind.name).collect::<Vec<_>>().join(", "),
        })
}

/// Tag of the job: the vocabulary in which job histories of such servers are kept.
#[must_use]
pub fn job_tag(task: TaskKind, facts: &BundleFacts) -> &'static str {
    match task {
        TaskKind::RenderSite => "build_site",
        TaskKind::Render => facts.app_mode.kind().tag,
        TaskKind::Run => "run_command",
        TaskKind::Deploy => "deploy",
        TaskKind::Install => install_tag(match (&facts.r, &facts.node) {
            (Some(_), _) => LanguageName::R,
            (None, Some(_)) => LanguageName::Nodejs,
            (None, None) => LanguageName::Python,
        }),
    }
}

/// Tag of a job that installs packages of one language.
#[must_use]
pub fn install_tag(language: LanguageName) -> &'static str {
    match language {
        LanguageName::R => "packrat_restore",
        LanguageName::Python => "python_restore",
        LanguageName::Nodejs => "node_restore",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: PK9 (L, P)
    #[test]
    fn the_table_has_every_kind_once() {
        for kind in KINDS {
            assert_eq!(of_job(kind.name), Ok(kind.mode));
            assert_eq!(kind.mode.kind(), kind);
            // serde's name and the table's name of a kind are one.
            assert_eq!(serde_json::to_value(kind.mode).unwrap(), kind.name);
        }
        assert_eq!(KINDS.len(), 20);
        assert_eq!(of_manifest("nodejs-api"), Ok(AppMode::Nodejs));
    }

    /// Proves: PK9 (L, P)
    #[test]
    fn an_unknown_kind_is_refused_with_the_closest_and_all_names() {
        let message = of_manifest("rmd-statik").unwrap_err().to_string();
        assert!(message.contains("did you mean 'rmd-static'?"), "{message}");
        assert!(message.contains("python-streamlit"), "{message}");
        assert!(of_manifest("script").is_err(), "no client writes 'script'");
    }
}
