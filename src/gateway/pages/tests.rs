use http::header::ACCEPT;
use http_body_util::BodyExt as _;
use proptest::prelude::*;
use serde_json::Value;

use super::*;

const HTML: &str = "text/html,application/xhtml+xml,*/*;q=0.8";

fn failure(message: &str) -> Failure {
    Failure {
        reason: "InitTimeout".into(),
        message: message.into(),
        process: None,
        exit_code: None,
    }
}

async fn tell(accept: &str, place: Place<'_>, page: Page<'_>) -> (Response<()>, String) {
    let headers = [(ACCEPT, HeaderValue::from_str(accept).unwrap())]
        .into_iter()
        .collect();
    let (head, body) = answer(&headers, &place, &page).into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (
        Response::from_parts(head, ()),
        String::from_utf8(body.to_vec()).unwrap(),
    )
}

const PLACE: Place<'_> = Place {
    name: "Sales",
    path: "/content/sales",
    request_id: Some("4711"),
};

fn all(failure: &Failure) -> [Page<'_>; 22] {
    [
        Page::Starting {
            seconds: 3,
            is_lost: false,
        },
        Page::Failed {
            failure,
            log: Some("a line"),
        },
        Page::Held(failure),
        Page::Busy { is_lost: false },
        Page::Queued { is_lost: false },
        Page::Closing { is_lost: false },
        Page::NotFound,
        Page::NotRendered,
        Page::Rendering { seconds: 3 },
        Page::Untold,
        Page::NotMade {
            failure,
            form: "/content/sales/__offhost__/parameters",
        },
        Page::BadGateway,
        Page::Timeout,
        Page::Refused {
            status: StatusCode::FORBIDDEN,
            message: "No.",
        },
        Page::Method,
        Page::Unreadable,
        Page::Internal,
        Page::LogIn(&LogInForm {
            token: "t",
            back: "/",
            user: "ann",
            problem: None,
            notice: "",
            status: StatusCode::OK,
        }),
        Page::LogOut(&LogOutForm {
            token: "t",
            user: "ann",
        }),
        Page::LoggedOut,
        Page::NotLoggedIn {
            log_in: Some("/__offhost__/login?return=/"),
        },
        Page::Forbidden {
            user: "ann",
            can_log_out: true,
        },
    ]
}

#[tokio::test]
async fn every_page_has_its_status_and_is_never_kept() {
    let failure = failure("It is suspended.");
    let statuses = [
        503, 503, 503, 503, 503, 503, 404, 404, 202, 503, 500, 502, 504, 403, 405, 403, 500, 200, 200, 200,
        401, 403,
    ];
    for (page, status) in all(&failure).into_iter().zip(statuses) {
        for accept in [HTML, "application/json", "*/*"] {
            let (head, body) = tell(accept, PLACE, page).await;
            assert_eq!(head.status().as_u16(), status, "{page:?}");
            assert_eq!(head.headers()["cache-control"], "no-store");
            assert_eq!(head.headers()["vary"], "Accept");
            assert_eq!(head.headers()["x-content-type-options"], "nosniff");
            assert_eq!(
                head.headers().contains_key("retry-after"),
                matches!(status, 503 | 202),
                "{page:?}"
            );
            assert!(!body.is_empty(), "{page:?}");
            assert_eq!(body.contains("4711"), accept != "*/*", "{page:?}");
        }
    }
}

#[tokio::test]
async fn every_page_is_one_whole_document_without_anything_from_elsewhere() {
    let failure = failure("It is suspended.");
    for page in all(&failure) {
        let (head, body) = tell(HTML, PLACE, page).await;
        assert_eq!(head.headers()["content-type"], "text/html; charset=utf-8");
        assert!(body.starts_with("<!doctype html>\n<html lang=\"en\">") && body.ends_with("</html>\n"));
        assert_eq!(body.matches("<h1").count(), 1);
        assert!(body.contains("<title>") && body.contains("Sales") && body.contains("<main>"));
        assert!(!body.contains("{{") && !body.contains("}}"), "{page:?}");
        for foreign in ["http://", "https://", "//cdn", "@import", "url("] {
            assert!(!body.contains(foreign), "{page:?} has {foreign}");
        }
        let policy = head.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"));
        let waits = matches!(
            page,
            Page::Starting { .. }
                | Page::Busy { .. }
                | Page::Queued { .. }
                | Page::Held(_)
                | Page::Rendering { .. }
        );
        assert_eq!(body.contains("<script>"), waits, "{page:?}");
        assert_eq!(
            body.contains("data-state=\"/content/sales/__offhost__/state\""),
            waits
        );
        let comes_by_itself = waits || matches!(page, Page::Closing { .. } | Page::Untold);
        assert_eq!(
            body.contains("http-equiv=\"refresh\""),
            comes_by_itself,
            "also without scripts"
        );
    }
}

