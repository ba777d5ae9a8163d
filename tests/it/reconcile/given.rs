//! Passwords and files that visitors give: the render gets them, whatever fails and wherever the leader dies, and nothing
//! else does (PK6).

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use offhost::api::job::Parameter;
use offhost::apps::AppId;
use offhost::asked::{About, Begin, Given, Owner, Parcel, Part, Question, Reply, Shown};
use offhost::content::form::Upload;
use offhost::controller::forms::Forms;
use serde_json::{Value, json};

use super::fake_api::Fault;
use super::place::{Controller, Place, sealing};

const PASSWORD: &str = "correct horse battery staple 4711";
const CANARY: &str = "x\n1\ncanary of the file\n";
const ID: &str = "v00000000000000000000000000000001";
const JOB: &str = "form-v00000000000000000000000000000001";

async fn served(place: &Place) -> (Controller, Arc<Forms>, AppId) {
    place.apply_app(
        "secret",
        json!({"content": "secret", "bundle": {"path": "secret"}}),
    );
    let mut leader = place.controller().await;
    assert!(leader.settle().await);
    let app = place.api.get("contentapps", "secret").unwrap();
    let forms = Forms::open(&leader.context).await;
    (
        leader,
        forms,
        AppId::from(app["metadata"]["uid"].as_str().unwrap()),
    )
}

/// A leader after the one before.
async fn next(place: &Place) -> (Controller, Arc<Forms>) {
    let leader = place.controller().await;
    leader.sync();
    let forms = Forms::open(&leader.context).await;
    (leader, forms)
}

fn sealed(id: &str) -> Vec<u8> {
    let parameter = |name: &str, value: &str| Parameter {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    let given = Given {
        parameters: vec![
            parameter("key", PASSWORD),
            parameter("table", "/opt/offhost/inputs/p2-table.csv"),
        ],
        files: vec![Upload {
            name: "p2-table.csv".to_owned(),
            bytes: CANARY.repeat(5000).into_bytes(),
        }],
    };
    let about = About {
        id,
        content: "secret",
        bundle: 1,
    };
    sealing().seal(about, &given).unwrap()
}

fn parts(sealed: &[u8]) -> Vec<Question> {
    let parcel = Parcel::of(sealed);
    let all = (0..parcel.parts()).map(|number| Part::of(ID, &parcel, sealed, number));
    all.map(|part| Question::Give(Box::new(part))).collect()
}

fn begin(sealed: &[u8]) -> Question {
    Question::Begin(Box::new(Begin {
        id: ID.to_owned(),
        owner: Owner::user("ann"),
        address: [192, 0, 2, 1].into(),
        content: "secret".to_owned(),
        bundle: 1,
        digest: None,
        parameters: vec![Parameter {
            name: "region".to_owned(),
            value: "south".to_owned(),
        }],
        given: Some(Parcel::of(sealed)),
        told: Vec::new(),
    }))
}

async fn give(forms: &Forms, app: &AppId, sealed: &[u8]) {
    for part in parts(sealed) {
        assert_eq!(forms.answer(app, part).await, Some(Reply::Given));
    }
}

/// What the process of the render is shown, before it runs.
fn inputs(place: &Place) -> Option<std::path::PathBuf> {
    let attempts = std::fs::read_dir(place.data("jobs/secret")).ok()?.flatten();
    let mut inputs = attempts.map(|entry| entry.path().join("task.inputs"));
    inputs.find(|path| path.exists())
}

/// Files below the volume that hold something of what was given in clear text.
fn holding(place: &Place) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![place.data("")];
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(directory).unwrap().flatten() {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                waiting.push(path);
            } else if let Ok(bytes) = std::fs::read(&path) {
                let text = String::from_utf8_lossy(&bytes);
                if text.contains(PASSWORD) || text.contains("canary of the file") {
                    found.push(path);
                }
            }
        }
    }
    found
}

/// Everything that whoever may read the namespace sees.
fn told(place: &Place) -> String {
    ["contentjobs", "contentapps", "pods", "events"]
        .map(|kind| json!(place.api.all(kind)).to_string())
        .join("\n")
}

fn kept(place: &Place) -> usize {
    std::fs::read_dir(place.data("serve/given")).map_or(0, Iterator::count)
}

/// What is kept, as it is after twenty minutes.
fn make_old(place: &Place) {
    for entry in std::fs::read_dir(place.data("serve/given")).into_iter().flatten() {
        let file = std::fs::File::open(entry.unwrap().path()).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(1200))
            .unwrap();
    }
}

fn assert_gone(place: &Place) {
    assert_eq!(holding(place), [""; 0].map(std::path::PathBuf::from));
    assert_eq!((inputs(place), kept(place)), (None, 0));
    let told = told(place);
    assert!(
        !told.contains(PASSWORD) && !told.contains("p2-table.csv"),
        "{told}"
    );
}

