//! One bundle of each kind.

use std::collections::BTreeMap;

use offhost::api::job::{EnvVar, EnvVarSource, KeyRef, Parameter};
use offhost::content::{
    AppMode, BundleFacts, LanguageFacts, PythonFormat, PythonRequirements, RLock, RPackage, RRequirements,
};
use offhost::runtimes::LanguageName;

use super::{World, env, repository};

pub(crate) fn facts(app_mode: AppMode, entrypoint: &str) -> BundleFacts {
    BundleFacts {
        app_mode,
        entrypoint: (!entrypoint.is_empty()).then(|| entrypoint.to_owned()),
        category: None,
        is_site: false,
        site_output_dir: None,
        languages: BTreeMap::new(),
        image: None,
        python: None,
        r: None,
        parameters: None,
        hide_all_input: false,
        hide_tagged_input: false,
        inferred: Vec::new(),
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
