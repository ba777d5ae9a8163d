//! `docs/settings.md`, made from the table.

use std::fmt::Write as _;

use super::{Feeds, Kind, Product, Setting};

const HEAD: &str = "\
# Settings

This page is made from the table in `src/settings/table`; a test holds it to that.

Settings are read from `/etc/rstudio-connect/rstudio-connect.gcfg`, or from the file that `--config` names. A
setting that is marked *checked* is read, checked and shown by `offhost settings`, but finite tasks have no use
for it. Names of sections and keys are read in any case. A repeatable key may be given several times; a line
with the key alone, without `=`, drops the values before it. A key that is not on this page and stands in a
section that is, is an error.

Every setting has a variable that comes before the file. A repeatable setting takes several values from its
variable: one a line, or, in a single line, separated by `:` (tolerations and networks by `,`). An empty variable is an empty
list. `NAME` in a variable is the name of the section in upper case, with `_` for each other sign; a repository
that the file does not have gets the name as it stands in the variable.

Kinds of values: a *switch* is `true`, `yes`, `on`, `1` or `false`, `no`, `off`, `0`; a *duration* is written
`12h`, `1m30s` or `500ms`, and a plain number is nanoseconds; a *size* is written `42`, `5 MB` (millions) or
`5 KiB` (times 1024).
";

/// The page.
#[must_use]
pub fn markdown() -> String {
    let mut page = HEAD.to_owned();
    let products = [
        (Product::Connect, "rstudio-connect.gcfg"),
        (Product::PackageManager, "rstudio-pm.gcfg"),
    ];
    for (product, file) in products {
        let _ = write!(page, "\n## `{file}`\n");
        for section in product.owned_sections() {
            add_section(&mut page, product, section);
        }
        add_known(&mut page, product);
    }
    page
}

fn add_section(page: &mut String, product: Product, section: &str) {
    let settings: Vec<&Setting> = product
        .settings()
        .iter()
        .filter(|s| s.section == section)
        .collect();
    let name = if settings.iter().any(|s| s.named) {
        " \"name\""
    } else {
        ""
    };
    let _ = write!(
        page,
        "\n### `[{section}{name}]`\n\n| Key | Kind | Default | Variable | Meaning |\n|---|---|---|---|---|\n"
    );
    for setting in settings {
        let default = match setting.default {
            "" => String::new(),
            default => format!("`{default}`"),
        };
        let checked = if setting.feeds == Feeds::Checked {
            " *Checked.*"
        } else {
            ""
        };
        let _ = writeln!(
            page,
            "| `{}` | {} | {default} | `{}` | {}{checked} |",
            setting.key,
            kind_words(setting.kind),
            setting.variable(),
            setting.doc
        );
    }
}

fn kind_words(kind: Kind) -> String {
    match kind {
        Kind::Bool => "switch".to_owned(),
        Kind::Count => "whole number".to_owned(),
        Kind::Decimal => "number".to_owned(),
        Kind::Text | Kind::Name => "text".to_owned(),
        Kind::Texts => "text, repeatable".to_owned(),
        Kind::Path => "path".to_owned(),
        Kind::Paths => "path, repeatable".to_owned(),
        Kind::Duration => "duration".to_owned(),
        Kind::Size => "size".to_owned(),
        Kind::Choice(words) => format!("`{}`", words.join("`, `")),
        Kind::Choices(words) => format!("`{}`; repeatable", words.join("`, `")),
        Kind::Command => "command".to_owned(),
        Kind::Object => "name of an object".to_owned(),
        Kind::Objects => "name of an object, repeatable".to_owned(),
        Kind::SubPath => "path inside a volume".to_owned(),
        Kind::Labels => "label, repeatable".to_owned(),
        Kind::Tolerations => "toleration, repeatable".to_owned(),
        Kind::Listen => "address and port".to_owned(),
        Kind::Host => "name of a host".to_owned(),
        Kind::Url => "address of the web".to_owned(),
        Kind::Networks => "network, repeatable".to_owned(),
    }
}

fn add_known(page: &mut String, product: Product) {
    page.push_str("\n### Accepted and left alone\n\n");
    for known in product.known().iter().filter(|known| !known.keys.is_empty()) {
        let _ = writeln!(page, "- `[{}]`: `{}`", known.section, known.keys.join("`, `"));
    }
    let whole: Vec<&str> = product
        .known()
        .iter()
        .filter(|k| k.keys.is_empty())
        .map(|k| k.section)
        .collect();
    let _ = writeln!(page, "- whole sections: `[{}]`", whole.join("]`, `["));
}
