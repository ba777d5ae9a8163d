//! What a visitor asks of each example, and what only the application itself can answer.

use std::time::Duration;

use serde_json::{Value, json};

use crate::app::{Answer, App, Socket, Way};
use crate::cluster;

/// Visits one application.
pub(super) struct Visitor<'a> {
    app: &'a App<'a>,
    way: Way,
    patience: Duration,
}

impl<'a> Visitor<'a> {
    pub(super) fn new(app: &'a App<'a>, patience: Duration) -> Self {
        Self {
            app,
            way: app.release.gateway(),
            patience,
        }
    }

    fn path(&self, rest: &str) -> String {
        format!("/content/{}{rest}", self.app.name)
    }

    /// The first answer that is none of the gateway's own.
    #[track_caller]
    fn first(&self, rest: &str) -> Answer {
        let path = self.path(rest);
        let name = &self.app.name;
        let is_its_own = |answer: &Answer| {
            let is_own = answer.status < 500;
            assert!(is_own || answer.status == 503, "{name}: {answer:?}");
            is_own
        };
        let answer = self.way.until_for(self.patience, &path, is_its_own);
        assert!(answer.status < 400, "{name}: {answer:?}\n{}", self.app.told());
        answer
    }

    #[track_caller]
    fn get(&self, rest: &str) -> Answer {
        self.way.get(&self.path(rest))
    }

    #[track_caller]
    fn json(&self, rest: &str) -> Value {
        json_of(&self.get(rest))
    }

    #[track_caller]
    fn socket(&self, rest: &str, headers: &str) -> Socket {
        self.way.socket(&self.path(rest), headers)
    }
}

#[track_caller]
fn json_of(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{answer:?}"))
}

/// What lies between two words.
#[track_caller]
fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    let rest = text.split_once(before).map(|(_, rest)| rest);
    let found = rest.and_then(|rest| rest.split_once(after));
    found
        .unwrap_or_else(|| panic!("no '{before}…{after}' in {text}"))
        .0
}

/// What the examples have to find out, from the data that all of them have.
fn sold(region: &str, year: &str) -> u64 {
    let data = cluster::repository("examples/apps/fastapi/sales.csv");
    let data = std::fs::read_to_string(data).unwrap();
    let rows = data.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let rows = rows.filter(|row| row[1] == region && (year.is_empty() || row[0] == year));
    rows.map(|row| row[3].parse::<u64>().unwrap()).sum()
}

/// The sentence that most of them have for a region.
fn sentence(region: &str) -> String {
    format!("{region}: {} in all", sold(region, ""))
}

pub(super) fn fastapi(visitor: &Visitor<'_>) {
    let index = json_of(&visitor.first("/"));
    let docs = index["docs"].as_str().unwrap();
    assert!(docs.ends_with("/content/fastapi/docs"), "{index}");
    assert_eq!(visitor.json("/sales/west")["2024"], sold("west", "2024"));
    assert_eq!(visitor.get("/sales/nowhere").status, 404);
    let told = visitor.socket("/live", "").echo("north");
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["2024"], sold("north", "2024"));
}

pub(super) fn flask(visitor: &Visitor<'_>) {
    let page = visitor.first("/");
    assert_eq!(page.status, 302);
    let place: Vec<&str> = page.header("location").collect();
    assert!(
        place[0].contains("/content/flask/sales?region="),
        "the application knows its prefix: {page:?}"
    );
    assert_eq!(visitor.json("/api/sales/west")["region"], "west");
}

pub(super) fn nodejs(visitor: &Visitor<'_>) {
    visitor.first("/");
    sums(visitor, &json!(6.5));
    let told = visitor.socket("/live", "").echo("west");
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told, json!({"region": "west", "total": sold("west", "")}));
}

pub(super) fn plumber(visitor: &Visitor<'_>) {
    visitor.first("/sales");
    sums(visitor, &json!([6.5]));
}

/// The questions that two of them answer alike.
fn sums(visitor: &Visitor<'_>, total: &Value) {
    let rows = visitor.json("/sales?region=north&year=2024");
    let rows = rows.as_array().unwrap().iter();
    let sum: u64 = rows.map(|row| row["sales"].as_u64().unwrap()).sum();
    assert_eq!(sum, sold("north", "2024"));
    let sent = visitor.way.post(&visitor.path("/total"), "", &json!([1, 2, 3.5]));
    assert_eq!(json_of(&sent)["total"], *total);
    assert_eq!(visitor.get("/sales?region=nowhere").status, 404);
}

/// A session of Shiny, in R and in Python.
#[track_caller]
fn session(visitor: &Visitor<'_>, inputs: &Value) -> Socket {
    let page = visitor.first("/");
    let mut socket = visitor.socket("/websocket/", &page.cookies());
    socket.send(&json!({"method": "init", "data": inputs}).to_string());
    socket
}

fn update(socket: &mut Socket, inputs: &Value) {
    socket.send(&json!({"method": "update", "data": inputs}).to_string());
}

pub(super) fn shiny(visitor: &Visitor<'_>) {
    let inputs = json!({
        "region": "north", "years": [2023, 2025], "note:shiny.action": 0,
        ".clientdata_output_total_hidden": false, ".clientdata_url_search": "",
    });
    let mut socket = session(visitor, &inputs);
    socket.until(&format!("Total: {}", sold("north", "")));
    update(&mut socket, &json!({"region": "west"}));
    socket.until(&format!("Total: {}", sold("west", "")));
}

