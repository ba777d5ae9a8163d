//! The process that serves an application: where it answers, how it says that it is ready, how it is ended, and its
//! command line for each kind (PK5). The flags and variables are those that the starters of `runtime/` document.

use serde::Serialize;
use thiserror::Error;

use super::command::{self, words};
use super::install::interpreter;
use super::process::Scope;
use super::{EnvValue, Mode, PlanError, TmpDir};
use crate::api::app::ContentAppSpec;
use crate::content::AppMode;
use crate::names::{APP_PORT, APP_SOCKET, LISTEN_FD, READY_FILE, SERVE_DIR};
use crate::runtimes::LanguageName;

/// What only a task that serves has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServeTask {
    /// Path at the gateway, without a slash at its end.
    pub prefix: String,
    /// Whether visitors' accounts have processes of their own (CU1).
    pub current_user: bool,
    /// The visitor whose account the process runs as; the fallback account's where there is none (CU2).
    pub visitor: Option<String>,
}

impl ServeTask {
    /// What an application of this name asks for.
    #[must_use]
    pub fn of(app: &ContentAppSpec, name: &str) -> Self {
        Self {
            current_user: app.run_as_current_user,
            ..Self::at(app.path_of(name))
        }
    }

    /// An application at a path, whose processes run as one account.
    #[must_use]
    pub fn at(prefix: impl Into<String>) -> Self {
        Self {
            prefix: prefix.into(),
            current_user: false,
            visitor: None,
        }
    }
}

/// How a process serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServePlan {
    /// Where it answers.
    pub listen: Listen,
    /// The file that the process makes when it can answer. Its directory is made before the process starts.
    pub ready_file: String,
    /// How it is ended.
    pub stop: StopSequence,
    /// The group through which processes of other accounts share the application's directory (AP1, CU3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared_group: Option<u32>,
}

/// Where a process answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Listen {
    /// At a listening socket that it inherits as descriptor 3: no other process can take its place, and no request is
    /// refused while it starts.
    Inherited,
    /// At a socket of the file system that it makes itself, as its account.
    Unix(String),
    /// At a port of every address, in a Pod.
    Tcp(u16),
}

/// How a process is told to end. What is still there after that is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum StopSequence {
    /// SIGTERM.
    Terminate,
    /// SIGINT, and SIGTERM some seconds later: R ends at once on SIGTERM, without what the application wants done at its
    /// end, and does not hear SIGINT while it computes.
    Interrupt,
}

impl StopSequence {
    /// Seconds between SIGINT and SIGTERM, where it begins with SIGINT.
    #[must_use]
    pub fn interrupt_seconds(self) -> Option<u64> {
        (self == Self::Interrupt).then_some(5)
    }
}

/// Why an application can not answer where it should.
#[derive(Debug, Error)]
pub enum PlaceError {
    /// A path that a gateway can not have.
    #[error(
        "spec.path is '{path}', and that can not be a path of the gateway; write /NAME or /NAME/NAME, each of letters, digits and '._~-' with a letter or digit in front"
    )]
    Prefix {
        /// The path.
        path: String,
    },
    /// A directory whose name is too long for a socket in it.
    #[error(
        "the application would have to listen at '{path}', and no socket can have a path of more than {most} bytes; name a shorter Server.TempDir, or set Sandbox.MaskTmp to true"
    )]
    Socket {
        /// The socket.
        path: String,
        /// The longest.
        most: usize,
    },
}

/// Seconds between SIGTERM and SIGKILL. The starters give requests that are being answered eight.
pub const SERVE_GRACE_SECONDS: u64 = 10;

/// The longest path of a socket, without the byte that ends it.
const LONGEST_SOCKET: usize = 107;