/// The render is begun; its process is shown everything, and nobody else is.
async fn is_begun(place: &Place, leader: &mut Controller) {
    assert!(leader.settle().await);
    let inputs = inputs(place).expect("it is begun");
    let parameters = std::fs::read(inputs.join("params.json")).unwrap();
    let parameters: Value = serde_json::from_slice(&parameters).unwrap();
    assert_eq!(
        parameters,
        json!({"region": "south", "key": PASSWORD, "table": "/opt/offhost/inputs/p2-table.csv"})
    );
    let file = std::fs::read_to_string(inputs.join("p2-table.csv")).unwrap();
    assert_eq!(file, CANARY.repeat(5000));
    assert_eq!(holding(place).len(), 2, "{:?}", holding(place));
    let told = told(place);
    assert!(
        !told.contains(PASSWORD) && !told.contains("p2-table.csv"),
        "{told}"
    );
}

async fn ends(place: &Place, leader: &mut Controller, exit_code: i64) {
    for _ in 0..8 {
        place.node(exit_code);
        assert!(leader.settle().await);
    }
}

/// Proves: PK6 (P), OH3 (P)
#[tokio::test]
async fn the_render_gets_what_was_given_and_nothing_of_it_stays() {
    for exit_code in [0, 1] {
        let place = Place::new();
        let (mut leader, forms, app) = served(&place).await;
        let sealed = sealed(ID);
        assert_eq!(forms.answer(&app, begin(&sealed)).await, Some(Reply::Missing));
        assert_eq!(place.job(JOB), None, "nothing was sent yet");
        give(&forms, &app, &sealed).await;
        for _ in 0..2 {
            let begun = forms.answer(&app, begin(&sealed)).await;
            assert_eq!(begun, Some(Reply::Begun(ID.to_owned())));
        }
        let job = place.job(JOB).unwrap();
        assert_eq!(
            job["spec"]["parameters"],
            json!([{"name": "region", "value": "south"}])
        );
        assert_eq!(kept(&place), 1);
        assert_eq!(holding(&place).len(), 0, "it is sealed");
        is_begun(&place, &mut leader).await;
        ends(&place, &mut leader, exit_code).await;
        forms.look_at_jobs().await;
        assert_gone(&place);
        let look = Question::Look {
            owner: Owner::user("ann"),
            id: ID.to_owned(),
        };
        let shown = forms.answer(&app, look).await;
        assert_eq!(
            shown == Some(Reply::Look(Some(Shown::Done))),
            exit_code == 0,
            "{shown:?}"
        );
    }
}

/// Proves: PK6 (P), OH2 (P)
#[tokio::test]
async fn a_leader_that_dies_between_two_steps_loses_nothing_that_was_answered() {
    for fault in [Fault::Silent, Fault::Lost] {
        let place = Place::new();
        let (leader, forms, app) = served(&place).await;
        let sealed = sealed(ID);
        give(&forms, &app, &sealed).await;
        place
            .api
            .faults(move |_, call| match call.0.starts_with("create contentjobs") {
                true => fault,
                false => Fault::None,
            });
        let (asked, of, question) = (forms.clone(), app.clone(), begin(&sealed));
        let begun = tokio::spawn(async move { asked.answer(&of, question).await });
        let called = async {
            while !place
                .api
                .calls()
                .iter()
                .any(|call| call.starts_with("create contentjobs"))
            {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), called)
            .await
            .unwrap();
        begun.abort();
        let _dead = begun.await;
        drop((forms, leader));
        place.api.faults(|_, _| Fault::None);
        let (mut leader, forms) = next(&place).await;
        if fault == Fault::Silent {
            // No job was made, so nothing is kept: the gateway, whose question was not answered, sends it again.
            assert_eq!((place.job(JOB), kept(&place)), (None, 0));
            assert_eq!(forms.answer(&app, begin(&sealed)).await, Some(Reply::Missing));
            give(&forms, &app, &sealed).await;
        }
        let begun = forms.answer(&app, begin(&sealed)).await;
        assert_eq!(begun, Some(Reply::Begun(ID.to_owned())), "{fault:?}");
        is_begun(&place, &mut leader).await;
        drop((forms, leader));
        // One that dies while it renders as well.
        let (mut leader, _forms) = next(&place).await;
        ends(&place, &mut leader, 0).await;
        assert_eq!(place.succeeded(JOB).0, "True", "{fault:?}");
        assert_gone(&place);
    }
}

/// Proves: PK6 (P)
#[tokio::test]
async fn a_job_without_what_was_given_is_never_begun() {
    let place = Place::new();
    let (mut leader, forms, app) = served(&place).await;
    let sealed = sealed(ID);
    give(&forms, &app, &sealed).await;
    forms.answer(&app, begin(&sealed)).await.unwrap();
    for entry in std::fs::read_dir(place.data("serve/given")).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    assert!(leader.settle().await);
    assert_eq!(place.succeeded(JOB), ("Unknown".into(), "AwaitingUpload".into()));
    place.wait(61);
    assert!(leader.settle().await);
    assert_eq!(place.succeeded(JOB), ("False".into(), "Interrupted".into()));
    let message = place.condition(JOB, "Succeeded")["message"].to_string();
    assert!(message.contains("they ask again with the form"), "{message}");
    assert_eq!(place.api.all("pods"), Vec::<Value>::new());
    forms.look_at_jobs().await;
    let look = Question::Look {
        owner: Owner::user("ann"),
        id: ID.to_owned(),
    };
    let Some(Reply::Look(Some(Shown::Failed(failure)))) = forms.answer(&app, look).await else {
        panic!("it failed");
    };
    assert!(failure.message.contains("ask for it again"), "{failure:?}");
}

