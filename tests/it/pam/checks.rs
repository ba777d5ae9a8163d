//! Passwords checked by real modules.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use offhost::local::pam::{Credentials, PamPasswords};
use offhost::settings::Pam;
use offhost::visitors::{CheckError, Checked, Passwords};
use zeroize::Zeroizing;

use super::machine::{Machine, PASSWORD, USER};
use super::may_run;

const UNIX: &str = "auth required pam_unix.so nodelay\naccount required pam_unix.so\n";
/// Seconds that no step takes, however busy the machine is.
pub(super) const LIMIT: u32 = 60;
/// Where visitors are.
const FROM: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

pub(super) struct Login {
    pub(super) machine: Machine,
    runtime: tokio::runtime::Runtime,
}

impl Login {
    pub(super) fn new() -> Self {
        let machine = Machine::new("");
        machine.service("offhost-login", UNIX);
        Self {
            machine,
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .build()
                .expect("threads can be made"),
        }
    }

    pub(super) fn check(&self, user: &str, password: &[u8]) -> Result<Checked, CheckError> {
        self.check_with(&self.passwords(LIMIT, None), user, password)
    }

    pub(super) fn check_from(
        &self,
        from: IpAddr,
        user: &str,
        password: &[u8],
    ) -> Result<Checked, CheckError> {
        let password = Zeroizing::new(password.to_vec());
        self.runtime
            .block_on(self.passwords(LIMIT, None).check(user, password, from))
    }

    /// What checks, with this limit in seconds for each step and a store for passwords that are right.
    pub(super) fn passwords(&self, limit: u32, kept: Option<&Arc<Credentials>>) -> PamPasswords {
        let settings = Pam {
            service: "offhost-login".to_owned(),
            ..Pam::default()
        };
        PamPasswords::with_program(&self.machine.program(), limit, &settings, kept.cloned())
    }

    pub(super) fn check_with(
        &self,
        passwords: &PamPasswords,
        user: &str,
        password: &[u8],
    ) -> Result<Checked, CheckError> {
        self.runtime
            .block_on(passwords.check(user, Zeroizing::new(password.to_vec()), FROM))
    }

    fn set_password(&self, password: &str) {
        let script = format!("echo '{USER}:{password}' | chpasswd -c SHA512");
        self.machine.sh(&script).succeeded();
    }
}

fn is_refused(answer: &Result<Checked, CheckError>, known: bool) -> bool {
    matches!(answer, Err(CheckError::Refused { is_known, .. }) if *is_known == known)
}

/// Proves: PM3 (L)
#[test]
fn passwords_are_right_or_wrong_whatever_they_hold() {
    if !may_run() {
        return;
    }
    let login = Login::new();
    let checked = login.check(USER, PASSWORD.as_bytes()).expect("it is right");
    assert_eq!(checked.user, USER);
    assert!(checked.groups.contains(&USER.to_owned()), "{checked:?}");
    let long = "x".repeat(511);
    for password in [
        "p",
        "ünïcödé 🔑",
        " spaces at both ends ",
        "\t\\\"$(id)`%s%n",
        long.as_str(),
    ] {
        login.set_password(password);
        assert!(login.check(USER, password.as_bytes()).is_ok(), "{password:?}");
        let mut wrong = password.as_bytes().to_vec();
        wrong.push(b'x');
        assert!(is_refused(&login.check(USER, &wrong), true), "{password:?}");
    }
    login.set_password("abc");
    for wrong in [
        &b""[..],
        b"ab",
        b"abc\0",
        b"abc\0def",
        b"\xff\xfe",
        &[b'x'; 1024],
        &[b'x'; 100_000],
    ] {
        let answer = login.check(USER, wrong);
        assert!(
            matches!(answer, Err(CheckError::Refused { .. })),
            "{wrong:?}: {answer:?}"
        );
    }
    for name in [
        "",
        "nobody-of-that-name",
        "offhost-alice\0",
        "a\nb",
        &"x".repeat(10_000),
    ] {
        assert!(is_refused(&login.check(name, b"abc"), false), "{name:?}");
    }
}

/// Proves: PM3 (L)
#[test]
fn accounts_that_may_not_be_used_are_told_apart_for_the_log_alone() {
    if !may_run() {
        return;
    }
    let login = Login::new();
    let neutral = CheckError::Refused {
        is_known: true,
        why: String::new(),
    };
    for (change, why) in [
        (format!("chage --expiredate 2001-01-01 {USER}"), "account check"),
        (
            format!("chage --expiredate -1 {USER} && usermod --lock {USER}"),
            "authentication",
        ),
    ] {
        login.machine.sh(&change).succeeded();
        let error = login
            .check(USER, PASSWORD.as_bytes())
            .expect_err("it may not be used");
        assert!(
            matches!(&error, CheckError::Refused { why: found, .. } if found.contains(why)),
            "{error:?}"
        );
        assert_eq!(
            error.to_string(),
            neutral.to_string(),
            "visitors see no difference"
        );
    }
    login
        .machine
        .sh(&format!("usermod --unlock {USER} && chage --lastday 0 {USER}"))
        .succeeded();
    assert_eq!(login.check(USER, PASSWORD.as_bytes()), Err(CheckError::Expired));
    assert!(
        is_refused(&login.check(USER, b"wrong"), true),
        "only who knows the password is told so"
    );
    login
        .machine
        .sh(&format!("chage --lastday -1 {USER} && passwd --delete {USER}"))
        .succeeded();
    assert!(
        login.check(USER, b"").is_err() && login.check(USER, b"x").is_err(),
        "no password is nobody's"
    );
}

/// Proves: PM3 (L)
#[test]
fn a_module_that_misbehaves_harms_one_check_alone() {
    if !may_run() {
        return;
    }
    let login = Login::new();
    let with = |what: &str| {
        let text = format!(
            "auth required MISBEHAVE auth={what}\nauth required pam_permit.so\naccount required MISBEHAVE account={what}\n"
        );
        login.machine.service("offhost-login", &text);
        let start = Instant::now();
        let limit = if what == "hang" { 2 } else { LIMIT };
        let answer = login.check_with(&login.passwords(limit, None), USER, b"secret");
        assert!(start.elapsed() < Duration::from_secs(120), "{what}");
        if let Err(error) = &answer {
            assert!(!format!("{error:?} {error}").contains("secret"), "{error:?}");
        }
        answer
    };
    let unavailable = |answer: Result<Checked, CheckError>, expected: &str| {
        assert!(
            matches!(&answer, Err(CheckError::Unavailable(why)) if why.contains(expected)),
            "{expected}: {answer:?}"
        );
    };
    unavailable(with("hang"), "did not answer within 2 s");
    unavailable(with("crash"), "crashed (signal 11)");
    unavailable(with("exit"), "gave no answer");
    unavailable(with("ask-twice"), "asked 'Code:'");
    unavailable(with("ask-for-ever"), "asked 'Password:'");
    assert!(with("talk").is_ok());
    let changed = with("user:offhost-bob").expect("a log-in may change the name");
    assert_eq!((changed.user.as_str(), changed.groups.len()), ("offhost-bob", 0));
    login.machine.service("offhost-login", UNIX);
    assert!(
        login.check(USER, PASSWORD.as_bytes()).is_ok(),
        "the next check is none the worse"
    );
}
