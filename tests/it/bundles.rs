//! Bundles that the real publishing clients made: every manifest is read to what the content needs.

use std::path::PathBuf;

use offhost::api::job::{ContentJobSpec, Parameter, TaskKind};
use offhost::content::archive::{Limits, unpack};
use offhost::content::dir::DirFiles;
use offhost::content::{
    AppMode, BundleFacts, PythonFormat, RLock, check_parameters, gather, kinds, r_package_version,
};
use offhost::runtimes::LanguageName::{self, Nodejs, Python, Quarto, R, Tensorflow};

fn directory(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/bundles")
        .join(name)
}

fn facts(name: &str) -> BundleFacts {
    let files = DirFiles::open(&directory(name)).expect("the fixture is there");
    gather(&files, &ContentJobSpec::default()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Proves: PK9 (L, P)
#[test]
fn every_kind_the_clients_write_is_read() {
    let cases: &[(&str, AppMode, Option<&str>, &[LanguageName])] = &[
        ("bokeh", AppMode::PythonBokeh, Some("app"), &[Python]),
        ("dash", AppMode::PythonDash, Some("app"), &[Python]),
        ("fastapi", AppMode::PythonFastapi, Some("main:service"), &[Python]),
        ("flask", AppMode::PythonApi, Some("app"), &[Python]),
        ("gradio", AppMode::PythonGradio, Some("app"), &[Python]),
        ("nodejs", AppMode::Nodejs, Some("server.js"), &[Nodejs]),
        ("notebook", AppMode::JupyterStatic, Some("sales.ipynb"), &[Python]),
        ("panel", AppMode::PythonPanel, Some("app.py"), &[Python]),
        ("pyproject", AppMode::PythonApi, Some("app:app"), &[Python]),
        (
            "quarto-document",
            AppMode::QuartoStatic,
            Some("report.qmd"),
            &[R, Quarto],
        ),
        (
            "quarto-shiny",
            AppMode::QuartoShiny,
            Some("app.qmd"),
            &[R, Quarto],
        ),
        (
            "quarto-website",
            AppMode::QuartoStatic,
            Some("index.qmd"),
            &[Python, Quarto],
        ),
        ("renv", AppMode::PythonApi, Some("app:app"), &[R, Python]),
        ("requires", AppMode::PythonApi, Some("app"), &[Python]),
        ("rmd-report", AppMode::RmdStatic, Some("report.Rmd"), &[R]),
        ("rmd-shiny", AppMode::RmdShiny, Some("board.Rmd"), &[R]),
        ("rmd-site", AppMode::RmdStatic, Some("index.Rmd"), &[R]),
        ("shiny", AppMode::Shiny, None, &[R]),
        ("shiny-core", AppMode::PythonShiny, Some("app"), &[Python]),
        (
            "shiny-express",
            AppMode::PythonShiny,
            Some("shiny.express.app:app_2e_py"),
            &[Python],
        ),
        ("shiny-split", AppMode::Shiny, None, &[R]),
        ("static", AppMode::Static, Some("index.html"), &[]),
        ("streamlit", AppMode::PythonStreamlit, Some("app"), &[Python]),
        ("tensorflow", AppMode::TensorflowSavedModel, None, &[Tensorflow]),
        ("voila", AppMode::JupyterVoila, Some("board.ipynb"), &[Python]),
        ("voila-multi", AppMode::JupyterVoila, None, &[Python]),
    ];
    for (name, app_mode, entrypoint, languages) in cases {
        let facts = facts(name);
        assert_eq!(
            (facts.app_mode, facts.entrypoint.as_deref()),
            (*app_mode, *entrypoint),
            "{name}"
        );
        let needed: Vec<LanguageName> = facts.languages.keys().copied().collect();
        assert_eq!(needed, *languages, "{name}");
        assert_eq!(facts.python.is_some(), languages.contains(&Python), "{name}");
    }
}

/// Proves: EX3 (L, P)
#[test]
fn versions_and_what_the_manifest_requires_are_kept() {
    let requires = facts("requires");
    let python = &requires.languages[&Python];
    assert_eq!(python.version.as_deref(), Some("3.11.7"));
    assert_eq!(python.requires.as_deref(), Some(">=3.10,<3.13"));
    assert_eq!(python.manage_packages, Some(false));
    assert_eq!(requires.image.as_deref(), Some("registry.example.test/base:1"));
    assert_eq!(
        facts("nodejs").languages[&Nodejs].version.as_deref(),
        Some("20.20.2")
    );
    assert_eq!(
        facts("quarto-document").languages[&Quarto].version.as_deref(),
        Some("1.4.553")
    );
}

/// Proves: PK9 (L, P)
#[test]
fn a_bundle_is_the_same_as_an_archive() {
    let work = tempfile::tempdir().unwrap();
    for name in ["rmd-site", "notebook", "packrat"] {
        let archive = work.path().join(format!("{name}.tar.gz"));
        let file = flate2::write::GzEncoder::new(
            std::fs::File::create(&archive).unwrap(),
            flate2::Compression::fast(),
        );
        let mut builder = tar::Builder::new(file);
        builder.append_dir_all(name, directory(name)).unwrap();
        builder.into_inner().unwrap().finish().unwrap();
        let into = work.path().join(name);
        std::fs::create_dir(&into).unwrap();
        unpack(&archive, &into, Limits::default()).unwrap();
        let unpacked = gather(&DirFiles::open(&into).unwrap(), &ContentJobSpec::default()).unwrap();
        assert_eq!(unpacked, facts(name));
    }
}

/// Proves: PK2 (L, P)
#[test]
fn python_requirements_are_those_of_the_bundle() {
    let notebook = facts("notebook");
    let python = notebook.python.unwrap();
    assert_eq!(
        (python.file.as_str(), python.format),
        ("requirements.txt", PythonFormat::Requirements)
    );
    assert_eq!(python.lines, ["ipykernel", "nbconvert"]);
    assert!(python.allow_uv && notebook.hide_tagged_input && !notebook.hide_all_input);
    assert!(!facts("flask").python.unwrap().allow_uv);
}

/// Proves: PK1 (L, P)
#[test]
fn r_packages_come_from_the_lock_that_counts() {
    let report = facts("rmd-report");
    assert_eq!(r_package_version(&report, "rmarkdown"), Some("2.20"));
    let packages = report.r.unwrap();
    assert_eq!(packages.source, RLock::Manifest);
    assert!(packages.packages.iter().any(|package| package.name == "knitr"));
    assert!(
        packages
            .packages
            .iter()
            .flat_map(|package| &package.requires)
            .all(|name| name != "methods")
    );

    let packrat = facts("packrat");
    assert_eq!(packrat.languages[&R].version.as_deref(), Some("4.2.2"));
    assert_eq!(packrat.inferred.len(), 2);
    assert_eq!(r_package_version(&packrat, "rmarkdown"), Some("2.20"));
    let lock = packrat.r.unwrap();
    let bslib = lock
        .packages
        .iter()
        .find(|package| package.name == "bslib")
        .unwrap();
    assert_eq!(bslib.requires.len(), 9, "the field goes on over two lines");
    assert_eq!(lock.source, RLock::Packrat);
    assert_eq!(lock.repositories[0].url, "https://packages.example.test/src");

    let renv = facts("renv").r.unwrap();
    assert_eq!((renv.source, renv.packages.len()), (RLock::Renv, 2));
}

/// Proves: PK3 (L, P)
#[test]
fn reports_declare_their_parameters() {
    for (name, names) in [
        ("rmd-report", &["region", "start", "year"][..]),
        ("notebook", &["factors", "region", "start", "year"]),
        ("quarto-document", &["year"]),
    ] {
        let facts = facts(name);
        let declared: Vec<&String> = facts.parameters.as_ref().unwrap().keys().collect();
        assert_eq!(declared, names, "{name}");
        let given = |name: &str| {
            [Parameter {
                name: name.to_owned(),
                value: "2025".to_owned(),
            }]
        };
        assert_eq!(check_parameters(&facts, &given("year")).unwrap()["year"], 2025);
        let message = check_parameters(&facts, &given("years")).unwrap_err().to_string();
        assert!(message.contains("did you mean 'year'?"), "{message}");
    }
}

/// Proves: PK4 (L, P)
#[test]
fn sites_are_told_from_documents() {
    for (name, output_dir) in [("rmd-site", "public"), ("quarto-website", "public")] {
        let facts = facts(name);
        assert_eq!(
            (facts.is_site, facts.site_output_dir.as_deref()),
            (true, Some(output_dir)),
            "{name}"
        );
        assert_eq!(kinds::job_tag(TaskKind::RenderSite, &facts), "build_site");
    }
    for (name, tag) in [
        ("rmd-report", "build_report"),
        ("notebook", "build_jupyter"),
        ("quarto-document", "build_report"),
    ] {
        let facts = facts(name);
        assert!(!facts.is_site, "{name}");
        assert_eq!(kinds::job_tag(TaskKind::Render, &facts), tag);
    }
}
