//! Where a visitor is, as modules learn it.

use std::net::IpAddr;

use offhost::visitors::CheckError;

use super::checks::Login;
use super::machine::{PASSWORD, USER};
use super::may_run;

/// Proves: PM3 (L), PR1 (L)
#[test]
fn rules_of_modules_know_the_visitor_s_address() {
    if !may_run() {
        return;
    }
    let login = Login::new();
    let machine = &login.machine;
    machine
        .sh(&format!(
            "printf '%s\\n' '+:{USER}:192.0.2.0/24 2001:db8::/32' '-:ALL:ALL' >/etc/security/offhost-access.conf"
        ))
        .succeeded();
    machine.service(
        "offhost-login",
        "auth optional pam_exec.so quiet WHERE\nauth required pam_unix.so nodelay\n\
         account required pam_access.so nodefgroup accessfile=/etc/security/offhost-access.conf\n",
    );
    for (from, told, may) in [
        ("192.0.2.7", "192.0.2.7", true),
        ("::ffff:192.0.2.7", "192.0.2.7", true),
        ("2001:db8::7", "2001:db8::7", true),
        ("198.51.100.1", "198.51.100.1", false),
        ("2001:db9::7", "2001:db9::7", false),
        ("127.0.0.1", "127.0.0.1", false),
    ] {
        let from: IpAddr = from.parse().expect("it is an address");
        let answer = login.check_from(from, USER, PASSWORD.as_bytes());
        let is_refused =
            matches!(&answer, Err(CheckError::Refused { why, .. }) if why.contains("account check"));
        assert_eq!((answer.is_ok(), is_refused), (may, !may), "{from}: {answer:?}");
        assert_eq!(machine.last_seen(), format!("auth {told} offhost"));
    }
}
