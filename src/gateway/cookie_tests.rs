use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;

use super::*;
use crate::gateway::keyring::{MAX_VALUE, SKEW_SECONDS};

const NOW: u64 = 1_800_000_000;
const MONTH: u64 = 30 * 86_400;
const ONE: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const TWO: &str = "2222222222222222222222222222222222222222222222222222222222222222";

fn keys(text: &str) -> Keyring {
    Keyring::parse(text).unwrap()
}

fn session() -> Session {
    Session {
        app: "shop".into(),
        process: "k3jd9".into(),
        id: 0x0123_4567_89ab_cdef,
        visitor: None,
        issued: NOW,
    }
}

fn verify(keys: &Keyring, value: &str) -> Result<Session, Refusal> {
    keys.verify(value.as_bytes(), &"shop".into(), None, NOW, MONTH)
}

/// Proves: SC5 (L, P)
#[test]
fn a_session_is_read_back_by_every_holder_of_the_key() {
    let value = keys(ONE).sign(&session()).unwrap();
    assert_eq!(verify(&keys(ONE), &value), Ok(session()));
    // A new key signs, the older one still counts; without it the session begins anew.
    assert_eq!(verify(&keys(&format!("{TWO}\n{ONE}")), &value), Ok(session()));
    assert_eq!(verify(&keys(TWO), &value), Err(Refusal::UnknownKey));
}

/// Proves: SC5 (L, P)
#[test]
fn what_is_not_this_applications_fresh_signed_cookie_does_not_count() {
    let keys = keys(ONE);
    let at = |issued| keys.sign(&Session { issued, ..session() }).unwrap();
    assert_eq!(
        verify(&keys, &at(NOW - MONTH)).map(|found| found.issued),
        Ok(NOW - MONTH)
    );
    assert_eq!(verify(&keys, &at(NOW - MONTH - 1)), Err(Refusal::Expired));
    assert!(
        verify(&keys, &at(NOW + SKEW_SECONDS)).is_ok(),
        "clocks differ a little"
    );
    assert_eq!(verify(&keys, &at(NOW + SKEW_SECONDS + 1)), Err(Refusal::Future));
    assert_eq!(verify(&keys, &at(u64::MAX)), Err(Refusal::Future));
    assert_eq!(verify(&keys, &at(0)), Err(Refusal::Expired));
    let other = keys
        .sign(&Session {
            app: "bank".into(),
            ..session()
        })
        .unwrap();
    assert_eq!(verify(&keys, &other), Err(Refusal::OtherApp));
}

/// Proves: SC5 (L, P)
#[test]
fn a_session_is_one_visitors() {
    let keys = keys(ONE);
    let (ann, bob) = ([1; 16], [2; 16]);
    let of = |visitor| keys.sign(&Session { visitor, ..session() }).unwrap();
    for owner in [None, Some(ann), Some(bob)] {
        for visitor in [None, Some(ann), Some(bob)] {
            let found = keys.verify(of(owner).as_bytes(), &"shop".into(), visitor.as_ref(), NOW, MONTH);
            let expected = (owner == visitor).then_some(()).ok_or(Refusal::OtherVisitor);
            assert_eq!(found.map(drop), expected, "{owner:?} {visitor:?}");
        }
    }
}

#[test]
fn what_was_signed_as_one_thing_is_nothing_else() {
    use Seal::{LogIn, LogInForm, LogOutForm, Session, VisitorsSession};
    let keys = keys(ONE);
    let all = [Session, VisitorsSession, LogIn, LogInForm, LogOutForm];
    for made in all {
        let value = keys.seal(made, NOW, &[0; 16]);
        for wanted in all {
            let opened = keys.open(&[wanted], value.as_bytes(), NOW, 60);
            assert_eq!(opened.is_ok(), made == wanted, "{made:?} {wanted:?}");
        }
    }
}

/// Proves: SC5 (L, P)
#[test]
fn a_cookie_older_than_its_key_was_not_made_with_it() {
    let keys = keys(&format!("2026-11-22T08:00:00Z {ONE}"));
    let since = 1_795_334_400;
    for (issued, expected) in [(since - SKEW_SECONDS - 1, Err(Refusal::Expired)), (since, Ok(()))] {
        let value = keys.sign(&Session { issued, ..session() }).unwrap();
        let found = keys.verify(value.as_bytes(), &"shop".into(), None, since + 5, MONTH);
        assert_eq!(found.map(drop), expected);
    }
}

