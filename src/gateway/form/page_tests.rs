use super::*;
use crate::content::form::{Choice, Field, Initial, Numbers};

fn field(label: &str, input: Input, initial: Initial) -> Field {
    Field {
        name: "a".to_owned(),
        label: label.to_owned(),
        help: None,
        input,
        initial,
    }
}

fn choices(count: usize, label: &str) -> Vec<Choice> {
    let choice = |at: usize| Choice {
        label: format!("{label}{at}"),
        value: at.into(),
        group: None,
    };
    (0..count).map(choice).collect()
}

fn page(fields: Vec<Field>, problems: &[Problem]) -> String {
    let form = Form { fields };
    let shown = Shown {
        name: "Sales",
        path: "/content/sales",
        action: "/content/sales/__offhost__/parameters",
        results_at: "/content/sales/__offhost__/variants",
        form: &form,
        sent: &Sent::untouched(&form, "2024-03-02"),
        problems,
        fault: None,
        token: "TOKEN",
        days: Some(7),
        results: Some(&[Line {
            id: "v1".to_owned(),
            asked: "2024-03-02 10:00".to_owned(),
            state: LineState::Done,
            answers: vec![("<i>".to_owned(), "</p><script>".to_owned())],
        }]),
    };
    shown.page()
}

/// Proves: PK6 (L)
#[test]
fn no_text_of_a_document_or_visitor_is_markup() {
    const EVIL: &str = "\"'><script>alert(1)</script></textarea>{{token}}";
    let value = || Initial::Value(EVIL.into());
    let several = || choices(3, EVIL);
    let problems = [Problem {
        field: 0,
        message: EVIL.to_owned(),
    }];
    let fields = vec![
        field(EVIL, Input::Text, value()),
        field(EVIL, Input::Area, value()),
        field(EVIL, Input::Text, Initial::Code(EVIL.to_owned())),
        field(EVIL, Input::Several(several()), Initial::Nothing),
        field(
            EVIL,
            Input::Choice {
                choices: several(),
                is_open: false,
            },
            Initial::Nothing,
        ),
        field(
            EVIL,
            Input::File {
                accept: Some(EVIL.to_owned()),
            },
            Initial::Nothing,
        ),
        field(EVIL, Input::Checkbox, Initial::Value(true.into())),
    ];
    let page = page(fields, &problems);
    let without_own = page.replace(&format!("<script>{SCRIPT}</script>"), "");
    assert!(!without_own.contains("<script") && !without_own.contains("\"'>"));
    assert_eq!(page.matches("</textarea>").count(), 1);
    assert_eq!(page.matches("TOKEN").count(), 1);
    assert!(page.contains("&lt;i&gt;: &lt;/p&gt;"));
}

/// Proves: PK6 (L)
#[test]
fn every_control_has_a_label_its_hint_and_its_fault() {
    let problems = [Problem {
        field: 0,
        message: "No.".to_owned(),
    }];
    let numbers = Numbers {
        min: Some(0.0),
        max: Some(10.0),
        step: None,
        is_whole: true,
    };
    let page = page(
        vec![
            field("One", Input::Number(Numbers::default()), Initial::Nothing),
            field("Two", Input::Slider(numbers), Initial::Value(5.into())),
            field("Three", Input::Several(choices(20, "c")), Initial::Nothing),
            field("Four", Input::Several(choices(1000, "c")), Initial::Nothing),
        ],
        &problems,
    );
    for text in [
        "<label for=\"p0\">One</label>",
        "<input type=\"number\" id=\"p0\" name=\"p0\" value=\"\" step=\"any\" aria-invalid=\"true\" aria-describedby=\"p0-hint p0-error\">",
        "<li><a href=\"#p0\">One</a>: No.</li>",
        "<p class=\"error\" id=\"p0-error\">No.</p>",
        "name=\"p1\" value=\"5\" min=\"0\" max=\"10\" step=\"1\"",
        "<legend>Three</legend>",
        "<select id=\"p3\" name=\"p3\" multiple size=\"12\"",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert_eq!(page.matches("<option ").count(), 1000);
    assert_eq!(page.matches("<input type=\"checkbox\"").count(), 20);
    let policy = policy();
    let policy = policy.to_str().unwrap();
    assert!(policy.contains("form-action 'self'") && !policy.contains("unsafe"));
}

/// Proves: PK6 (L)
#[test]
fn a_password_is_never_written_into_a_page() {
    let secret = || Initial::Value("s3cret".into());
    let page = page(vec![field("Secret", Input::Password, secret())], &[]);
    assert!(page.contains("type=\"password\"") && !page.contains("s3cret"));
}
