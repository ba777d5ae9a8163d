//! What visitors ask for with a form: one job each, whatever call fails and wherever the leader dies, and nobody sees what
//! another has asked for (PK6).

use std::sync::Arc;
use std::time::Duration;

use offhost::api::job::Parameter;
use offhost::apps::{AppId, GatewayId};
use offhost::asked::{Begin, LineState, Owner, Question, Reply, Shown};
use offhost::controller::apps::PodFleet;
use offhost::controller::forms::{Forms, FormsClerk};
use offhost::gateway::{Questions, Seats, SeatsOptions};
use offhost::hub::{self, FleetEvent, HubOptions};
use serde_json::{Value, json};

use super::fake_api::Fault;
use super::place::{Controller, Place};

const LABEL: &str = "offhost.dev/visitor-result";

/// A document that is served, with its leader.
async fn served(place: &Place) -> (Controller, AppId) {
    place.apply_app("asked", json!({"content": "asked", "bundle": {"path": "asked"}}));
    let mut leader = place.controller().await;
    assert!(leader.settle().await);
    let app = place.api.get("contentapps", "asked").unwrap();
    assert_eq!(app["status"]["bundle"], "1", "{app}");
    let id = AppId::from(app["metadata"]["uid"].as_str().unwrap());
    (leader, id)
}

fn id(number: u128) -> String {
    format!("v{number:032x}")
}

fn begin(number: u128, owner: &str, region: &str) -> Question {
    Question::Begin(Box::new(Begin {
        id: id(number),
        owner: Owner::user(owner),
        address: [192, 0, 2, 1].into(),
        content: "asked".to_owned(),
        bundle: 1,
        digest: Some(region.to_owned()),
        given: None,
        parameters: vec![Parameter {
            name: "region".to_owned(),
            value: region.to_owned(),
        }],
        told: vec![("region".to_owned(), region.to_owned())],
    }))
}

fn look(owner: &str, number: u128) -> Question {
    Question::Look {
        owner: Owner::user(owner),
        id: id(number),
    }
}

fn jobs(place: &Place) -> Vec<Value> {
    let all = place.api.all("contentjobs").into_iter();
    all.filter(|job| job["metadata"]["labels"][LABEL].is_string())
        .collect()
}

/// The node renders until nothing is left to do.
async fn render(place: &Place, leader: &mut Controller, exit_code: i64) {
    for _ in 0..8 {
        assert!(leader.settle().await);
        place.node(exit_code);
    }
    assert!(leader.settle().await);
}

/// Proves: PK6 (P), RD4 (P)
#[tokio::test]
async fn each_visitor_has_a_result_of_their_own_for_its_time() {
    let place = Place::with(|settings| {
        settings.applications.parameter_result_limit = 10;
        settings.applications.parameter_result_age_seconds = 3600;
    });
    let (mut leader, app) = served(&place).await;
    let forms = Forms::open(&leader.context).await;
    let ask = |question| forms.answer(&app, question);
    assert_eq!(ask(begin(1, "ann", "south")).await, Some(Reply::Begun(id(1))));
    assert_eq!(ask(begin(2, "bob", "south")).await, Some(Reply::Begun(id(2))));
    assert_eq!(
        ask(begin(3, "ann", "south")).await,
        Some(Reply::Begun(id(1))),
        "the same answers"
    );
    let made = jobs(&place);
    assert_eq!(made.len(), 2, "{made:?}");
    assert_eq!(made[0]["metadata"]["ownerReferences"][0]["kind"], "ContentApp");
    assert_eq!(
        made[0]["spec"]["parameters"],
        json!([{"name": "region", "value": "south"}])
    );
    assert_eq!(made[0]["spec"]["variant"], id(1));
    let Some(Reply::Look(Some(Shown::Waiting { .. }))) = ask(look("ann", 1)).await else {
        panic!("it waits");
    };
    render(&place, &mut leader, 0).await;
    forms.look_at_jobs().await;
    assert_eq!(ask(look("ann", 1)).await, Some(Reply::Look(Some(Shown::Done))));
    assert_eq!(ask(look("ann", 2)).await, Some(Reply::Look(None)), "bob's");
    let result = place.data(&format!("reports/v2/asked/{}/active/index.html", id(1)));
    assert!(result.exists());
    let list = Question::List {
        owner: Owner::user("bob"),
    };
    let Some(Reply::List(lines)) = ask(list).await else {
        panic!("a list");
    };
    assert_eq!(lines.len(), 1);
    assert_eq!((&lines[0].id, lines[0].state), (&id(2), LineState::Done));
    place.wait(3700);
    leader.sync();
    forms.sweep().await;
    assert_eq!(ask(look("ann", 1)).await, Some(Reply::Look(None)));
    assert!(!result.exists());
    assert!(leader.settle().await);
    assert_eq!(jobs(&place), Vec::<Value>::new());
}

