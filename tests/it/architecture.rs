//! Rules of the source tree that no compiler holds.

mod rust;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::repository::{files, text};

/// The files that may hold `unsafe`: system calls, and the calls of the PAM library.
const UNSAFE: [&str; 2] = ["src/exec/sys", "src/bin/offhost-pam/libpam"];
/// Lines that are neither blank nor part of a test.
const MOST_LINES: usize = 350;

/// The pure core. A name stands for the file `NAME.rs`, all below `NAME/`, and `NAME_*.rs`.
const PURE: [&str; 89] = [
    "src/names",
    "src/reason",
    "src/text",
    "src/yaml",
    "src/api",
    "src/apps",
    "src/asked/given",
    "src/asked/owner",
    "src/asked/words",
    "src/audit",
    "src/builds/archive",
    "src/builds/cluster/choice",
    "src/builds/cluster/outcome",
    "src/builds/cluster/plan",
    "src/builds/cluster/work",
    "src/builds/file",
    "src/builds/namespaces",
    "src/builds/next",
    "src/builds/refs",
    "src/builds/source",
    "src/builds/view",
    "src/plan",
    "src/sandbox",
    "src/schedule",
    "src/pod",
    "src/status",
    "src/identity/accounts",
    "src/identity/entries",
    "src/pam/conversation",
    "src/pam/environ",
    "src/pam/library",
    "src/pam/wire",
    "src/settings/build",
    "src/settings/decimal",
    "src/settings/error",
    "src/settings/gcfg",
    "src/settings/layer",
    "src/settings/origin",
    "src/settings/resolve",
    "src/settings/table",
    "src/settings/typed",
    "src/settings/values",
    "src/runtimes/answer",
    "src/runtimes/image",
    "src/runtimes/matching",
    "src/runtimes/parse",
    "src/runtimes/schema",
    "src/runtimes/select",
    "src/runtimes/types",
    "src/runtimes/version",
    "src/runtimes/volumes",
    "src/runtimes/words",
    "src/content/entrypoint",
    "src/content/facts",
    "src/content/files",
    "src/content/form",
    "src/content/front_matter",
    "src/content/infer",
    "src/content/kinds",
    "src/content/literal",
    "src/content/manifest",
    "src/content/notebook",
    "src/content/params",
    "src/content/paths",
    "src/content/python",
    "src/content/r_literal",
    "src/content/r_lock",
    "src/content/r_manifest",
    "src/content/r_packrat",
    "src/content/r_renv",
    "src/content/site",
    "src/content/types",
    "src/content/yaml",
    "src/data/ids",
    "src/data/layout",
    "src/data/translate",
    "src/gateway/form/controls",
    "src/gateway/peers/way",
    "src/gateway/form/multipart",
    "src/visitors",
    "src/gateway/sockjs/address",
    "src/gateway/sockjs/form",
    "src/gateway/sockjs/framing",
    "src/gateway/sockjs/insert",
    "src/gateway/sockjs/json",
    "src/gateway/sockjs/layer",
    "src/gateway/sockjs/numbered",
    "src/gateway/sockjs/protocols",
    "src/gateway/sockjs/talk",
];
/// What pure code does not name: files, environment, processes, network, clock, and the parts that do.
const IMPURE: [&str; 21] = [
    "std::fs",
    "std::env",
    "std::process",
    "std::net",
    "std::io::stdin",
    "std::os",
    "SystemTime",
    "Instant",
    "Timestamp::now",
    "Zoned::now",
    "tokio",
    "kube",
    "rustix",
    "libc",
    "tempfile",
    "uzers",
    "crate::cli",
    "crate::exec",
    "crate::local",
    "super::exec",
    "super::local",
];
/// Methods of `Path` that ask the file system.
const IMPURE_METHODS: [&str; 9] = [
    ".canonicalize()",
    ".exists()",
    ".is_dir()",
    ".is_file()",
    ".is_symlink()",
    ".read_dir()",
    ".read_link()",
    ".symlink_metadata()",
    ".try_exists()",
];

