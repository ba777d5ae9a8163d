//! What the files of PAM say of a service, for `offhost doctor`. What modules really do, only a session shows.

use super::PamError;
use crate::check::Check;
use crate::settings::{Provider, Settings};

/// Where services are described, the first that has one in force.
const DIRECTORIES: [&str; 2] = ["/etc/pam.d", "/usr/lib/pam.d"];
/// Files that include each other are followed this deep.
const DEPTH: u32 = 8;
/// Lets root in without a password.
const ROOTOK: &str = "pam_rootok.so";
/// Lets everybody in, where it is sufficient; elsewhere it only ends a list.
const PERMIT: &str = "pam_permit.so";

/// What is found of one service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// There is no such file: the service `other` answers for it.
    Missing,
    /// Root is let in.
    LetsRootIn,
    /// It wants a password.
    WantsPassword,
}

/// The checks of the services that the settings need.
#[must_use]
pub fn examine(settings: &Settings) -> Vec<Check> {
    let has_log_in = settings.authentication.provider == Provider::Pam;
    let settings = &settings.pam;
    let mut checks = Vec::new();
    if let Err(error) = super::program()
        && (has_log_in || settings.use_session)
    {
        checks.push(Check::fail("PAM", error));
    }
    if has_log_in {
        checks.push(present("PAM log-in", "PAM.Service", &settings.service));
    }
    if settings.use_session {
        checks.push(session(&settings.session_service));
    }
    if settings.forward_password {
        let service = &settings.authenticated_session_service;
        checks.push(match settings.use_session {
            true => present("PAM password", "PAM.AuthenticatedSessionService", service),
            false => Check::warn(
                "PAM password",
                "PAM.ForwardPassword has no effect without sessions",
                "set PAM.UseSession = true",
            ),
        });
    }
    checks
}

/// PM2.
fn session(service: &str) -> Check {
    const NAME: &str = "PAM session";
    if !rustix::process::geteuid().is_root() {
        return Check::fail(NAME, PamError::NotRoot);
    }
    match look(service, &read, DEPTH) {
        Found::LetsRootIn => Check::pass(
            NAME,
            format!("service '{service}' lets root in without a password"),
        ),
        Found::WantsPassword => Check::fail(
            NAME,
            format!(
                "service '{service}' does not let root in without a password; put the line `auth sufficient \
                 pam_rootok.so` first into /etc/pam.d/{service}"
            ),
        ),
        Found::Missing => missing(NAME, "PAM.SessionService", service),
    }
}

fn present(name: &'static str, setting: &str, service: &str) -> Check {
    match look(service, &read, DEPTH) {
        Found::Missing => missing(name, setting, service),
        _ => Check::pass(name, format!("service '{service}'")),
    }
}

fn missing(name: &'static str, setting: &str, service: &str) -> Check {
    Check::fail(
        name,
        format!("there is no service '{service}'; make /etc/pam.d/{service}, or name another with {setting}"),
    )
}

fn read(service: &str) -> Option<String> {
    DIRECTORIES.iter().find_map(|directory| {
        // What is no text is a file all the same.
        let bytes = std::fs::read(format!("{directory}/{service}")).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    })
}

fn look(service: &str, read: &dyn Fn(&str) -> Option<String>, depth: u32) -> Found {
    let Some(text) = read(service) else {
        return Found::Missing;
    };
    let text = text.replace("\\\n", " ");
    let lets_in = text.lines().any(|line| {
        let line = line.split('#').next().unwrap_or_default();
        line_lets_in(line.trim(), read, depth)
    });
    if lets_in {
        Found::LetsRootIn
    } else {
        Found::WantsPassword
    }
}

fn line_lets_in(line: &str, read: &dyn Fn(&str) -> Option<String>, depth: u32) -> bool {
    let follow = |service: &str| depth > 0 && look(service, read, depth - 1) == Found::LetsRootIn;
    if let Some(rest) = line.strip_prefix("@include") {
        return follow(rest.trim());
    }
    let (kind, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    // A minus says that a missing module is nothing to talk about.
    if !kind.trim_start_matches('-').eq_ignore_ascii_case("auth") {
        return false;
    }
    let rest = rest.trim_start();
    // A control is a word, or several in brackets.
    let control_end = match rest.starts_with('[') {
        true => rest.find(']').map_or(rest.len(), |at| at + 1),
        false => rest.find(char::is_whitespace).unwrap_or(rest.len()),
    };
    let (control, rest) = rest.split_at(control_end);
    let module = rest.split_whitespace().next().unwrap_or_default();
    let file = module.rsplit('/').next().unwrap_or_default();
    match control {
        "include" | "substack" => follow(module),
        _ => file == ROOTOK || (file == PERMIT && control == "sufficient"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(service: &str, files: &[(&str, &str)]) -> Found {
        let read = |name: &str| {
            let file = files.iter().find(|(file, _)| *file == name);
            file.map(|(_, text)| (*text).to_owned())
        };
        look(service, &read, DEPTH)
    }

    /// Proves: PM2 (L)
    #[test]
    fn a_service_that_lets_root_in_is_told_from_one_that_does_not() {
        let files = [
            (
                "su",
                "# comment\nauth       sufficient pam_rootok.so\n@include common-auth\n",
            ),
            (
                "runuser",
                "auth [success=done \\\n default=ignore] /lib/security/pam_rootok.so\n",
            ),
            ("login", "@include common-auth\nsession required pam_rootok.so\n"),
            ("commented", "# auth sufficient pam_rootok.so\n"),
            ("indirect", "auth substack su\n"),
            (
                "common-auth",
                "auth requisite pam_deny.so\nauth required pam_permit.so\n",
            ),
            ("open", "auth sufficient pam_permit.so\n"),
            ("loop", "@include loop\n"),
        ];
        for service in ["su", "runuser", "indirect", "open"] {
            assert_eq!(found(service, &files), Found::LetsRootIn, "{service}");
        }
        for service in ["login", "commented", "common-auth", "loop"] {
            assert_eq!(found(service, &files), Found::WantsPassword, "{service}");
        }
        assert_eq!(found("absent", &files), Found::Missing);
    }
}
