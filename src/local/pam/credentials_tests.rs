use std::cell::Cell;

use super::*;

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
}

/// Each test runs on a thread of its own.
fn clock() -> Duration {
    Duration::from_secs(NOW.get())
}

fn store() -> Credentials {
    Credentials::with_clock(Duration::from_hours(12), clock).expect("memory can be locked")
}

fn read(store: &Credentials, user: &str) -> Option<Vec<u8>> {
    let password = store.get(user).expect("memory can be locked");
    password.map(|password| password.bytes().to_vec())
}

/// Proves: PM3 (L)
#[test]
fn a_password_is_kept_for_its_time_from_the_latest_login() {
    let store = store();
    store.keep("alice", b"secret").expect("it is kept");
    NOW.set(11 * 3600);
    assert_eq!(read(&store, "alice").as_deref(), Some(b"secret".as_slice()));
    // Reading it does not lengthen its time, a new log-in does.
    store.keep("bob", b"other").expect("it is kept");
    NOW.set(12 * 3600);
    assert_eq!(read(&store, "alice"), None);
    assert_eq!(read(&store, "bob").as_deref(), Some(b"other".as_slice()));
    store.keep("bob", b"new").expect("it is kept");
    NOW.set(23 * 3600 + 1);
    assert_eq!(read(&store, "bob").as_deref(), Some(b"new".as_slice()));
    NOW.set(24 * 3600);
    store.sweep();
    assert!(store.lock().by_user.is_empty(), "it is wiped, not only withheld");
}

/// Proves: PM3 (L)
#[test]
fn every_length_and_byte_comes_back() {
    let store = store();
    let all: Vec<u8> = (0..=255).collect();
    for length in [0, 1, 7, 255, 256, MOST_BYTES - 1, MOST_BYTES] {
        let password: Vec<u8> = all.iter().copied().cycle().take(length).collect();
        store.keep("alice", &password).expect("it is kept");
        assert_eq!(read(&store, "alice"), Some(password));
    }
    assert!(store.keep("alice", &[b'x'; MOST_BYTES + 1]).is_err());
}

/// Proves: PM3 (L)
#[test]
fn it_is_encrypted_and_belongs_to_one_user() {
    let store = store();
    store.keep("alice", b"correct horse").expect("it is kept");
    store.keep("bob", b"correct horse").expect("it is kept");
    let mut kept = store.lock();
    let held = |kept: &Kept, user: &str| kept.by_user[user].memory.bytes().to_vec();
    let (alice, bob) = (held(&kept, "alice"), held(&kept, "bob"));
    assert_ne!(alice, bob, "equal passwords are not seen to be equal");
    assert!(!alice.windows(7).any(|window| window == b"correct"));
    let entry = kept.by_user.remove("alice").expect("it is there");
    kept.by_user.insert("mallory".to_owned(), entry);
    drop(kept);
    assert!(store.get("mallory").is_err(), "another user's entry is of no use");
    store.forget("bob");
    assert_eq!(read(&store, "bob"), None);
    assert!(!format!("{store:?}").contains("horse"));
}
