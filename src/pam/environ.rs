//! Which variables of a PAM session reach the process (PM1).

use std::collections::{BTreeMap, BTreeSet};

/// Would change which code is loaded, into the interpreter or into whatever it starts.
const REFUSED_PREFIXES: [&str; 4] = ["LD_", "GLIBC_", "OFFHOST_", "CONNECT_"];
const REFUSED: [&str; 7] = [
    "BASH_ENV",
    "ENV",
    "GCONV_PATH",
    "IFS",
    "LOCPATH",
    "MALLOC_TRACE",
    "NLSPATH",
];
/// A variable may be this long, name and all,
const MOST_BYTES: usize = 32 << 10;
/// there may be this many,
const MOST_VARIABLES: usize = 256;
/// and all together may be this long.
const MOST_TOTAL: usize = 256 << 10;

/// An environment, and what was left out of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Merged {
    /// `NAME=value`.
    pub(super) env: Vec<String>,
    /// Names that were left out.
    pub(super) left_out: Vec<String>,
}

/// Adds the session's variables to the process's. What the process has already stays, unless it comes from the server's own
/// environment (`inherited`): the session is the account's, the server's environment is nobody's.
pub(super) fn merge(own: &[String], session: &[Vec<u8>], inherited: &[String]) -> Merged {
    let name_of = |line: &str| line.split_once('=').map_or(line, |(name, _)| name).to_owned();
    let owned: BTreeSet<String> = own.iter().map(|line| name_of(line)).collect();
    let mut added: BTreeMap<String, String> = BTreeMap::new();
    let mut left_out = Vec::new();
    let mut total = 0;
    for line in session {
        let Some((name, line)) = variable(line) else {
            left_out.push("one that is no text".to_owned());
            continue;
        };
        if owned.contains(name) && !inherited.iter().any(|other| other == name) {
            continue;
        }
        if name == "PATH" || is_refused(name) || line.len() > MOST_BYTES {
            left_out.push(name.chars().take(64).collect());
            continue;
        }
        total += line.len();
        if total > MOST_TOTAL || added.len() >= MOST_VARIABLES {
            left_out.push("more than there may be".to_owned());
            break;
        }
        // The last of several is the one in force, as with putenv.
        added.insert(name.to_owned(), line.to_owned());
    }
    let kept = own
        .iter()
        .filter(|line| !added.contains_key(&name_of(line)))
        .cloned();
    let env = kept.chain(added.values().cloned()).collect();
    Merged { env, left_out }
}

/// The name and the whole of a variable, if it is one.
fn variable(line: &[u8]) -> Option<(&str, &str)> {
    let line = std::str::from_utf8(line).ok()?;
    let (name, _) = line.split_once('=')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_name =
        !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(plain);
    is_name.then_some((name, line))
}

fn is_refused(name: &str) -> bool {
    REFUSED.contains(&name) || REFUSED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(own: &[&str], session: &[&str], inherited: &[&str]) -> Merged {
        let texts = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        let session: Vec<Vec<u8>> = session.iter().map(|line| line.as_bytes().to_vec()).collect();
        merge(&texts(own), &session, &texts(inherited))
    }

    /// Proves: PM1 (L)
    #[test]
    fn variables_of_the_session_are_added() {
        let merged = merged(
            &["HOME=/home/x"],
            &["KRB5CCNAME=FILE:/tmp/krb5cc_7", "EMPTY=", "A=b=c"],
            &[],
        );
        assert_eq!(
            merged.env,
            ["HOME=/home/x", "A=b=c", "EMPTY=", "KRB5CCNAME=FILE:/tmp/krb5cc_7"]
        );
        assert!(merged.left_out.is_empty());
    }

    /// Proves: PM1 (L)
    #[test]
    fn what_the_process_has_of_its_own_stays() {
        let own = ["HOME=/home/x", "TMPDIR=/tmp/y", "TZ=UTC"];
        let merged = merged(&own, &["HOME=/root", "TMPDIR=/evil", "TZ=Europe/Berlin"], &["TZ"]);
        assert_eq!(merged.env, ["HOME=/home/x", "TMPDIR=/tmp/y", "TZ=Europe/Berlin"]);
    }

    /// Proves: PM1 (L)
    #[test]
    fn nothing_changes_which_code_is_loaded() {
        let session = [
            "LD_PRELOAD=/tmp/evil.so",
            "LD_LIBRARY_PATH=/tmp",
            "GLIBC_TUNABLES=glibc.malloc.check=1",
            "BASH_ENV=/tmp/evil",
            "PATH=/tmp",
            "OFFHOST_SERVER_DATADIR=/",
            "=x",
            "1A=x",
            "A B=x",
            "noequals",
        ];
        let merged = merged(&["PATH=/usr/bin"], &session, &["PATH"]);
        assert_eq!(merged.env, ["PATH=/usr/bin"]);
        assert_eq!(merged.left_out.len(), session.len());
    }

    #[test]
    fn it_is_bounded() {
        let long = format!("LONG={}", "x".repeat(MOST_BYTES));
        let mut session = vec![long.into_bytes(), b"BAD=\xff".to_vec()];
        session.extend((0..10_000).map(|number| format!("N{number}=x").into_bytes()));
        let merged = merge(&[], &session, &[]);
        assert_eq!(merged.env.len(), MOST_VARIABLES);
        assert_eq!(
            merged.left_out,
            ["LONG", "one that is no text", "more than there may be"]
        );
        let session: Vec<_> = (0..100)
            .map(|number| format!("N{number}={}", "x".repeat(30_000)).into_bytes())
            .collect();
        assert!(
            merge(&[], &session, &[])
                .env
                .iter()
                .map(String::len)
                .sum::<usize>()
                <= MOST_TOTAL
        );
    }
}
