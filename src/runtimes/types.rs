//! What a runtime is. In Pod mode an image of `runtimes.yaml`; in local mode the installations of this machine.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::VolumeMount;

/// A language whose interpreter content may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LanguageName {
    /// R.
    R,
    /// Python.
    Python,
    /// Quarto.
    Quarto,
    /// Node.js.
    Nodejs,
    /// TensorFlow Serving.
    Tensorflow,
}

impl LanguageName {
    /// The name as its own project writes it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::R => "R",
            Self::Python => "Python",
            Self::Quarto => "Quarto",
            Self::Nodejs => "Node.js",
            Self::Tensorflow => "TensorFlow",
        }
    }
}

/// How an installed version is chosen for a wanted one (EX3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Matching {
    /// The closest installed version.
    Nearest,
    /// The same major and minor version, any patch.
    MajorMinor,
    /// The very same version.
    Exact,
}

impl Matching {
    /// The name as the settings write it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Nearest => "nearest",
            Self::MajorMinor => "major-minor",
            Self::Exact => "exact",
        }
    }
}

/// When an image may be chosen (EX4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageMatching {
    /// Always.
    #[default]
    Any,
    /// Only when asked for by name.
    Exact,
    /// Never.
    None,
}

/// One interpreter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installation {
    /// Version as declared or as the interpreter says, never through a number (`4.10` stays `4.10`).
    pub version: String,
    /// Absolute path of the executable.
    pub path: String,
}

/// One runtime.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Runtime {
    /// Image reference, or `local`.
    pub name: String,
    /// Title for people.
    pub title: Option<String>,
    /// Description for people.
    pub description: Option<String>,
    /// When it may be chosen.
    pub matching: ImageMatching,
    /// Supervisor command in the image, split into words (SV2).
    pub supervisor: Vec<String>,
    /// Interpreters by language.
    pub installations: BTreeMap<LanguageName, Vec<Installation>>,
    /// Volumes that every process of this image mounts, as written.
    pub volume_mounts: Vec<VolumeMount>,
}

/// All runtimes of one mode, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Runtimes {
    /// The entries.
    pub runtimes: Vec<Runtime>,
}

/// What content asks of one language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LanguageNeed {
    /// Version the content was made with, if known.
    pub version: Option<String>,
    /// PEP 440 specifier that wins over `version` and over the matching mode (EX3).
    pub requires: Option<String>,
    /// Matching mode of the settings.
    pub matching: Matching,
    /// Whether the settings switch the language off on this machine (`Python.Enabled = false`).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub off: bool,
}

/// What content asks of a runtime.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Needs {
    /// Each language it needs.
    pub languages: BTreeMap<LanguageName, LanguageNeed>,
    /// Image named by the job (EX5, first).
    pub named_by_job: Option<String>,
    /// Image named by the manifest (EX5, second).
    pub named_by_manifest: Option<String>,
    /// Image that is the content item's default (EX5, third).
    pub content_default: Option<String>,
}

/// The chosen runtime and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Choice {
    /// Name of the runtime: an image reference, or `local`.
    #[serde(rename = "name")]
    pub runtime: String,
    /// Supervisor of the runtime.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub supervisor: Vec<String>,
    /// The interpreter chosen for each language.
    pub interpreters: BTreeMap<LanguageName, Installation>,
    /// One sentence a candidate: why it was or was not chosen.
    pub explanation: Vec<String>,
    /// Volume mounts of the runtime, as written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volume_mounts: Vec<VolumeMount>,
}