#[test]
fn text_that_is_no_cookie_is_refused() {
    let keys = keys(ONE);
    let good = keys.sign(&session()).unwrap();
    let padded = format!("{good}=");
    let doubled = format!("{good}{good}");
    let long = "A".repeat(MAX_VALUE + 1);
    let blank = "A".repeat(MAX_VALUE);
    let quoted = format!("\"{good}\"");
    for bad in [
        "",
        " ",
        "A",
        "AAAA",
        "=",
        "%00",
        "\0",
        "é",
        "null",
        "undefined",
        "../../etc/passwd",
        "'; drop table",
        &padded,
        &long,
        &blank,
        &quoted,
    ] {
        assert_eq!(verify(&keys, bad), Err(Refusal::Malformed), "{bad:?}");
    }
    assert_eq!(verify(&keys, &doubled), Err(Refusal::Forged));
    // Another version, and bytes that are no text.
    let mut token = URL_SAFE_NO_PAD.decode(&good).unwrap();
    token[0] += 100;
    assert_eq!(
        verify(&keys, &URL_SAFE_NO_PAD.encode(token)),
        Err(Refusal::Malformed)
    );
    assert_eq!(
        keys.verify(&[0xff; 200], &"shop".into(), None, NOW, MONTH),
        Err(Refusal::Malformed)
    );
}

#[test]
fn a_cookie_cut_anywhere_or_with_one_character_changed_does_not_count() {
    let keys = keys(ONE);
    let good = keys.sign(&session()).unwrap();
    for length in 0..good.len() {
        assert!(verify(&keys, &good[..length]).is_err(), "cut after {length}");
    }
    for at in 0..good.len() {
        for new in ['A', 'z', '0', '_', '-', '9'] {
            let mut changed: Vec<char> = good.chars().collect();
            if changed[at] != new {
                changed[at] = new;
                let changed: String = changed.into_iter().collect();
                assert!(verify(&keys, &changed).is_err(), "{changed}");
            }
        }
    }
}

#[test]
fn keys_are_read_strictly() {
    let err = |text: &str| Keyring::parse(text).unwrap_err();
    assert_eq!(err(""), KeyError::Empty);
    assert_eq!(err("\n # nothing\n"), KeyError::Empty);
    assert_eq!(err("\nshort"), KeyError::Short { line: 2 });
    let time = KeyError::Time {
        line: 1,
        word: "yesterday".into(),
    };
    assert_eq!(err(&format!("yesterday {ONE}")), time);
    assert!(time.to_string().starts_with("line 1: 'yesterday' is no time"));
    assert!(Keyring::parse(&format!("# old\n\n{ONE} # since May\n{TWO}")).is_ok());
    assert!(!format!("{:?}", keys(ONE)).contains("11"), "no key in a log");
}

#[test]
fn ids_that_do_not_fit_are_refused_and_the_longest_fit() {
    let longest = "x".repeat(MAX_ID);
    let long = Session {
        app: longest.as_str().into(),
        process: longest.as_str().into(),
        visitor: Some([7; 16]),
        ..session()
    };
    assert!(keys(ONE).sign(&long).unwrap().len() <= MAX_VALUE);
    for bad in ["x".repeat(MAX_ID + 1), "x".repeat(300)] {
        let long = Session {
            process: bad.as_str().into(),
            ..session()
        };
        assert_eq!(keys(ONE).sign(&long), Err(KeyError::LongId(bad)));
    }
}

proptest! {
    #[test]
    fn every_session_comes_back_as_it_was(
        app in "[a-z0-9é.-]{0,40}", process in "\\PC{0,20}", id: u128,
        visitor: Option<[u8; 16]>, issued in 0..NOW,
    ) {
        let session = Session { app: app.as_str().into(), process: process.as_str().into(), id, visitor, issued };
        let value = keys(ONE).sign(&session).unwrap();
        prop_assert!(value.len() <= MAX_VALUE);
        prop_assert!(value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        prop_assert_eq!(keys(ONE).verify(value.as_bytes(), &session.app, visitor.as_ref(), NOW, NOW), Ok(session));
    }

    #[test]
    fn no_bytes_do_harm_and_none_count(value in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(keys(ONE).verify(&value, &"shop".into(), None, NOW, MONTH).is_err());
    }

    #[test]
    fn tokens_of_any_shape_do_no_harm(token in proptest::collection::vec(any::<u8>(), 0..220)) {
        let mut token = token;
        if let Some(first) = token.first_mut() {
            *first = 1;
        }
        let value = URL_SAFE_NO_PAD.encode(token);
        prop_assert!(verify(&keys(ONE), &value).is_err());
    }
}
