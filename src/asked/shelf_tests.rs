use super::*;
use crate::data::Variant;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn record(id: &str, owner: &str, asked: i64, state: State) -> Record {
    Record {
        id: Variant::parse(id).unwrap(),
        app: "sales".to_owned(),
        content: content(),
        bundle: 1,
        owner: Owner::user(owner),
        digest: Some(format!("digest of {id}")),
        answers: Vec::new(),
        asked: at(asked),
        state,
    }
}

fn content() -> ContentId {
    ContentId::parse("sales").unwrap()
}

fn done(id: &str, owner: &str, asked: i64) -> Record {
    record(id, owner, asked, State::Done { at: at(asked + 1) })
}

fn ids(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| record.id.as_str()).collect()
}

fn shelf(records: Vec<Record>) -> Shelf {
    let mut shelf = Shelf::default();
    for record in records {
        shelf.put(record);
    }
    shelf
}

/// Proves: PK6 (L)
#[test]
fn nobody_sees_another_visitors_result() {
    let mut shelf = shelf(vec![done("a", "ann", 1), done("b", "bob", 2)]);
    let mut sees = |owner: &str, app: &str, content: &str, id: &str| {
        let content = ContentId::parse(content).unwrap();
        shelf.of_owner(&Owner::user(owner), app, &content, id).is_some()
    };
    assert!(sees("ann", "sales", "sales", "a"));
    assert!(!sees("bob", "sales", "sales", "a"));
    assert!(!sees("ann", "other", "sales", "a"));
    assert!(!sees("ann", "sales", "other", "a"));
    assert!(!sees("ann", "sales", "sales", "c"));
    let listed = shelf.list(&Owner::user("bob"), "sales", &content());
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].id.as_str(), "b");
}

/// Proves: PK6 (L)
#[test]
fn the_same_answers_have_one_result_unless_it_failed() {
    let failed = State::Failed {
        at: at(9),
        reason: "x".to_owned(),
        message: "x".to_owned(),
    };
    let shelf = shelf(vec![done("a", "ann", 1), record("f", "ann", 1, failed)]);
    let same = |id: &str, owner: &str| shelf.same(&record(id, owner, 5, State::Waiting)).is_some();
    assert!(same("a", "ann"));
    assert!(!same("a", "bob"));
    assert!(!same("f", "ann"));
    let mut secret = record("a", "ann", 5, State::Waiting);
    secret.digest = None;
    assert!(shelf.same(&secret).is_none());
}

/// Proves: PK6 (L), RD4 (L)
#[test]
fn older_results_of_the_same_visitor_give_way() {
    let mut shelf = shelf(vec![
        done("a", "ann", 1),
        done("b", "ann", 2),
        record("w", "ann", 0, State::Waiting),
        done("o", "bob", 0),
    ]);
    let wanted = record("n", "ann", 9, State::Waiting);
    assert_eq!(ids(&shelf.make_room(&wanted, 3).unwrap()), ["a"]);
    assert_eq!(ids(&shelf.make_room(&wanted, 3).unwrap()), [""; 0]);
    shelf.put(record("w2", "ann", 3, State::Waiting));
    shelf.put(record("w3", "ann", 3, State::Waiting));
    assert_eq!(shelf.make_room(&wanted, 10), Err(Full::Visitor));
    for at in 0..MOST_WAITING {
        shelf.put(record(&format!("x{at}"), &format!("u{at}"), 1, State::Waiting));
    }
    let other = record("n", "carl", 9, State::Waiting);
    assert_eq!(shelf.make_room(&other, 10), Err(Full::Document));
}

/// Proves: PK6 (L), RD4 (L)
#[test]
fn a_document_does_not_fill_the_disk() {
    let mut records: Vec<Record> = (0..MOST_RESULTS)
        .map(|at| {
            done(
                &format!("r{at}"),
                &format!("u{at}"),
                100 + i64::try_from(at).unwrap(),
            )
        })
        .collect();
    records.push(done("first", "zoe", 1));
    let mut shelf = shelf(records);
    let wanted = record("n", "ann", 9, State::Waiting);
    assert_eq!(ids(&shelf.make_room(&wanted, 10).unwrap()), ["first", "r0"]);
}

/// Proves: PK6 (L), RD4 (L)
#[test]
fn results_go_with_their_age_and_what_was_cut_off_at_once() {
    let (mut shelf, cut_off) = Shelf::of(vec![
        done("a", "ann", 1),
        done("b", "ann", 50),
        record("w", "ann", 1, State::Waiting),
    ]);
    assert_eq!(ids(&cut_off), ["w"]);
    assert_eq!(shelf.expired(0, at(1_000_000)), []);
    assert_eq!(ids(&shelf.expired(60, at(100))), ["a"]);
    assert_eq!(shelf.done().len(), 1);
}

#[test]
fn who_waits_is_told() {
    let mut shelf = shelf(vec![record("w", "ann", 1, State::Waiting)]);
    let item = shelf
        .of_owner(&Owner::user("ann"), "sales", &content(), "w")
        .unwrap();
    let waits = item.state.subscribe();
    assert!(matches!(*waits.borrow(), AppState::Starting { .. }));
    assert!(shelf.over("w", State::Done { at: at(5) }).is_some());
    shelf.tell("w");
    assert_eq!(*waits.borrow(), AppState::Ready);
    assert!(shelf.over("gone", State::Done { at: at(5) }).is_none());
}
