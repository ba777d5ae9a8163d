//! What is known of one bundle after it was read. Plain data, input of the pure core.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::runtimes::LanguageName;

/// Every kind of content the publishing clients name (`metadata.appmode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AppMode {
    /// `api`: Plumber.
    Api,
    /// `shiny`: Shiny for R.
    Shiny,
    /// `rmd-shiny`: an interactive R Markdown document.
    RmdShiny,
    /// `rmd-static`: an R Markdown document or site.
    RmdStatic,
    /// `quarto-shiny`: an interactive Quarto document.
    QuartoShiny,
    /// `quarto-static`: a Quarto document or website.
    QuartoStatic,
    /// `jupyter-static`: a notebook that is executed and rendered.
    JupyterStatic,
    /// `jupyter-voila`: an interactive notebook.
    JupyterVoila,
    /// `python-api`: Flask and any WSGI.
    PythonApi,
    /// `python-fastapi`: FastAPI and any ASGI.
    PythonFastapi,
    /// `python-dash`.
    PythonDash,
    /// `python-streamlit`.
    PythonStreamlit,
    /// `python-bokeh`.
    PythonBokeh,
    /// `python-panel`.
    PythonPanel,
    /// `python-shiny`.
    PythonShiny,
    /// `python-gradio`.
    PythonGradio,
    /// `nodejs`.
    Nodejs,
    /// `tensorflow-saved-model`.
    TensorflowSavedModel,
    /// `static`: files served as they are.
    Static,
    /// No kind of the clients: a directory whose command line the job names (PK8).
    Script,
}

/// What the core needs to know of one bundle.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BundleFacts {
    /// Kind of content.
    pub app_mode: AppMode,
    /// Entry point, relative to the bundle: `report.Rmd`, `notebook.ipynb`, `app:app`.
    pub entrypoint: Option<String>,
    /// `content_category`: `site`, `plot`, …
    pub category: Option<String>,
    /// Whether the bundle is a multi-document R Markdown or Quarto site (PK4).
    pub is_site: bool,
    /// Output directory of the site as its configuration says, relative; `.` renders in place (ST2, ST3).
    pub site_output_dir: Option<String>,
    /// The languages the content needs, each with what the manifest says of its version.
    pub languages: BTreeMap<LanguageName, LanguageFacts>,
    /// Image named by the manifest (`environment.image`).
    pub image: Option<String>,
    /// Python requirements, if the bundle has any (PK2).
    pub python: Option<PythonRequirements>,
    /// R packages, if the bundle has any (PK1).
    pub r: Option<RRequirements>,
    /// Packages that npm installs, if the bundle needs any.
    pub node: Option<NodeRequirements>,
    /// Parameters that the report declares, with their defaults (PK3), `null` where that is an expression; `None`
    /// where it declares none.
    pub parameters: Option<BTreeMap<String, serde_json::Value>>,
    /// `jupyter.hide_all_input`.
    pub hide_all_input: bool,
    /// `jupyter.hide_tagged_input`.
    pub hide_tagged_input: bool,
    /// What was inferred because the bundle has no manifest, one sentence each.
    pub inferred: Vec<String>,
}

impl BundleFacts {
    /// Of a bundle of which nothing is known but its kind.
    #[must_use]
    pub fn of(app_mode: AppMode) -> Self {
        Self {
            app_mode,
            entrypoint: None,
            category: None,
            is_site: false,
            site_output_dir: None,
            languages: BTreeMap::new(),
            image: None,
            python: None,
            r: None,
            node: None,
            parameters: None,
            hide_all_input: false,
            hide_tagged_input: false,
            inferred: Vec::new(),
        }
    }
}

/// What the manifest says of one language.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LanguageFacts {
    /// Version the bundle was made with.
    pub version: Option<String>,
    /// `environment.<language>.requires`.
    pub requires: Option<String>,
    /// `environment.environment_management.<language>`: whether packages are to be installed.
    pub manage_packages: Option<bool>,
}

/// Python requirements of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PythonRequirements {
    /// File they were read from, relative to the bundle.
    pub file: String,
    /// Kind of that file.
    pub format: PythonFormat,
    /// Normalised content, the input of the environment's key: blank lines and the file's own comments removed, `-r`
    /// files put in place, order kept. What a constraint file or a local package holds follows its line as a comment
    /// (`# limits.txt: a<2`, `# ./x.whl: sha256:…`): part of the key, and skipped by installers.
    pub lines: Vec<String>,
    /// `python.package_manager.allow_uv`.
    pub allow_uv: bool,
}

/// Kind of file that names Python requirements (PK2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PythonFormat {
    /// `requirements.txt`.
    Requirements,
    /// `pyproject.toml`.
    Pyproject,
    /// `uv.lock` beside `pyproject.toml`.
    UvLock,
}

/// Packages of Node.js of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeRequirements {
    /// SHA-256 of `package.json`, `package-lock.json` and `.npmrc`: everything the installation is made from.
    pub digest: String,
}

/// R packages of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RRequirements {
    /// Where they were read from.
    pub source: RLock,
    /// The packages, sorted by name, base packages left out.
    pub packages: Vec<RPackage>,
    /// Repositories the lock names, in order; those of the settings come first.
    pub repositories: Vec<crate::settings::Repository>,
}

/// Kind of lock that names R packages (PK1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RLock {
    /// `packrat/packrat.lock`.
    Packrat,
    /// `renv.lock`.
    Renv,
    /// `packages` of `manifest.json`.
    Manifest,
}

/// One R package of a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RPackage {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// `CRAN`, `Bioconductor`, `GitHub`, …, as the lock says.
    pub source: String,
    /// Repository address or name that the lock gives for it.
    pub repository: Option<String>,
    /// Names of the packages it needs (Depends, Imports, LinkingTo), without R and base packages, as the lock says.
    pub requires: Vec<String>,
    /// Remote fields for packages that do not come from a repository, by name.
    pub remote: BTreeMap<String, String>,
}
