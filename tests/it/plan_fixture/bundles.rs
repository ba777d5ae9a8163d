//! One bundle of each kind.

use std::collections::BTreeMap;

use offhost::api::job::{EnvVar, EnvVarSource, KeyRef, Parameter};
use offhost::content::{
    AppMode, BundleFacts, LanguageFacts, NodeRequirements, PythonFormat, PythonRequirements, RLock, RPackage,
    RRequirements,
};
use offhost::plan::ServeTask;
use offhost::runtimes::LanguageName;

use super::{World, env, repository};

pub(crate) fn facts(app_mode: AppMode, entrypoint: &str) -> BundleFacts {
    BundleFacts {
        entrypoint: (!entrypoint.is_empty()).then(|| entrypoint.to_owned()),
        ..BundleFacts::of(app_mode)
    }
}

pub(crate) fn python(lines: &[&str]) -> PythonRequirements {
    PythonRequirements {
        file: "requirements.txt".to_owned(),
        format: PythonFormat::Requirements,
        lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        allow_uv: true,
    }
}

pub(crate) fn package(name: &str, version: &str, requires: &[&str]) -> RPackage {
    RPackage {
        name: name.to_owned(),
        version: version.to_owned(),
        source: "CRAN".to_owned(),
        repository: Some("CRAN".to_owned()),
        requires: requires.iter().map(|need| (*need).to_owned()).collect(),
        remote: BTreeMap::new(),
    }
}

pub(crate) fn r(packages: Vec<RPackage>) -> RRequirements {
    RRequirements {
        source: RLock::Packrat,
        packages,
        repositories: vec![repository("CRAN", "https://elsewhere.example/cran")],
    }
}

/// A notebook with requirements.
pub(crate) fn notebook() -> World {
    let mut facts = facts(AppMode::JupyterStatic, "report.ipynb");
    facts.languages.insert(
        LanguageName::Python,
        LanguageFacts {
            version: Some("3.11.4".to_owned()),
            ..LanguageFacts::default()
        },
    );
    facts.python = Some(python(&["nbconvert==7.16.0", "pandas==2.2.0"]));
    facts.hide_tagged_input = true;
    World::of(facts)
}

/// An R Markdown report with packages, parameters, variables and limits.
pub(crate) fn report() -> World {
    let mut facts = facts(AppMode::RmdStatic, "report.Rmd");
    facts.parameters = Some(BTreeMap::from([
        ("year".to_owned(), 2023.into()),
        ("region".to_owned(), "north".into()),
    ]));
    facts.r = Some(r(vec![
        package("knitr", "1.42", &["xfun"]),
        package("rmarkdown", "2.20", &["knitr", "R"]),
        package("xfun", "0.37", &[]),
    ]));
    let mut world = World::of(facts);
    world.task.spec.parameters = vec![Parameter {
        name: "year".to_owned(),
        value: "2024".to_owned(),
    }];
    world.task.spec.env = vec![
        variable("GREETING", "hello"),
        EnvVar {
            name: "TOKEN".to_owned(),
            value: None,
            value_from: Some(EnvVarSource::SecretKeyRef(KeyRef {
                name: "tokens".to_owned(),
                key: "sales".to_owned(),
            })),
        },
    ];
    world.task.spec.timeout_seconds = Some(600);
    world.task.spec.resources.limits = env(&[("cpu", "1500m"), ("memory", "512Mi")]);
    world
}

/// An R Markdown site without packages of its own.
pub(crate) fn site() -> World {
    let mut facts = facts(AppMode::RmdStatic, "index.Rmd");
    facts.is_site = true;
    facts.site_output_dir = Some("_site".to_owned());
    World::of(facts)
}

/// A Quarto document with Python code and parameters.
pub(crate) fn quarto_document() -> World {
    let mut facts = facts(AppMode::QuartoStatic, "report.qmd");
    facts.parameters = Some(BTreeMap::from([("year".to_owned(), 2023.into())]));
    facts
        .languages
        .insert(LanguageName::Python, LanguageFacts::default());
    facts.python = Some(python(&["jupyter==1.0.0"]));
    let mut world = World::of(facts);
    world.task.spec.parameters = vec![Parameter {
        name: "year".to_owned(),
        value: "2024".to_owned(),
    }];
    world
}

/// A Quarto website with R code.
pub(crate) fn quarto_site() -> World {
    let mut facts = facts(AppMode::QuartoStatic, "index.qmd");
    facts.is_site = true;
    facts.site_output_dir = Some("public".to_owned());
    facts.languages.insert(LanguageName::R, LanguageFacts::default());
    World::of(facts)
}

/// A script.
pub(crate) fn script() -> World {
    let mut world = World::of(facts(AppMode::Script, ""));
    world.task.spec.command = vec!["./nightly.sh".to_owned(), "--all".to_owned()];
    world
}

pub(crate) fn variable(name: &str, value: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        value_from: None,
    }
}

/// A Node.js application with packages, of which a command is run.
pub(crate) fn node() -> World {
    let mut facts = facts(AppMode::Nodejs, "app.js");
    facts.languages.insert(
        LanguageName::Nodejs,
        LanguageFacts {
            version: Some("22.11.0".to_owned()),
            requires: Some("^22 || >=24".to_owned()),
            manage_packages: None,
        },
    );
    facts.node = Some(NodeRequirements {
        digest: "6f1ed002ab5595859014ebf0951522d9".to_owned(),
    });
    let mut world = World::of(facts);
    world.task.spec.command = ["node", "seed.js"].map(str::to_owned).to_vec();
    world
}

/// An application of a kind, without packages, served at `/content/sales`.
pub(crate) fn application(app_mode: AppMode, entrypoint: &str) -> World {
    let mut facts = facts(app_mode, entrypoint);
    for language in app_mode.kind().languages {
        facts.languages.insert(*language, LanguageFacts::default());
    }
    let mut world = World::of(facts);
    world.task.serve = Some(ServeTask::at("/content/sales"));
    world
}

/// An application of each kind that has a process.
pub(crate) fn applications() -> Vec<World> {
    let mut quarto = application(AppMode::QuartoShiny, "doc.qmd");
    let python = application(AppMode::QuartoShiny, "doc.qmd");
    quarto
        .task
        .facts
        .languages
        .insert(LanguageName::R, LanguageFacts::default());
    let mut worlds = vec![quarto, python];
    worlds[1]
        .task
        .facts
        .languages
        .insert(LanguageName::Python, LanguageFacts::default());
    let others = [
        (AppMode::Shiny, ""),
        (AppMode::RmdShiny, "index.Rmd"),
        (AppMode::Api, "plumber.R"),
        (AppMode::PythonApi, "app:create_app"),
        (AppMode::PythonFastapi, "app"),
        (AppMode::PythonDash, "app"),
        (AppMode::PythonStreamlit, "app.py"),
        (AppMode::PythonBokeh, "app"),
        (AppMode::PythonPanel, "app"),
        (AppMode::PythonShiny, "shiny.express.app:app_2e_py"),
        (AppMode::PythonGradio, "app"),
        (AppMode::JupyterVoila, "book.ipynb"),
        (AppMode::Nodejs, "app.js"),
    ];
    worlds.extend(others.map(|(app_mode, entrypoint)| application(app_mode, entrypoint)));
    worlds
}