/// The Rust sources of the product, tests taken out: path, and number and text of each line.
fn product() -> BTreeMap<String, Vec<(usize, String)>> {
    let mut sources = BTreeMap::new();
    let mut tests = BTreeSet::new();
    for path in files("src").into_iter().filter(|path| path.ends_with(".rs")) {
        let product = rust::without_tests(&text(&path));
        tests.extend(
            product
                .test_modules
                .iter()
                .flat_map(|name| module_files(&path, name)),
        );
        sources.insert(path, product.lines);
    }
    let is_test = |path: &String| {
        tests
            .iter()
            .any(|test| path == test || path.starts_with(&format!("{test}/")))
    };
    sources.retain(|path, _| !is_test(path));
    sources
}

/// Where a module that `path` declares may be kept: two files, and the directory of its own modules.
fn module_files(path: &str, name: &str) -> [String; 4] {
    let parent = Path::new(path)
        .parent()
        .expect("a source has a directory")
        .display()
        .to_string();
    let own = path.trim_end_matches(".rs");
    [
        format!("{parent}/{name}.rs"),
        format!("{parent}/{name}"),
        format!("{own}/{name}.rs"),
        format!("{own}/{name}"),
    ]
}

/// `path:line: text` of each line for which the check answers, in code alone.
fn lines_where(lines: &[(usize, String)], path: &str, check: impl Fn(&str) -> bool) -> Vec<String> {
    let source: Vec<&str> = lines.iter().map(|(_, line)| line.as_str()).collect();
    let blanked = rust::blanked(&source.join("\n"));
    let found = lines.iter().zip(blanked.lines()).filter(|(_, code)| check(code));
    found
        .map(|((number, line), _)| format!("{path}:{number}: {}", line.trim()))
        .collect()
}

fn is_of(path: &str, module: &str) -> bool {
    path.strip_prefix(module)
        .is_some_and(|rest| rest.starts_with(['.', '/', '_']))
}

fn assert_none(found: &[String], rule: &str) {
    assert!(found.is_empty(), "{rule}\n{}", found.join("\n"));
}

#[test]
fn the_core_is_pure() {
    let sources = product();
    for module in PURE {
        let is_there = sources.keys().any(|path| is_of(path, module));
        assert!(is_there, "{module} is listed as pure and has no source");
    }
    let mut found = Vec::new();
    let is_pure = |path: &str| PURE.iter().any(|module| is_of(path, module));
    for (path, lines) in sources.iter().filter(|(path, _)| is_pure(path)) {
        let impure = |code: &str| {
            IMPURE.iter().any(|word| rust::has_word(code, word))
                || IMPURE_METHODS.iter().any(|method| code.contains(method))
        };
        found.extend(lines_where(lines, path, impure));
        let source: Vec<&str> = lines.iter().map(|(_, line)| line.as_str()).collect();
        let imports = rust::imports(&rust::blanked(&source.join("\n")));
        found.extend(
            imports
                .iter()
                .filter(|import| impure(import))
                .map(|import| format!("{path}: use {import}")),
        );
    }
    assert_none(
        &found,
        "the pure core touches no file, environment, process, network or clock; move this to the code that calls it",
    );
}

#[test]
fn unsafe_code_is_in_one_file_and_says_why_it_is_sound() {
    let mut found = Vec::new();
    for (path, lines) in product() {
        let has_unsafe = |code: &str| rust::has_word(code, "unsafe") || rust::has_word(code, "unsafe_code");
        if !UNSAFE.iter().any(|module| is_of(&path, module)) {
            found.extend(lines_where(&lines, &path, has_unsafe));
            continue;
        }
        let blocks = lines_where(&lines, &path, |code| {
            code.contains("unsafe {") || code.contains("unsafe impl")
        });
        found.extend(blocks.into_iter().filter(|block| {
            let number = block.split(':').nth(1).and_then(|number| number.parse().ok());
            !has_safety_comment(&lines, number.expect("a line has a number"))
        }));
    }
    assert_none(
        &found,
        &format!("unsafe code is in {UNSAFE:?} alone, each block under a SAFETY comment"),
    );
}

/// Whether the comment above this line, or above the statement it stands in, says why it is sound.
fn has_safety_comment(lines: &[(usize, String)], number: usize) -> bool {
    let above = lines.iter().rev().skip_while(|(n, _)| *n > number);
    let mut above = above.map(|(_, line)| line.trim());
    let own = above.next().is_some_and(|line| line.contains("SAFETY:"));
    own || above
        .skip_while(|line| !line.starts_with("//") && !line.ends_with([';', '{', '}']))
        .take_while(|line| line.starts_with("//"))
        .any(|line| line.contains("SAFETY:"))
}