#[tokio::test]
async fn what_was_sent_is_never_sent_again_by_itself() {
    for page in [
        Page::Starting {
            seconds: 0,
            is_lost: true,
        },
        Page::Busy { is_lost: true },
        Page::Queued { is_lost: true },
        Page::Closing { is_lost: true },
    ] {
        let (_, body) = tell(HTML, PLACE, page).await;
        assert!(!body.contains("http-equiv=\"refresh\""), "{page:?}");
        assert!(body.contains("What you sent has not arrived"), "{page:?}");
    }
}

#[tokio::test]
async fn programs_get_the_problem_as_data() {
    let failure = failure("It was not ready within 60 s.");
    let page = Page::Failed {
        failure: &failure,
        log: None,
    };
    let (head, body) = tell("application/json", PLACE, page).await;
    assert_eq!(head.headers()["content-type"], "application/problem+json");
    let expected = serde_json::json!({
        "type": "about:blank", "title": "The application did not start", "status": 503,
        "detail": "It was not ready within 60 s.", "reason": "failed", "retryAfterSeconds": 30, "requestId": "4711",
    });
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), expected);
    let (head, body) = tell("*/*", PLACE, page).await;
    assert_eq!(head.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(body, "It was not ready within 60 s.\n");
}

#[tokio::test]
async fn the_log_is_shown_only_where_it_was_given() {
    let failure = failure("It ended.");
    for log in [None, Some("Traceback <module>\n\u{1b}[31mred\n")] {
        let (_, body) = tell(
            HTML,
            PLACE,
            Page::Failed {
                failure: &failure,
                log,
            },
        )
        .await;
        assert_eq!(body.contains("The end of its log"), log.is_some());
        assert_eq!(
            body.contains("Traceback &lt;module&gt;\n\u{fffd}[31mred</pre>"),
            log.is_some()
        );
    }
}

proptest! {
    #[test]
    fn nothing_in_a_form_can_become_markup(text in "\\PC{0,40}|[<>\"'&{}/a]{0,40}") {
        let of = |text: &str| {
            let form = LogInForm {
                token: text,
                back: text,
                user: text,
                problem: Some(text),
                notice: &format!("n{text}"),
                status: StatusCode::OK,
            };
            html::page(&PLACE, &Page::LogIn(&form).words())
        };
        let out = |text: &str| html::page(&PLACE, &Page::LogOut(&LogOutForm { token: text, user: text }).words());
        let count = |page: &str, c: char| page.chars().filter(|other| *other == c).count();
        let plain = if text.is_empty() { "" } else { "t" };
        for (told, plain) in [(of(&text), of(plain)), (out(&text), out(plain))] {
            prop_assert_eq!(count(&told, '<'), count(&plain, '<'));
            prop_assert_eq!(count(&told, '"'), count(&plain, '"'));
        }
    }

    #[test]
    fn nothing_that_is_told_can_become_markup(name in "\\PC{0,20}|[<>\"'&{}]{0,20}", text in "\\PC{0,40}|[<>\"'&{}/a]{0,40}") {
        let failure = failure(&text);
        let place = Place { name: &name, path: "/content/x", request_id: Some(&text) };
        let page = Page::Failed { failure: &failure, log: Some(&text) };
        let told = html::page(&place, &page.words());
        let plain = html::page(
            &Place { name: "n", path: "/content/x", request_id: Some("t") },
            &Page::Failed { failure: &self::failure("t"), log: Some("t") }.words(),
        );
        let count = |page: &str, c: char| page.chars().filter(|other| *other == c).count();
        let name_is_shown = usize::from(!name.is_empty());
        // The same elements and attributes, whatever they hold: a paragraph less without a name.
        prop_assert_eq!(count(&told, '<'), count(&plain, '<') - 2 * (1 - name_is_shown));
        prop_assert_eq!(count(&told, '"'), count(&plain, '"') - 2 * (1 - name_is_shown));
    }
}