/// Which starter a kind has.
enum Starter {
    /// `serve_r.R`, with the word for the kind.
    R,
    /// `serve_python.py`, with the word for the kind.
    Python(&'static str),
    /// `serve_node.js`.
    Node,
}

/// How the process of a task serves.
pub(super) fn plan(scope: &Scope<'_>, tmp: &TmpDir) -> Result<ServePlan, PlanError> {
    let directory = format!("{}/{SERVE_DIR}", tmp.target);
    let is_r = matches!(starter(scope)?, Starter::R);
    let listen = match scope.task.mode {
        _ if !is_r => Listen::Inherited,
        Mode::Local => Listen::Unix(socket(&directory)?),
        Mode::Pod => Listen::Tcp(APP_PORT),
    };
    Ok(ServePlan {
        listen,
        ready_file: format!("{directory}/{READY_FILE}"),
        stop: if is_r {
            StopSequence::Interrupt
        } else {
            StopSequence::Terminate
        },
        // Known to whoever decides about accounts.
        shared_group: None,
    })
}

fn socket(directory: &str) -> Result<String, PlanError> {
    let path = format!("{directory}/{APP_SOCKET}");
    if path.len() > LONGEST_SOCKET {
        return Err(PlaceError::Socket {
            path,
            most: LONGEST_SOCKET,
        }
        .into());
    }
    Ok(path)
}

/// The command line, without the supervisor's words.
pub(super) fn command(scope: &Scope<'_>, serve: &ServePlan) -> Result<Vec<String>, PlanError> {
    match starter(scope)? {
        Starter::R => {
            let r = interpreter(scope.choice, LanguageName::R)?;
            let mut flags = words(&["--kind", scope.work.app_mode.name()]);
            flags.extend(entrypoint_flag(scope));
            flags.extend(place_flags(scope, serve));
            Ok(command::r_starter(
                r,
                "serve_r.R",
                &flags.iter().map(String::as_str).collect::<Vec<_>>(),
            ))
        }
        Starter::Python(kind) => {
            let installation = interpreter(scope.choice, LanguageName::Python)?;
            let python = command::python_path(scope).unwrap_or_else(|| installation.path.clone());
            let mut argv = words(&[&python, &command::starter("serve_python.py"), "--kind", kind]);
            argv.extend(entrypoint_flag(scope));
            argv.extend(place_flags(scope, serve));
            Ok(argv)
        }
        Starter::Node => {
            let node = interpreter(scope.choice, LanguageName::Nodejs)?;
            let entrypoint = command::entrypoint(scope)?;
            Ok(words(&[
                &node.path,
                "--require",
                &command::starter("serve_node.js"),
                entrypoint,
            ]))
        }
    }
}

/// What the starter of Node.js is told by variables, as the command line is the application's own. It takes them away.
pub(super) fn variables(scope: &Scope<'_>, serve: &ServePlan) -> Vec<(&'static str, EnvValue)> {
    if scope.work.app_mode != AppMode::Nodejs {
        return Vec::new();
    }
    let value = |text: &str| EnvValue::Value(text.to_owned());
    vec![
        ("OFFHOST_LISTEN", value(&listen_word(&serve.listen))),
        ("OFFHOST_READY_FILE", value(&serve.ready_file)),
        ("OFFHOST_PREFIX", value(prefix(scope))),
    ]
}

/// Where frameworks write of their own accord, kept out of a home that many processes share.
pub(super) fn places(scope: &Scope<'_>, tmp: &TmpDir) -> Vec<(&'static str, String)> {
    let below = |name: &str| format!("{}/{name}", tmp.target);
    let mut places = vec![("XDG_CACHE_HOME", below(".cache"))];
    if scope.choice.interpreters.contains_key(&LanguageName::Python) {
        places.extend([
            ("GRADIO_TEMP_DIR", below("gradio")),
            ("IPYTHONDIR", below(".ipython")),
            ("JUPYTER_CONFIG_DIR", below(".jupyter")),
            ("JUPYTER_DATA_DIR", below(".jupyter/data")),
            ("JUPYTER_RUNTIME_DIR", below(".jupyter/runtime")),
            ("MPLCONFIGDIR", below(".matplotlib")),
            // A log that comes when the buffer is full helps nobody.
            ("PYTHONUNBUFFERED", "1".to_owned()),
        ]);
    }
    places
}

fn starter(scope: &Scope<'_>) -> Result<Starter, PlanError> {
    let app_mode = scope.work.app_mode;
    Ok(match app_mode {
        AppMode::Shiny | AppMode::RmdShiny | AppMode::Api => Starter::R,
        AppMode::QuartoShiny if has_r_engine(scope) => Starter::R,
        // What Quarto made of the document is an application of Shiny for Python.
        AppMode::QuartoShiny => Starter::Python(AppMode::PythonShiny.name()),
        AppMode::PythonApi
        | AppMode::PythonFastapi
        | AppMode::PythonDash
        | AppMode::PythonStreamlit
        | AppMode::PythonBokeh
        | AppMode::PythonPanel
        | AppMode::PythonShiny
        | AppMode::PythonGradio
        | AppMode::JupyterVoila => Starter::Python(app_mode.name()),
        AppMode::Nodejs => Starter::Node,
        AppMode::RmdStatic
        | AppMode::QuartoStatic
        | AppMode::JupyterStatic
        | AppMode::Static
        | AppMode::Script
        | AppMode::TensorflowSavedModel => {
            return Err(PlanError::NotServed {
                app_mode: app_mode.name(),
                hint: "it has no process that serves",
            });
        }
    })
}

fn has_r_engine(scope: &Scope<'_>) -> bool {
    let facts = &scope.task.facts;
    facts.languages.contains_key(&LanguageName::R) || facts.r.is_some()
}

/// The entry point as the starter takes it; Shiny and Plumber find theirs in the directory where none is named.
fn entrypoint_flag(scope: &Scope<'_>) -> Vec<String> {
    let Some(named) = &scope.work.entrypoint else {
        return Vec::new();
    };
    let entrypoint = match scope.work.app_mode {
        AppMode::QuartoShiny if !has_r_engine(scope) => {
            let stem = named.rsplit_once('.').map_or(named.as_str(), |(stem, _)| stem);
            format!("{stem}-app.py")
        }
        _ => named.clone(),
    };
    words(&["--entrypoint", &entrypoint])
}

fn place_flags(scope: &Scope<'_>, serve: &ServePlan) -> Vec<String> {
    words(&[
        "--listen",
        &listen_word(&serve.listen),
        "--ready-file",
        &serve.ready_file,
        "--prefix",
        prefix(scope),
    ])
}

fn listen_word(listen: &Listen) -> String {
    match listen {
        Listen::Inherited => format!("fd:{LISTEN_FD}"),
        Listen::Unix(path) => format!("unix:{path}"),
        Listen::Tcp(port) => format!("tcp:{port}"),
    }
}

fn prefix<'a>(scope: &Scope<'a>) -> &'a str {
    scope.task.serve.as_ref().map_or("", |serve| &serve.prefix)
}

/// What is refused before a runtime is looked for: a kind that can not be kept to itself, and a path that a gateway can
/// not have, as it stands in command lines, addresses and cookies.
pub(super) fn check(serve: &ServeTask, app_mode: AppMode) -> Result<(), PlanError> {
    if app_mode == AppMode::TensorflowSavedModel {
        return Err(PlanError::NotServed {
            app_mode: app_mode.name(),
            hint: "its model server answers only at ports, which every process of a machine can reach; load the model in an application of kind python-fastapi and deploy that",
        });
    }
    if crate::api::app::is_path(&serve.prefix) {
        return Ok(());
    }
    Err(PlaceError::Prefix {
        path: serve.prefix.clone(),
    }
    .into())
}