#[test]
fn no_source_is_long() {
    let mut found = Vec::new();
    for (path, lines) in product() {
        let count = lines.iter().filter(|(_, line)| !line.trim().is_empty()).count();
        if count > MOST_LINES {
            found.push(format!("{path}: {count} lines"));
        }
    }
    assert_none(
        &found,
        &format!("a source has at most {MOST_LINES} lines; split it by what it does"),
    );
}

#[test]
fn nothing_is_left_undone() {
    // In pieces, so that this file has none of them.
    let words = [
        ["TO", "DO"],
        ["FIX", "ME"],
        ["X", "XX"],
        ["unimple", "mented!"],
        ["to", "do!"],
        ["#[ig", "nore"],
    ];
    let words = words.map(|pieces| pieces.concat());
    let mut found = Vec::new();
    let directories = ["src", "tests", "scripts", "runtime", "benches", "examples", ".ci"];
    for path in directories
        .into_iter()
        .flat_map(files)
        .chain(["Makefile".to_owned()])
    {
        for (number, line) in (1..).zip(text(&path).lines()) {
            if words.iter().any(|word| rust::has_word(line, word)) {
                found.push(format!("{path}:{number}: {}", line.trim()));
            }
        }
    }
    assert_none(
        &found,
        "do it now, or write it into the issue; a test runs or says that it is skipped",
    );
}

#[test]
fn nothing_names_this_machine_or_a_registry() {
    let hosts = [
        ["py", "pi.org"],
        ["python", "hosted.org"],
        ["r-pro", "ject.org"],
        ["cran.rst", "udio.com"],
        ["packageman", "ager.posit.co"],
        ["packageman", "ager.rstudio.com"],
        ["bioconduc", "tor.org"],
        ["deb.deb", "ian.org"],
        ["index.cra", "tes.io"],
        ["static.cra", "tes.io"],
        ["proxy.gol", "ang.org"],
        ["sum.gol", "ang.org"],
        ["registry.np", "mjs.org"],
        ["/tmp/", "wt/"],
    ];
    let hosts = hosts.map(|pieces| pieces.concat());
    let work = ["/wo", "rk"].concat();
    let mut found = Vec::new();
    for path in files("") {
        for (number, line) in (1..).zip(text(&path).lines()) {
            if hosts.iter().any(|host| line.contains(host.as_str())) || has_absolute(line, &work) {
                found.push(format!("{path}:{number}: {}", line.trim()));
            }
        }
    }
    assert_none(
        &found,
        "a clone works anywhere: use relative paths, example.com, and registries by their clients",
    );
}

/// Whether the line has this path from the root on, not as the end of a longer one.
fn has_absolute(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + path.len()..].chars().next();
        let is_part =
            |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '}' | ')' | '*' | '>' | '~');
        !before.is_some_and(is_part)
            && !after.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
    })
}

#[test]
fn nothing_is_unwrapped() {
    let mut found = Vec::new();
    for (path, lines) in product() {
        found.extend(lines_where(&lines, &path, |code| code.contains(".unwrap()")));
    }
    assert_none(
        &found,
        "give the error to the caller, or `expect` with the reason why it can not happen",
    );
}

#[test]
fn links_between_pages_lead_somewhere() {
    let root = crate::repository::root();
    let mut found = Vec::new();
    for page in files("").into_iter().filter(|path| path.ends_with(".md")) {
        let directory = root
            .join(&page)
            .parent()
            .expect("a page has a directory")
            .to_owned();
        for link in text(&page)
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let file = link.split('#').next().unwrap_or_default();
            let is_outside = file.contains("://") || file.is_empty();
            if !is_outside && !directory.join(file).exists() {
                found.push(format!("{page}: {link}"));
            }
        }
    }
    assert_none(&found, "these links lead nowhere");
}

#[test]
fn paths_from_the_root_are_told_from_ends_of_paths() {
    assert!(has_absolute("cd /home; ls \"/home/x\"", "/home"));
    assert!(!has_absolute("cd $HOME/.x/home ./home /homes", "/home"));
}
