//! The check of a password: authentication and account management, for a log-in.

use std::fs::File;

use zeroize::Zeroizing;

use super::conversation::Conversation;
use super::library::{Item, Kind, Library, Refusal, Step, Transaction};
use super::limit::Limit;
use super::wire::{CheckAnswer, CheckRequest};
use super::{Descriptors, read_password, read_request, say};

/// What log-ins are made at, for rules by terminal (`pam_time`, `pam_access`) and for the log: there is no terminal.
const TERMINAL: &str = "offhost";

/// Checks the password that comes by the third descriptor, as the first asks, and tells the second.
pub(super) fn run(library: &dyn Library, fds: &Descriptors) -> Option<u8> {
    fds.settle()?;
    let request: CheckRequest = read_request(fds.take(0)?)?;
    let mut report = File::from(fds.take(1)?);
    let password = read_password(fds.take(2)?)?;
    let answer = check(library, &request, password);
    say(&mut report, &answer);
    Some(0)
}

fn check(library: &dyn Library, request: &CheckRequest, password: Zeroizing<Vec<u8>>) -> CheckAnswer {
    let limit = Limit::new(request.limit_seconds);
    let conversation = Conversation::new(Some(password));
    let begun = limit.during(|| library.start(&request.service, &request.user, conversation));
    let mut transaction = match begun {
        Ok(transaction) => transaction,
        Err(refusal) => return refused(&request.user, &refusal, Step::Authenticate, Vec::new(), limit),
    };
    let facts = [
        (Item::RemoteHost, request.from.to_string()),
        (Item::Terminal, TERMINAL.to_owned()),
    ];
    for (item, value) in facts {
        if let Err(refusal) = transaction.tell(item, &value) {
            return refused(&request.user, &refusal, Step::Authenticate, Vec::new(), limit);
        }
    }
    for step in [Step::Authenticate, Step::Account] {
        if let Err(refusal) = limit.during(|| transaction.step(step)) {
            let said = transaction.said();
            return refused(&request.user, &refusal, step, said, limit);
        }
    }
    admitted(transaction.as_ref(), limit)
}

fn admitted(transaction: &dyn Transaction, limit: Limit) -> CheckAnswer {
    let said = transaction.said();
    match transaction.user().filter(|user| !user.is_empty()) {
        Some(user) => {
            let (user, groups, uid) = limit.during(|| account(user));
            CheckAnswer::Checked {
                user,
                groups,
                uid,
                said,
            }
        }
        None => CheckAnswer::Unavailable {
            why: "a module has replaced the user's name by something that is no text".to_owned(),
            said,
        },
    }
}

fn refused(user: &str, refusal: &Refusal, step: Step, said: Vec<String>, limit: Limit) -> CheckAnswer {
    let why = format!("{}: {}", step.name(), refusal.text);
    match refusal.kind {
        // Only told of whoever has shown the password.
        Kind::PasswordExpired => CheckAnswer::Expired,
        Kind::Conversation | Kind::Unavailable => CheckAnswer::Unavailable { why, said },
        Kind::Denied | Kind::UnknownUser | Kind::AccountExpired => CheckAnswer::Refused {
            is_known: limit.during(|| uzers::get_user_by_name(user).is_some()),
            why,
            said,
        },
    }
}

/// The user's name as the machine's table of accounts spells it, the names of the groups, and the number. Directories know one account
/// by several names (`ANA`, `ana@corp.example`); to rules of access, processes and kept passwords it is one visitor. Whom
/// the machine does not know keeps the name, and has no groups and no number.
fn account(user: String) -> (String, Vec<String>, Option<u32>) {
    let Some(account) = uzers::get_user_by_name(&user) else {
        return (user, Vec::new(), None);
    };
    let uid = Some(account.uid());
    let Some(user) = account.name().to_str().map(str::to_owned) else {
        return (user, Vec::new(), uid);
    };
    let groups = uzers::get_user_groups(&user, account.primary_group_id()).unwrap_or_default();
    let mut names: Vec<String> = groups
        .iter()
        .map(|group| group.name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names.dedup();
    (user, names, uid)
}
