//! An application in the words of a job, as the parts that both share take it.

use kube::ResourceExt;

use crate::api::app_resource::ContentApp;
use crate::api::job::{BundleRef, ContentJobSpec};
use crate::controller::volume::{Bundle, Volume};
use crate::plan::{ServeTask, Task};

/// What an application asks for, as a job would. What brings a bundle is not in it.
pub(super) fn job_spec(app: &ContentApp) -> ContentJobSpec {
    let mut spec = app.spec.as_job(&app.name_any());
    spec.bundle = BundleRef {
        id: spec.bundle.id,
        ..BundleRef::default()
    };
    spec
}

/// What a process of an application is planned from.
pub(super) fn task(volume: &Volume, app: &ContentApp, bundle: &Bundle, key: &str) -> Task {
    Task {
        serve: Some(ServeTask::of(&app.spec, &app.name_any())),
        ..volume.task(bundle, key, 1)
    }
}
