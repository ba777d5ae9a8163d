//! One account under several names: a module changes the name, a directory knows more than one spelling.

use std::time::Duration;

use offhost::local::pam::{Credentials, Session};

use super::checks::{LIMIT, Login};
use super::launches;
use super::machine::{PASSWORD, USER};
use super::may_run;

/// Proves: PM3 (L), CU2 (L)
#[test]
fn an_account_has_one_name_however_it_is_spelled() {
    if !may_run() {
        return;
    }
    let login = Login::new();
    login.machine.has_aliases();
    let lifetime = Duration::from_secs(3600);
    for typed in [
        USER.to_owned(),
        USER.to_uppercase(),
        format!("{USER}@corp.example"),
    ] {
        let kept = Credentials::new(lifetime).expect("memory can be locked");
        let checked = login.check_with(&login.passwords(LIMIT, Some(&kept)), &typed, PASSWORD.as_bytes());
        let checked = checked.unwrap_or_else(|error| panic!("{typed}: {error:?}"));
        assert_eq!(checked.user, USER, "{typed}");
        assert!(checked.groups.contains(&USER.to_owned()), "{typed}: {checked:?}");
        assert!(typed == USER || kept.get(&typed).expect("memory").is_none());
        session_with(&login, &kept);
        kept.forget(&checked.user);
        assert!(kept.get(USER).expect("memory").is_none(), "{typed}");
    }
    let wrong = login.check(&USER.to_uppercase(), b"wrong");
    assert!(wrong.is_err());
}

/// Proves: PM3 (L)
#[test]
fn a_password_is_kept_by_the_name_that_a_module_gave() {
    if !may_run() {
        return;
    }
    let login = Login::new();
    // As modules of directories do: the name comes first, then the password is looked at.
    let stack = format!(
        "auth required MISBEHAVE auth=user:{USER}\nauth required pam_unix.so nodelay\naccount required pam_unix.so\n"
    );
    login.machine.service("offhost-login", &stack);
    let kept = Credentials::new(Duration::from_secs(3600)).expect("memory can be locked");
    let checked = login.check_with(
        &login.passwords(LIMIT, Some(&kept)),
        "CORP\\alice",
        PASSWORD.as_bytes(),
    );
    assert_eq!(checked.expect("it is right").user, USER);
    assert!(kept.get("CORP\\alice").expect("memory").is_none());
    session_with(&login, &kept);
}

/// What is kept opens a session of the account, as a launch for the visitor does.
fn session_with(login: &Login, kept: &Credentials) {
    let machine = &login.machine;
    machine.service("authenticated", launches::AUTHENTICATED);
    let password = kept.get(USER).expect("memory").expect("it is kept");
    let session = Session::of_service(&machine.program(), "authenticated", USER).limited_to(LIMIT);
    let (ended, text) = launches::run(session.with_password(password), "id -u").expect("it is opened");
    assert_eq!((ended.code, text.trim()), (Some(0), "23741"));
    machine.assert_all_closed();
}
