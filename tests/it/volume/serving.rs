//! The directory of an application on the data volume.

use std::os::unix::fs::MetadataExt;

use offhost::api::job::TaskKind;
use offhost::controller::volume::Beginning;
use offhost::data::Store;
use offhost::plan::{Purpose, ServeTask};

use super::{Job, Place, at, content};

/// Proves: AP1 (P), AP2 (P)
#[test]
fn an_application_gets_its_bundle_and_the_next_deployment_is_another() {
    let place = Place::new();
    let volume = place.open();
    place.incoming("shiny", &[("app.R", "1"), ("www/style.css", "x")]);
    let deploy = |uid| {
        let job = Job::of_path(uid, "shiny").task(TaskKind::Deploy);
        (place.bundle(&volume, &job).unwrap(), job)
    };
    let (bundle, job) = deploy(1);
    let attempt = job.attempt(&bundle.content, 1);
    let mut task = volume.task(&bundle, attempt.key(), 1);
    task.spec.task = None;
    task.serve = Some(ServeTask::at("/content/sales"));
    let plan = place.plan(&task).unwrap();
    let process = plan.processes.last().unwrap();
    assert_eq!(process.purpose, Purpose::Serve);
    let beginning = Beginning {
        files: &[],
        name: "sales",
        bundle: &bundle,
        plan: &plan,
        process,
        now: at(1),
    };
    volume.begin(&attempt, &beginning).unwrap();
    for name in ["apps/sales/1", "apps/sales/1/app.R", "apps/sales/1/www/style.css"] {
        let uid = std::fs::metadata(place.data(name)).unwrap().uid();
        assert_eq!(uid, process.identity.uid, "{name}");
    }
    let record = Store::new(volume.data()).bundle_record(&content(), 1).unwrap();
    assert!(record.given.is_some_and(|given| given.whole));
    // A process has written there; what is deployed is what was sent.
    std::fs::write(place.data("apps/sales/1/app.R"), "changed").unwrap();
    assert_eq!(deploy(2).0.bundle, 2);
    assert_eq!(
        std::fs::read_to_string(place.data("apps/sales/2/app.R")).unwrap(),
        "1"
    );
}
