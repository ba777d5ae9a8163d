//! What the pages show: their commands are the program's, their settings can be read. Their job files are
//! `job_reference`'s.

use clap::Parser;
use clap::error::ErrorKind;
use offhost::cli::Cli;
use offhost::reason::Reason;
use offhost::settings::gcfg;

use crate::repository::{files, text};

/// A block of a page between fences.
#[derive(Debug)]
struct Block {
    page: String,
    line: usize,
    language: String,
    text: String,
}

/// The blocks of all pages that people read.
fn blocks(language: &str) -> Vec<Block> {
    let pages = files("").into_iter().filter(|path| path.ends_with(".md"));
    pages
        .flat_map(|page| blocks_of(&page))
        .filter(|block| block.language == language)
        .collect()
}

fn blocks_of(page: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut is_open = false;
    for (number, line) in (1..).zip(text(page).lines()) {
        match line.strip_prefix("```") {
            Some(_) if is_open => is_open = false,
            Some(language) => {
                is_open = true;
                found.push(Block {
                    page: page.to_owned(),
                    line: number,
                    language: language.to_owned(),
                    text: String::new(),
                });
            }
            None if is_open => {
                let block = found.last_mut().expect("one is open");
                block.text += line;
                block.text.push('\n');
            }
            None => {}
        }
    }
    found
}

/// The words after the program's name, if the line runs the program; without a comment and redirections.
fn arguments(line: &str) -> Option<Vec<String>> {
    let line = line.split(" #").next().unwrap_or_default();
    let line = line.split(['|', '<', '>']).next().unwrap_or_default();
    let mut words = line.split_whitespace().map(|word| word.trim_matches('"'));
    let program = words.next()?;
    let is_program = ["offhost", "$offhost"].contains(&program)
        || (program.ends_with("/offhost") && !program.contains('='));
    is_program.then(|| {
        std::iter::once("offhost")
            .chain(words)
            .map(str::to_owned)
            .collect()
    })
}

#[test]
fn commands_on_pages_are_commands_of_the_program() {
    let mut count = 0;
    for block in blocks("sh") {
        for line in block.text.lines() {
            let Some(words) = arguments(line) else { continue };
            count += 1;
            let Err(error) = Cli::try_parse_from(&words) else {
                continue;
            };
            assert_eq!(
                error.kind(),
                ErrorKind::DisplayHelp,
                "{}:{}: {line}\n{error}",
                block.page,
                block.line
            );
        }
    }
    assert!(count > 15, "pages show how the program is used: {count}");
}

#[test]
fn settings_on_pages_can_be_read() {
    let settings = blocks("ini");
    assert!(!settings.is_empty());
    for block in settings {
        let place = format!("{}:{}", block.page, block.line);
        gcfg::parse(block.text.as_bytes(), &place).unwrap_or_else(|error| panic!("{error}"));
    }
}

/// Messages of the page are looked for by what does not change in them. Sources break long ones over lines.
#[test]
fn messages_on_the_page_are_messages_of_the_program() {
    let sources: Vec<String> = ["src", "runtime"]
        .into_iter()
        .flat_map(files)
        .map(|path| {
            let text = text(&path).replace("\\\"", "\"");
            let lines: Vec<&str> = text
                .lines()
                .map(|line| line.trim().trim_end_matches('\\'))
                .collect();
            lines.concat()
        })
        .collect();
    let page = text("docs/troubleshooting.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let mut count = 0;
    for row in rows {
        let message = row.split('`').next().unwrap_or_default();
        for part in message.split('…').filter(|part| part.trim().len() > 4) {
            count += 1;
            assert!(
                sources.iter().any(|source| source.contains(part)),
                "no source says {part:?}"
            );
        }
    }
    assert!(count > 20, "{count}");
}

/// Every reason that an application may not be served for, and every page that the gateway has, is explained.
#[test]
fn what_visitors_and_administrators_meet_is_explained() {
    let page = text("docs/troubleshooting.md");
    let section = page.split("\n## Applications\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows: Vec<&str> = section
        .lines()
        .filter_map(|line| line.strip_prefix("| "))
        .collect();
    let named = |word: &str| {
        rows.iter().any(|row| {
            let cell = row.split(" |").next().unwrap_or_default();
            cell.split(", ").any(|name| name == word)
        })
    };
    let reasons = Reason::ALL.iter().map(|reason| reason.name().to_owned());
    let pages = text("src/gateway/pages/words.rs");
    let titles = pages.lines().filter_map(|line| {
        let (_, title) = line.split_once("title: \"")?;
        title.split_once('"').map(|(title, _)| title.to_owned())
    });
    let missing: Vec<String> = reasons.chain(titles).filter(|name| !named(name)).collect();
    assert!(
        missing.is_empty(),
        "docs/troubleshooting.md does not tell of {missing:?}"
    );
}
