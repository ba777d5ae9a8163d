//! Just enough of Rust's grammar to look for a word in code alone: comments, literals and tests are taken out.

/// The source with the insides of comments and literals blanked. Lines stay where they are.
pub(super) fn blanked(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = skipped(bytes, at, out.last().copied());
        if end == at {
            out.push(bytes[at]);
            at += 1;
        } else {
            out.extend(
                bytes[at..end]
                    .iter()
                    .map(|byte| if *byte == b'\n' { b'\n' } else { b' ' }),
            );
            at = end;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Where the comment or literal that begins here ends; `at` itself if none does.
fn skipped(bytes: &[u8], at: usize, before: Option<u8>) -> usize {
    let rest = &bytes[at..];
    let in_word = before.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if rest.starts_with(b"//") {
        return at + position(rest, b"\n").unwrap_or(rest.len());
    }
    if rest.starts_with(b"/*") {
        return at + block_comment(rest);
    }
    if !in_word {
        let prefix = rest
            .iter()
            .take_while(|byte| matches!(byte, b'b' | b'c' | b'r'))
            .count();
        let hashes = rest[prefix..].iter().take_while(|byte| **byte == b'#').count();
        let raw = rest[..prefix].contains(&b'r');
        if raw && rest.get(prefix + hashes) == Some(&b'"') {
            let close = [b"\"", "#".repeat(hashes).as_bytes()].concat();
            let start = prefix + hashes + 1;
            return at + position(&rest[start..], &close).map_or(rest.len(), |end| start + end + close.len());
        }
    }
    match rest {
        [b'"', ..] => at + quoted(rest, b'"'),
        // A lifetime has no closing quote.
        [b'\'', b'\\', ..] | [b'\'', _, b'\'', ..] => at + quoted(rest, b'\''),
        [b'\'', first, ..] if !first.is_ascii() => at + quoted(rest, b'\''),
        _ => at,
    }
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn block_comment(bytes: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn quoted(bytes: &[u8], close: u8) -> usize {
    let mut at = 1;
    while at < bytes.len() && bytes[at] != close {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

/// One source file without its tests.
#[derive(Debug, Default)]
pub(super) struct Product {
    /// Number (from 1) and text of each line that is no part of a test.
    pub(super) lines: Vec<(usize, String)>,
    /// Names of the modules, or of their files, that are declared for tests alone.
    pub(super) test_modules: Vec<String>,
}

/// Takes out what stands under `#[cfg(test)]`. Relies on rustfmt's layout: an item ends with a closing line at its own
/// indentation.
pub(super) fn without_tests(source: &str) -> Product {
    let mut product = Product::default();
    let mut lines = (1..).zip(source.lines());
    while let Some((number, line)) = lines.next() {
        if !line.trim_start().starts_with("#[cfg(test)]") {
            product.lines.push((number, line.to_owned()));
            continue;
        }
        let indentation = &line[..line.len() - line.trim_start().len()];
        let is_end = |line: &str| {
            line.strip_prefix(indentation)
                .is_some_and(|rest| matches!(rest, "}" | "};" | ");" | "]" | "];" | "},"))
        };
        let mut file = None;
        for (_, line) in lines.by_ref() {
            let item = line.trim();
            if let Some(path) = item.strip_prefix("#[path = \"") {
                file = path.split(".rs").next();
            }
            if item.starts_with("#[") || item.starts_with("//") {
                continue;
            }
            if let Some(name) = item.trim_end_matches(';').split("mod ").nth(1) {
                product
                    .test_modules
                    .push(file.unwrap_or_else(|| name.trim_end_matches(" {")).to_owned());
            }
            if item.ends_with(';') || item.ends_with(',') || item.ends_with('}') || is_end(line) {
                break;
            }
            // The item goes on: everything up to its closing line belongs to it.
            for (_, line) in lines.by_ref() {
                if is_end(line) {
                    break;
                }
            }
            break;
        }
    }
    product
}

/// Whether the code has this path or word, not as a part of a longer one.
pub(super) fn has_word(code: &str, word: &str) -> bool {
    let part = |letter: Option<char>| letter.is_some_and(|c| c.is_alphanumeric() || c == '_');
    code.match_indices(word).any(|(at, _)| {
        let starts =
            !word.starts_with(|c: char| c.is_alphanumeric()) || !part(code[..at].chars().next_back());
        starts && !part(code[at + word.len()..].chars().next())
    })
}

/// `use std::{env, path::Path}` written out as `std::env` and `std::path::Path`, so that a grouped import hides nothing.
pub(super) fn imports(code: &str) -> Vec<String> {
    let mut all = Vec::new();
    for piece in code.split(';') {
        let Some((_, tree)) = piece.rsplit_once("use ") else {
            continue;
        };
        let tree: String = tree.split_whitespace().collect();
        expand("", &tree, &mut all);
    }
    all
}

fn expand(prefix: &str, tree: &str, all: &mut Vec<String>) {
    let Some((head, group)) = tree.split_once('{') else {
        all.push(format!("{prefix}{tree}"));
        return;
    };
    let prefix = format!("{prefix}{head}");
    let (mut depth, mut start) = (0_i32, 0);
    let group = group.strip_suffix('}').unwrap_or(group);
    for (at, letter) in group.char_indices().chain([(group.len(), ',')]) {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if start < at {
                    expand(&prefix, &group[start..at], all);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}

#[test]
fn comments_and_literals_are_blanked() {
    let source = "a /* b /* c */ d */ \"e \\\" f\" r#\"g \" h\"# 'i' '\\'' b\"j\" &'k l // m\nn";
    let words: Vec<String> = blanked(source).split_whitespace().map(str::to_owned).collect();
    assert_eq!(words, ["a", "b", "&'k", "l", "n"]);
}

#[test]
fn tests_are_taken_out() {
    let source = "fn a() {\n}\n#[cfg(test)]\n#[path = \"a_tests.rs\"]\nmod more;\n#[cfg(test)]\nmod tests {\n    fn b() {\n    }\n}\n#[cfg(test)]\nmod other;\nfn c() {}\n";
    let product = without_tests(source);
    let lines: Vec<&str> = product.lines.iter().map(|(_, line)| line.as_str()).collect();
    assert_eq!(lines, ["fn a() {", "}", "fn c() {}"]);
    assert_eq!(product.test_modules, ["a_tests", "tests", "other"]);
}

#[test]
fn grouped_imports_are_written_out() {
    let found = imports("use std::{\n    env, path::{Path, PathBuf},\n};\npub use super::x;");
    assert_eq!(
        found,
        ["std::env", "std::path::Path", "std::path::PathBuf", "super::x"]
    );
}

#[test]
fn words_are_whole() {
    assert!(has_word("let a = std::fs::read(x)", "std::fs"));
    assert!(!has_word("let a = std::fsx::read(x)", "std::fs"));
    assert!(!has_word("my_libc::x", "libc"));
    assert!(has_word("a.unwrap()", ".unwrap()"));
}