/// Proves: PK6 (P), OH2 (P)
#[tokio::test]
async fn a_leader_that_dies_leaves_one_job() {
    for fault in [Fault::Silent, Fault::Lost] {
        let place = Place::new();
        let (leader, app) = served(&place).await;
        let forms = Forms::open(&leader.context).await;
        place
            .api
            .faults(move |_, call| match call.0.starts_with("create contentjobs") {
                true => fault,
                false => Fault::None,
            });
        let (asked, of) = (forms.clone(), app.clone());
        let begun = tokio::spawn(async move { asked.answer(&of, begin(7, "ann", "south")).await });
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
        let next = place.controller().await;
        next.sync();
        let forms = Forms::open(&next.context).await;
        for _ in 0..2 {
            let reply = forms.answer(&app, begin(7, "ann", "south")).await;
            assert_eq!(reply, Some(Reply::Begun(id(7))), "{fault:?}");
        }
        assert_eq!(jobs(&place).len(), 1, "{fault:?}");
    }
}

/// Proves: PK6 (P), OH2 (P)
#[tokio::test]
async fn an_answer_that_is_lost_makes_no_second_job_and_a_refusal_none() {
    let place = Place::new();
    let (leader, app) = served(&place).await;
    let forms = Forms::open(&leader.context).await;
    let mut left = 1;
    place.api.faults(
        move |_, call| match call.0.starts_with("create contentjobs") && left > 0 {
            true => {
                left -= 1;
                Fault::Lost
            }
            false => Fault::None,
        },
    );
    let reply = forms.answer(&app, begin(1, "ann", "south")).await;
    assert_eq!(reply, Some(Reply::Begun(id(1))));
    assert_eq!(jobs(&place).len(), 1);
    place
        .api
        .faults(|_, call| match call.0.starts_with("create contentjobs") {
            true => Fault::Refused(403, "no quota"),
            false => Fault::None,
        });
    let reply = forms.answer(&app, begin(2, "ann", "north")).await;
    assert_eq!(reply, Some(Reply::Failed));
    assert_eq!(forms.answer(&app, look("ann", 2)).await, Some(Reply::Look(None)));
    assert_eq!(jobs(&place).len(), 1);
    let other = Question::Begin(Box::new(Begin {
        bundle: 2,
        ..match begin(3, "ann", "east") {
            Question::Begin(begin) => *begin,
            _ => unreachable!(),
        }
    }));
    let Some(Reply::Busy(sentence)) = forms.answer(&app, other).await else {
        panic!("another deployment");
    };
    assert!(sentence.contains("open the form again"), "{sentence}");
}

/// Proves: PK6 (P)
#[tokio::test]
async fn a_failed_render_says_so_and_results_go_with_their_application() {
    let place = Place::new();
    let (mut leader, app) = served(&place).await;
    let forms = Forms::open(&leader.context).await;
    forms.answer(&app, begin(1, "ann", "south")).await;
    render(&place, &mut leader, 1).await;
    forms.look_at_jobs().await;
    let Some(Reply::Look(Some(Shown::Failed(failure)))) = forms.answer(&app, look("ann", 1)).await else {
        panic!("it failed");
    };
    assert!(failure.message.contains("Check your answers"), "{failure:?}");
    let record = place.data(&format!("serve/variants/{}.json", id(1)));
    assert!(record.exists());
    place.api.delete("contentapps", "asked");
    leader.sync();
    assert_eq!(forms.answer(&app, look("ann", 1)).await, Some(Reply::Look(None)));
    forms.sweep().await;
    assert!(!record.exists());
}

/// Proves: PK6 (P), SC4 (P)
#[tokio::test]
async fn a_gateway_asks_over_its_link() {
    let place = Place::new();
    let (leader, app) = served(&place).await;
    let forms = Forms::open(&leader.context).await;
    let (handle, inbox) = hub::channel();
    let options = HubOptions {
        term: 1,
        clerk: Some(Arc::new(FormsClerk(forms))),
        ..HubOptions::default()
    };
    let fleet = Arc::new(PodFleet::new(leader.context.clone()));
    let hub = tokio::spawn(hub::run(inbox, fleet, options));
    handle.tell(FleetEvent::Complete);
    let questions = Arc::new(Questions::default());
    let seats = SeatsOptions {
        gateway: GatewayId::from("gateway-1"),
        queue_length: 10,
        address: None,
    };
    let _seats = Seats::asking(seats, Arc::new(handle.dial()), questions.clone());
    let patience = Duration::from_secs(120);
    let reply = questions.ask(&app, begin(1, "ann", "south"), patience).await;
    assert_eq!(reply, Some(Reply::Begun(id(1))));
    let reply = questions.ask(&app, look("bob", 1), patience).await;
    assert_eq!(reply, Some(Reply::Look(None)));
    assert_eq!(jobs(&place).len(), 1);
    hub.abort();
}
