use http_body_util::BodyExt as _;
use serde_json::Value;

use super::*;
use crate::apps::Failure;

fn app() -> AppId {
    "sales".into()
}

fn asking_for(kind: &'static str) -> HeaderMap {
    [(http::header::ACCEPT, HeaderValue::from_static(kind))]
        .into_iter()
        .collect()
}

fn failure() -> Failure {
    Failure {
        reason: "InitTimeout".into(),
        message: "It was not \"ready\"\nwithin 60 s.".into(),
        process: None,
        exit_code: None,
    }
}

async fn next(body: &mut LocalBody) -> Option<String> {
    let frame = body.frame().await?.unwrap().into_data().unwrap();
    Some(String::from_utf8(frame.to_vec()).unwrap())
}

fn data(event: &str) -> Value {
    let lines: Vec<&str> = event.strip_suffix("\n\n").unwrap().lines().collect();
    assert_eq!(lines[..2], ["retry: 2000", "event: state"]);
    assert_eq!(lines.len(), 3, "a line break would end the event");
    serde_json::from_str(lines[2].strip_prefix("data: ").unwrap()).unwrap()
}

#[tokio::test]
async fn one_look_is_answered_at_once() {
    for (state, expected) in [
        (AppState::Idle, serde_json::json!({ "state": "idle" })),
        (
            AppState::Starting {
                since: std::time::Instant::now(),
            },
            serde_json::json!({ "state": "starting", "seconds": 0 }),
        ),
        (AppState::Ready, serde_json::json!({ "state": "ready" })),
        (AppState::Busy, serde_json::json!({ "state": "busy" })),
        (AppState::Queued, serde_json::json!({ "state": "queued" })),
        (
            AppState::Failed(failure()),
            serde_json::json!({ "state": "failed", "reason": "InitTimeout", "message": failure().message }),
        ),
    ] {
        let (_sender, receiver) = watch::channel(state);
        let answer = Watchers::default().answer(
            &asking_for("application/json"),
            &app(),
            receiver,
            CancellationToken::new(),
        );
        assert_eq!(answer.headers()["content-type"], "application/json");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_listener_hears_every_change_and_signs_of_life() {
    let watchers = Watchers::default();
    let (sender, receiver) = watch::channel(AppState::Idle);
    let answer = watchers.answer(
        &asking_for("text/event-stream"),
        &app(),
        receiver,
        CancellationToken::new(),
    );
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut body = answer.into_body();
    assert_eq!(data(&next(&mut body).await.unwrap())["state"], "idle");
    let begun = Instant::now();
    assert_eq!(next(&mut body).await.unwrap(), ":\n\n");
    assert_eq!(begun.elapsed(), HEARTBEAT);
    sender.send_replace(AppState::Failed(failure()));
    assert_eq!(
        data(&next(&mut body).await.unwrap())["message"],
        failure().message
    );
    drop(sender);
    assert_eq!(next(&mut body).await, None, "the application is gone");
}

#[tokio::test(start_paused = true)]
async fn streams_end_in_time_and_with_the_gateway() {
    let watchers = Watchers::default();
    let (_sender, receiver) = watch::channel(AppState::Ready);
    let closing = CancellationToken::new();
    let listen = || {
        watchers
            .answer(
                &asking_for("text/event-stream"),
                &app(),
                receiver.clone(),
                closing.clone(),
            )
            .into_body()
    };
    let (mut long, begun) = (listen(), Instant::now());
    while next(&mut long).await.is_some() {}
    assert_eq!(begun.elapsed(), LONGEST);
    let mut cut = listen();
    assert!(next(&mut cut).await.is_some());
    closing.cancel();
    assert_eq!(next(&mut cut).await, None);
}

#[tokio::test]
async fn streams_of_one_application_are_bounded_and_leave_room_when_they_end() {
    let watchers = Watchers::default();
    let (_sender, receiver) = watch::channel(AppState::Ready);
    let listen = |app: &AppId| {
        watchers.answer(
            &asking_for("text/event-stream"),
            app,
            receiver.clone(),
            CancellationToken::new(),
        )
    };
    let mut open: Vec<_> = (0..MOST_STREAMS).map(|_| listen(&app())).collect();
    let refused = listen(&app());
    assert_eq!(
        (refused.status(), &refused.headers()["retry-after"]),
        (StatusCode::SERVICE_UNAVAILABLE, &HeaderValue::from_static("2"))
    );
    assert_eq!(
        listen(&"other".into()).status(),
        StatusCode::OK,
        "each has its own"
    );
    open.pop();
    assert_eq!(listen(&app()).status(), StatusCode::OK);
    drop(open);
    assert!(
        watchers.open.lock().unwrap().is_empty(),
        "nothing is left of those that ended"
    );
}
