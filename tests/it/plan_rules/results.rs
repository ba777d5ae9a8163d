//! Copies and results (RD, ST).

use std::path::{Path, PathBuf};

use offhost::api::job::Activation;
use offhost::data::{ContentId, Variant, layout};
use offhost::plan::{Output, Source};

use super::{path_of, task_of};
use crate::plan_fixture::{notebook, quarto_document, quarto_site, report, site};

/// Proves: RD1 (L, P)
#[test]
fn a_render_works_on_a_copy_of_its_own() {
    for world in [report(), report().in_pod(), notebook(), quarto_document()] {
        let process = task_of(&world);
        let copy = "reports/v2/sales/7/temp.render.job1";
        assert_eq!(process.working_dir, "/opt/rstudio-connect/mnt/app");
        assert!(matches!(&process.output, Output::Result { source_copy: Some(path), .. } if path == copy));
        assert!(
            process
                .mounts
                .iter()
                .any(|mount| mount.source == Source::Data(copy.to_owned()))
        );
        assert!(
            !process
                .mounts
                .iter()
                .any(|mount| mount.source == Source::Data("apps/sales/7".to_owned()))
        );
    }
}

/// Proves: RD2 (L, P)
#[test]
fn each_result_has_a_directory_of_its_own() {
    let mut world = report();
    world.task.spec.variant = Some("q1".to_owned());
    world.task.spec.activation = Activation::Manual;
    let process = task_of(&world);
    let Output::Result {
        directory, activate, ..
    } = &process.output
    else {
        panic!("{:?}", process.output)
    };
    assert_eq!((directory.as_str(), *activate), ("reports/v2/sales/q1/12", false));
}

/// Proves: ST1 (L, P)
#[test]
fn a_site_sees_only_its_output_directory() {
    for world in [site(), site().in_pod(), quarto_site()] {
        let process = task_of(&world);
        assert_eq!(process.working_dir, "/opt/rstudio-connect/mnt/report");
        assert!(!process.mounts.iter().any(|mount| mount.target.ends_with("/app")));
        assert!(matches!(
            &process.output,
            Output::Result {
                source_copy: None,
                ..
            }
        ));
    }
}

/// Proves: ST2 (L, P)
#[test]
fn a_sites_output_directory_is_the_configured_one() {
    let output = |configured: Option<&str>| {
        let mut world = site();
        world.task.facts.site_output_dir = configured.map(str::to_owned);
        match task_of(&world).output {
            Output::Result { site_output_dir, .. } => site_output_dir,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(output(Some("docs")).as_deref(), Some("docs"));
    assert_eq!(output(None).as_deref(), Some("_site"));
}

/// Proves: ST3 (L, P)
#[test]
fn a_site_in_its_own_directory_is_left_as_it_is() {
    let mut world = site();
    world.task.facts.site_output_dir = Some(".".to_owned());
    assert!(matches!(
        task_of(&world).output,
        Output::Result {
            site_output_dir: None,
            ..
        }
    ));
}

/// Proves: PW1 (L, P)
#[test]
fn the_plan_and_the_data_directory_agree_on_every_path() {
    let content = ContentId::parse("sales").unwrap();
    let plan = report().plan().unwrap();
    let library = Path::new(path_of(&plan.processes[0].purpose))
        .file_name()
        .unwrap()
        .to_str()
        .unwrap();
    let expected = [
        vec![
            layout::r_staging("4.2.2", "job1"),
            layout::bundle(&content, 7),
            layout::job_log(&content, "job1"),
            PathBuf::from("packrat/4.2.2/v2/library"),
        ],
        vec![
            layout::source_copy(&content, 7, "job1"),
            layout::job_log(&content, "job1"),
            layout::r_library("4.2.2", library),
            PathBuf::from("packrat/4.2.2/v2/library"),
            layout::result(&content, &Variant::default(), 12),
        ],
    ];
    for (process, expected) in plan.processes.iter().zip(expected) {
        let sources = process.mounts.iter().filter_map(|mount| match &mount.source {
            Source::Data(path) => Some(PathBuf::from(path)),
            Source::Runtime | Source::Inputs => None,
        });
        assert_eq!(sources.collect::<Vec<_>>(), expected);
    }
    let plan = notebook().plan().unwrap();
    let target = Path::new(path_of(&plan.processes[0].purpose));
    let key = target.file_name().unwrap().to_str().unwrap();
    assert_eq!(layout::python_environment("3.11.2", key), target);
    let Output::Environment { staging, .. } = &plan.processes[0].output else {
        panic!()
    };
    assert_eq!(layout::staging_beside(target, "job1"), Path::new(staging));
}