/// Proves: PK6 (P)
#[tokio::test]
async fn what_was_changed_on_the_volume_or_sealed_for_another_result_is_not_rendered() {
    for is_other in [true, false] {
        let place = Place::new();
        let (mut leader, forms, app) = served(&place).await;
        let right = sealed(ID);
        give(&forms, &app, &right).await;
        forms.answer(&app, begin(&right)).await.unwrap();
        let mut wrong = if is_other { sealed("v2") } else { right };
        *wrong.last_mut().unwrap() ^= u8::from(!is_other);
        let uid = place.job(JOB).unwrap()["metadata"]["uid"].clone();
        let at = place.data(&format!("serve/given/job-{}", uid.as_str().unwrap()));
        assert!(at.exists());
        std::fs::write(&at, wrong).unwrap();
        for _ in 0..4 {
            assert!(leader.settle().await);
            place.wait(61);
        }
        assert_eq!(place.succeeded(JOB), ("False".into(), "Interrupted".into()));
        assert_eq!(place.api.all("pods"), Vec::<Value>::new());
        assert_gone(&place);
    }
}

/// Proves: PK6 (P)
#[tokio::test]
async fn a_job_that_somebody_makes_by_the_same_name_gets_nothing() {
    // While the answer to the first one is lost, and after it was bound.
    for is_late in [false, true] {
        let place = Place::new();
        let (mut leader, forms, app) = served(&place).await;
        let sealed = sealed(ID);
        give(&forms, &app, &sealed).await;
        let mut thief = json!({
            "apiVersion": "offhost.dev/v1alpha1", "kind": "ContentJob",
            "metadata": {
                "name": JOB,
                "annotations": {"offhost.dev/given": "a password or a file"},
                "labels": {"offhost.dev/visitor-result": ID},
            },
            "spec": {
                "content": "secret", "bundle": {"id": "1"}, "variant": ID,
                "parameters": [{"name": "region", "value": "south"}],
                "env": [{"name": "A", "value": "b"}],
            },
        });
        if is_late {
            forms.answer(&app, begin(&sealed)).await.unwrap();
            let made = place.job(JOB).unwrap();
            thief["metadata"]["ownerReferences"] = made["metadata"]["ownerReferences"].clone();
            thief["spec"] = made["spec"].clone();
            place.api.delete("contentjobs", JOB);
            assert!(leader.settle().await);
            place.api.put("contentjobs", thief);
        } else {
            place.api.put("contentjobs", thief);
            let begun = forms.answer(&app, begin(&sealed)).await;
            assert_eq!(begun, Some(Reply::Failed));
        }
        for _ in 0..3 {
            assert!(leader.settle().await);
            place.wait(61);
        }
        assert_eq!(place.api.all("pods"), Vec::<Value>::new(), "late: {is_late}");
        // A job that nobody saw before it was deleted leaves what was sealed for it to the next clean-up.
        make_old(&place);
        forms.sweep().await;
        assert_gone(&place);
    }
}

/// Proves: PK6 (P)
#[tokio::test]
async fn a_volume_that_takes_nothing_makes_no_job() {
    let place = Place::new();
    let (_leader, forms, app) = served(&place).await;
    // What stands in the way of a directory fails as a full volume does, for root as well.
    std::fs::create_dir_all(place.data("serve")).unwrap();
    std::fs::write(place.data("serve/given"), "").unwrap();
    let sealed = sealed(ID);
    give(&forms, &app, &sealed).await;
    assert_eq!(forms.answer(&app, begin(&sealed)).await, Some(Reply::Failed));
    assert_eq!(place.job(JOB), None);
    std::fs::remove_file(place.data("serve/given")).unwrap();
    assert_eq!(
        forms.answer(&app, begin(&sealed)).await,
        Some(Reply::Missing),
        "it is to be sent again"
    );
    give(&forms, &app, &sealed).await;
    assert_eq!(
        forms.answer(&app, begin(&sealed)).await,
        Some(Reply::Begun(ID.to_owned()))
    );
}

/// Proves: PK6 (P), OH3 (P)
#[tokio::test]
async fn a_deleted_job_takes_what_was_given_with_it() {
    let place = Place::new();
    let (mut leader, forms, app) = served(&place).await;
    let sealed = sealed(ID);
    give(&forms, &app, &sealed).await;
    forms.answer(&app, begin(&sealed)).await.unwrap();
    is_begun(&place, &mut leader).await;
    place.api.delete("contentjobs", JOB);
    for _ in 0..6 {
        assert!(leader.settle().await);
        place.node(0);
        place.wait(31);
    }
    assert_eq!(place.job(JOB), None);
    assert_gone(&place);
}
