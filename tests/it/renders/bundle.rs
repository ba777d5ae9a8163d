//! Texts of bundles, and archives of them.

use std::path::Path;

use flate2::{Compression, write::GzEncoder};

/// A document that shows the values of R expressions, each as `[EXPRESSION: VALUE]`, and a plot.
pub(crate) fn document(header: &str, expressions: &[&str]) -> String {
    let shown: Vec<String> = expressions
        .iter()
        .map(|expression| {
            let text = expression.replace('"', "'");
            format!("cat(\"[{text}: \", format({expression}), \"]\\n\", sep = \"\")")
        })
        .collect();
    format!(
        "---\ntitle: Shown\n{header}\n---\n\n```{{r, echo=FALSE, comment=NA}}\n{}\n```\n",
        shown.join("\n")
    )
}

/// A lock as renv writes it: name, version, and the packages that one needs.
pub(crate) fn renv_lock(packages: &[(&str, &str, &[&str])]) -> String {
    let packages: serde_json::Map<_, _> = packages
        .iter()
        .map(|(name, version, needs)| {
            let package = serde_json::json!({
                "Package": name, "Version": version, "Source": "Repository", "Repository": "CRAN",
                "Requirements": needs,
            });
            ((*name).to_owned(), package)
        })
        .collect();
    serde_json::json!({"R": {"Version": "4.2.2", "Repositories": []}, "Packages": packages}).to_string()
}

/// A lock as packrat writes it.
pub(crate) fn packrat_lock(name: &str, version: &str) -> String {
    format!(
        "PackratFormat: 1.4\nPackratVersion: 0.9.0\nRVersion: 4.2.2\nRepos: CRAN=https://packages.example.com/cran\n\n\
         Package: {name}\nSource: CRAN\nVersion: {version}\nHash: a555924add98c99d2f411e37e7d25e9f\n"
    )
}

/// The package `witness`: R code outside functions runs when a package is built.
pub(crate) fn witness() -> Vec<u8> {
    let files = [
        (
            "DESCRIPTION",
            "Package: witness\nVersion: 1.0\nTitle: Remembers Its Installation\nDescription: Made for a test.\n\
             Author: Test\nMaintainer: Test <test@example.com>\nLicense: GPL-3\nEncoding: UTF-8\n",
        ),
        ("NAMESPACE", "export(account, config)\n"),
        (
            "R/code.R",
            "account <- Sys.info()[['user']]\nconfig <- Sys.getenv('R_CONFIG_ACTIVE', 'unset')\n",
        ),
    ];
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        // R's own reader of archives knows the types of POSIX alone.
        header.set_entry_type(tar::EntryType::Regular);
        archive
            .append_data(&mut header, format!("witness/{name}"), text.as_bytes())
            .expect("a file is added");
    }
    let zipped = archive.into_inner().expect("the archive ends");
    zipped.finish().expect("the compression ends")
}

/// Packs the files of a directory into `archive`, as the publishing clients do: names without a directory in front.
pub(crate) fn pack(directory: &Path, archive: &Path) {
    let file = std::fs::File::create(archive).expect("an archive can be made");
    let mut builder = tar::Builder::new(GzEncoder::new(file, Compression::fast()));
    builder
        .append_dir_all("", directory)
        .expect("the directory is packed");
    let zipped = builder.into_inner().expect("the archive ends");
    zipped.finish().expect("the compression ends");
}
