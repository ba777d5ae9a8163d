//! What was found in an image, and the entry of `runtimes.yaml` that says so (EX7). Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use thiserror::Error;

use super::answer;
use super::{ImageMatching, Installation, LanguageName, Runtime};

/// Looks for interpreters inside of the image.
pub(super) const SCRIPT: &str = include_str!("probe_image.sh");
/// Before what the script itself says.
const MARK: &str = "=offhost= ";

/// What was found in an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// The image with its interpreters.
    pub runtime: Runtime,
    /// What was left out, one sentence each.
    pub left_out: Vec<String>,
}

/// Why there is no entry for an image.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ImageProblem {
    /// A name that is no image's.
    #[error("'{0}' is not an image reference; write one such as registry.example.com/name:tag")]
    Name(String),
    /// The answer has no end.
    #[error("the look into '{0}' was broken off; try again")]
    BrokenOff(String),
    /// No interpreter.
    #[error(
        "'{0}' has no R, Python, Quarto or Node.js in /opt/LANGUAGE/VERSION or on its PATH that other accounts than root can \
         start; write its entry by hand if it has one elsewhere"
    )]
    Empty(String),
}

/// Whether a text can be given to a program as the name of an image: it is no option, and one word.
///
/// # Errors
/// [`ImageProblem::Name`].
pub(super) fn check_name(image: &str) -> Result<(), ImageProblem> {
    let is_name = image.starts_with(|c: char| c.is_ascii_alphanumeric())
        && image.bytes().all(|byte| byte.is_ascii_graphic());
    is_name
        .then_some(())
        .ok_or_else(|| ImageProblem::Name(image.to_owned()))
}

/// Reads what the script said of an image. Of one version the first stays.
///
/// # Errors
/// [`ImageProblem::BrokenOff`], [`ImageProblem::Empty`].
pub(super) fn read(image: &str, said: &str) -> Result<Probed, ImageProblem> {
    let mut installations: BTreeMap<LanguageName, Vec<Installation>> = BTreeMap::new();
    let mut left_out = Vec::new();
    let mut is_done = false;
    for part in parts(said) {
        let found = match part {
            Part::Done => {
                is_done = true;
                continue;
            }
            Part::Closed(language, path) => Err(format!(
                "{path} is left out: other accounts than root can not start this {}",
                language.label()
            )),
            Part::Said(language, path, is_own, said) => found(language, path, is_own, said),
        };
        match found {
            Ok((language, installation)) => {
                let of_language = installations.entry(language).or_default();
                let is_known = |one: &Installation| one.version == installation.version;
                if !of_language.iter().any(is_known) {
                    of_language.push(installation);
                }
            }
            Err(sentence) => left_out.push(sentence),
        }
    }
    if !is_done {
        return Err(ImageProblem::BrokenOff(image.to_owned()));
    }
    if installations.is_empty() {
        return Err(ImageProblem::Empty(image.to_owned()));
    }
    let runtime = Runtime {
        name: image.to_owned(),
        title: None,
        description: None,
        matching: ImageMatching::Any,
        supervisor: Vec::new(),
        installations,
        volume_mounts: Vec::new(),
    };
    Ok(Probed { runtime, left_out })
}

fn found(
    language: LanguageName,
    path: &str,
    is_own: bool,
    said: &str,
) -> Result<(LanguageName, Installation), String> {
    let answer = if is_own {
        answer::read_own(said)
    } else {
        answer::read(language, said)
    };
    let answer = answer.map_err(|said| {
        let label = language.label();
        format!("{path} is left out: asked for its version as {label}, it said '{said}'")
    })?;
    let installation = Installation {
        version: answer.version.to_string(),
        path: path.to_owned(),
    };
    Ok((language, installation))
}

/// One piece of what the script says.
enum Part<'a> {
    /// An executable, whether it was asked by its own words, and its answer.
    Said(LanguageName, &'a str, bool, &'a str),
    /// An executable that can not be started.
    Closed(LanguageName, &'a str),
    Done,
}