pub(super) fn shiny_python(visitor: &Visitor<'_>) {
    let inputs = json!({"region": "north", ".clientdata_output_summary_hidden": false});
    let mut socket = session(visitor, &inputs);
    socket.until(&sentence("north"));
    update(&mut socket, &json!({"region": "west"}));
    socket.until(&sentence("west"));
}

/// The document is rendered for the session, and its outputs get their names with it.
pub(super) fn rmd_shiny(visitor: &Visitor<'_>) {
    let inputs = json!({
        ".clientdata_output___reactivedoc___hidden": false, ".clientdata_url_search": "",
        ".clientdata_url_pathname": "/",
    });
    let mut socket = session(visitor, &inputs);
    let document = socket.until("Sales, asked and answered");
    let document = document.replace("\\\"", "\"");
    let output = document
        .split("id=\"")
        .find(|rest| rest.contains("shiny-text-output") && rest.starts_with("out"))
        .and_then(|rest| rest.split('"').next())
        .unwrap_or_else(|| panic!("no text in {document}"));
    let mut inputs = json!({"region": "west", "year": "2024"});
    inputs[format!(".clientdata_output_{output}_hidden")] = false.into();
    update(&mut socket, &inputs);
    socket.until(&format!("Total: {}", sold("west", "2024")));
}

pub(super) fn square(visitor: &Visitor<'_>) {
    let inputs = json!({
        "n": 7, ".clientdata_output_square_hidden": false, ".clientdata_url_search": "",
    });
    session(visitor, &inputs).until("square=49");
}

pub(super) fn dash(visitor: &Visitor<'_>) {
    let page = visitor.first("/");
    let prefix = "\"requests_pathname_prefix\":\"/content/dash/\"";
    assert!(page.body.replace("\\u002f", "/").contains(prefix), "{page:?}");
    let wanted = json!({
        "output": "..summary.children...years.figure..",
        "outputs": [{"id": "summary", "property": "children"}, {"id": "years", "property": "figure"}],
        "inputs": [{"id": "region", "property": "value", "value": "west"}], "changedPropIds": ["region.value"],
    });
    let told = visitor
        .way
        .post(&visitor.path("/_dash-update-component"), "", &wanted);
    assert_eq!(
        json_of(&told)["response"]["summary"]["children"],
        sentence("west")
    );
}

pub(super) fn gradio(visitor: &Visitor<'_>) {
    let page = visitor.first("/");
    let cookies = page.cookies();
    let call = visitor.path("/gradio_api/call/sales");
    let asked = visitor.way.post(&call, &cookies, &json!({"data": ["west"]}));
    let asked = json_of(&asked);
    let event = asked["event_id"].as_str().unwrap();
    let told = visitor.way.ask(&format!("{call}/{event}"), &cookies);
    assert!(told.body.contains(&sentence("west")), "{told:?}");
}

pub(super) fn bokeh(visitor: &Visitor<'_>) {
    let first = visitor.first("/");
    assert_eq!(
        first.header("location").collect::<Vec<_>>(),
        ["/content/bokeh/app"]
    );
    pulls(visitor, &first, "/app");
}

pub(super) fn panel(visitor: &Visitor<'_>) {
    let first = visitor.first("/");
    pulls(visitor, &first, "/");
}

/// Asks for a document over its WebSocket. A message is a header, metadata and content, each in a frame of its own.
fn pulls(visitor: &Visitor<'_>, first: &Answer, page: &str) {
    let cookies = first.cookies();
    let told = visitor.way.ask(&visitor.path(page), &cookies);
    let token = between(&told.body, "\"token\":\"", "\"");
    let headers = format!("{cookies}Sec-WebSocket-Protocol: bokeh, {token}\r\n");
    let mut socket = visitor.socket(&format!("{}/ws", page.trim_end_matches('/')), &headers);
    socket.until("\"ACK\"");
    socket.send(&json!({"msgid": "m1", "msgtype": "PULL-DOC-REQ"}).to_string());
    socket.send("{}");
    socket.send("{}");
    socket.until(&sentence("north"));
}

pub(super) fn streamlit(visitor: &Visitor<'_>) {
    let page = visitor.first("/");
    let headers = format!("{}Sec-WebSocket-Protocol: streamlit\r\n", page.cookies());
    let mut socket = visitor.socket("/_stcore/stream", &headers);
    // What its client sends to have the script run: field 11, with nothing chosen.
    socket.send_bytes(&[11 << 3 | 2, 0]);
    socket.until(&sentence("north"));
}

pub(super) fn voila(visitor: &Visitor<'_>) {
    let page = visitor.first("/");
    let kernel = between(&page.body, "\"kernelId\": \"", "\"");
    let channels = format!("/api/kernels/{kernel}/channels?session_id=s");
    let mut socket = visitor.socket(&channels, &page.cookies());
    let tell = |socket: &mut Socket, kind: &str, content: Value| {
        let header = json!({
            "msg_id": format!("m-{kind}"), "msg_type": kind, "session": "s", "username": "", "version": "5.3",
            "date": "2026-01-01T00:00:00Z",
        });
        let message = json!({
            "header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell",
        });
        socket.send(&message.to_string());
    };
    tell(
        &mut socket,
        "comm_info_request",
        json!({"target_name": "jupyter.widget"}),
    );
    let reply: Value = serde_json::from_str(&socket.until("comm_info_reply")).unwrap();
    for comm in reply["content"]["comms"].as_object().unwrap().keys() {
        tell(
            &mut socket,
            "comm_msg",
            json!({"comm_id": comm, "data": {"method": "request_state"}}),
        );
    }
    socket.until(&sentence("north"));
}