fn parts(said: &str) -> impl Iterator<Item = Part<'_>> {
    let pieces = said.split(MARK).skip(1);
    pieces.filter_map(|piece| {
        let (words, rest) = piece.split_once('\n').unwrap_or((piece, ""));
        let mut words = words.splitn(3, ' ');
        let kind = words.next()?;
        if kind == "done" {
            return Some(Part::Done);
        }
        let language = match words.next()? {
            "r" => LanguageName::R,
            "python" => LanguageName::Python,
            "quarto" => LanguageName::Quarto,
            "nodejs" => LanguageName::Nodejs,
            _ => return None,
        };
        let path = words.next()?;
        match kind {
            "begin" => Some(Part::Said(language, path, false, rest)),
            "own" => Some(Part::Said(language, path, true, rest)),
            "closed" => Some(Part::Closed(language, path)),
            _ => None,
        }
    })
}

/// The entry of `runtimes.yaml`, as it stands below `images:`.
#[must_use]
pub fn entry(runtime: &Runtime) -> String {
    let mut text = format!("  - name: {}\n", scalar(&runtime.name));
    for (language, installations) in &runtime.installations {
        let key = match language {
            LanguageName::R => "r",
            LanguageName::Python => "python",
            LanguageName::Quarto => "quarto",
            LanguageName::Nodejs => "nodejs",
            LanguageName::Tensorflow => "tensorflow",
        };
        // Writing to a string can not fail.
        let _ = write!(text, "    {key}:\n      installations:\n");
        for one in installations {
            let (version, path) = (scalar(&one.version), scalar(&one.path));
            let _ = writeln!(text, "        - version: {version}\n          path: {path}");
        }
    }
    text
}

/// A text as YAML reads it: in quotes where it would be something else.
fn scalar(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._/+-@:".contains(c);
    if text.chars().all(is_plain)
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/')
        && !text.ends_with(':')
    {
        return text.to_owned();
    }
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "=offhost= begin r /opt/R/4.4.3/bin/R
R version 4.4.3 (2025-02-28) -- \"Trophy Case\"
Copyright (C) 2025

=offhost= end 0
=offhost= own r /opt/R/devel/bin/R
4.6.0
=offhost= end 0
=offhost= begin r /usr/bin/R
R version 4.4.3 (2025-02-28) -- \"Trophy Case\"

=offhost= end 0
=offhost= closed python /opt/python/3.11.9/bin/python3
=offhost= begin python /opt/a b: #/bin/python3
3.10.4
/opt/a b: #/bin/python3.10

=offhost= end 0
=offhost= begin quarto /usr/bin/quarto

=offhost= end 127
=offhost= begin nodejs /usr/bin/node
v22.11.0

=offhost= end 0
=offhost= done
";

    /// Proves: EX7 (P)
    #[test]
    fn what_an_image_says_becomes_an_entry_that_can_be_read() {
        let probed = read("registry.example.com/content:r4", SAID).unwrap();
        let text = entry(&probed.runtime);
        assert_eq!(
            text,
            "  - name: registry.example.com/content:r4
    r:
      installations:
        - version: 4.4.3
          path: /opt/R/4.4.3/bin/R
        - version: 4.6.0
          path: /opt/R/devel/bin/R
    python:
      installations:
        - version: 3.10.4
          path: \"/opt/a b: #/bin/python3\"
    nodejs:
      installations:
        - version: 22.11.0
          path: /usr/bin/node
"
        );
        let again = super::super::parse(&format!("images:\n{text}"), "runtimes.yaml").unwrap();
        assert_eq!(again.runtimes, [probed.runtime]);
        assert_eq!(
            probed.left_out,
            [
                "/opt/python/3.11.9/bin/python3 is left out: other accounts than root can not start this Python",
                "/usr/bin/quarto is left out: asked for its version as Quarto, it said ''"
            ]
        );
    }

    /// Proves: EX7 (P)
    #[test]
    fn an_image_without_interpreters_and_half_an_answer_are_refused() {
        let empty = read("i", "=offhost= done\n").unwrap_err().to_string();
        assert!(empty.starts_with("'i' has no R"), "{empty}");
        let half = SAID.trim_end().trim_end_matches("=offhost= done");
        assert_eq!(read("i", half), Err(ImageProblem::BrokenOff("i".to_owned())));
        for bad in ["", "-v", "--privileged", "a b", "a\nb", "ä"] {
            assert_eq!(check_name(bad), Err(ImageProblem::Name(bad.to_owned())));
        }
        assert_eq!(check_name("r-base@sha256:12"), Ok(()));
    }
}
