//! What the manifests of a directory ask for. A manifest that can not be used leaves the last good one of its file in
//! force; one that was removed asks for nothing any more.

use std::collections::BTreeMap;

use crate::api::Manifest;

/// A file as it was found: its name, and its text or why that can not be read.
pub type Found = (String, Result<String, String>);

/// The manifests that are in force.
#[derive(Debug, Default)]
pub struct Book {
    files: BTreeMap<String, Page>,
}

/// One file.
#[derive(Debug, Default)]
struct Page {
    /// What was read last, so that the same is not parsed and reported again.
    text: Option<Result<String, String>>,
    manifest: Option<Manifest>,
    fault: Option<String>,
}

/// What a look at the directory came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Turned {
    /// Whether something else is in force than before.
    pub changed: bool,
    /// Faults that are new, each a sentence.
    pub faults: Vec<String>,
    /// Files whose fault is gone.
    pub mended: Vec<String>,
}

impl Book {
    /// Takes over what a look at the directory found; `show` gives the path by which a sentence names a file.
    pub fn turn(&mut self, found: Vec<Found>, show: impl Fn(&str) -> String) -> Turned {
        let mut turned = Turned::default();
        self.files.retain(|name, page| {
            let stays = found.iter().any(|(found, _)| found == name);
            turned.changed |= !stays && page.manifest.is_some();
            stays
        });
        for (name, text) in found {
            let page = self.files.entry(name.clone()).or_default();
            // What was refused is tried again: another file may have given up the name.
            if page.text.as_ref() == Some(&text) && page.fault.is_none() {
                continue;
            }
            page.text = Some(text.clone());
            let file = show(&name);
            let read = match text {
                Ok(text) => crate::api::parse_manifest(&text, &file).map_err(|error| error.to_string()),
                Err(problem) => Err(format!("{file}: {problem}")),
            };
            self.put(&name, read, &show, &mut turned);
        }
        turned
    }

    fn put(
        &mut self,
        name: &str,
        read: Result<Manifest, String>,
        show: &impl Fn(&str) -> String,
        turned: &mut Turned,
    ) {
        let read = read.and_then(|manifest| match self.holder(name, &manifest) {
            None => Ok(manifest),
            Some(other) => Err(format!(
                "{}: {} '{}' is in {} already; rename one of them or remove it",
                show(name),
                manifest.id().0,
                manifest.id().1,
                show(&other)
            )),
        });
        let Some(page) = self.files.get_mut(name) else {
            return;
        };
        match read {
            Ok(manifest) => {
                if page.fault.take().is_some() {
                    turned.mended.push(name.to_owned());
                }
                turned.changed |= page.manifest.as_ref() != Some(&manifest);
                page.manifest = Some(manifest);
            }
            Err(fault) => {
                if page.fault.as_ref() != Some(&fault) {
                    turned.faults.push(fault.clone());
                }
                page.fault = Some(fault);
            }
        }
    }

    /// Another file that has the same kind and name in force.
    fn holder(&self, name: &str, manifest: &Manifest) -> Option<String> {
        let mut others = self.files.iter().filter(|(other, _)| other.as_str() != name);
        let same = |page: &Page| {
            page.manifest
                .as_ref()
                .is_some_and(|held| held.id() == manifest.id())
        };
        others
            .find(|(_, page)| same(page))
            .map(|(other, _)| other.clone())
    }

    /// What is in force, by file name.
    pub fn manifests(&self) -> impl Iterator<Item = (&str, &Manifest)> {
        self.files
            .iter()
            .filter_map(|(name, page)| Some((name.as_str(), page.manifest.as_ref()?)))
    }

    /// What is wrong at present, by file name.
    pub fn faults(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .filter_map(|(name, page)| Some((name.as_str(), page.fault.as_deref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: &str =
        "apiVersion: offhost.dev/v1alpha1\nkind: ContentApp\nmetadata:\n  name: NAME\nspec: {}\n";

    fn app(name: &str) -> Result<String, String> {
        Ok(APP.replace("NAME", name))
    }

    fn turn(book: &mut Book, files: &[(&str, Result<String, String>)]) -> Turned {
        let found = files
            .iter()
            .map(|(name, text)| ((*name).to_owned(), text.clone()));
        book.turn(found.collect(), |name| format!("content.d/{name}"))
    }

    fn in_force(book: &Book) -> Vec<String> {
        book.manifests()
            .map(|(file, manifest)| format!("{file} {}", manifest.id().1))
            .collect()
    }

    #[test]
    fn a_broken_manifest_keeps_the_last_good_one_in_force() {
        let mut book = Book::default();
        assert!(turn(&mut book, &[("a.yaml", app("one"))]).changed);
        let broken = APP
            .replace("NAME", "one")
            .replace("spec: {}", "spec: {pathh: /x}");
        let turned = turn(&mut book, &[("a.yaml", Ok(broken.clone()))]);
        assert!(!turned.changed);
        assert_eq!(turned.faults.len(), 1);
        assert!(
            turned.faults[0].starts_with("content.d/a.yaml:5: unknown key 'pathh'"),
            "{}",
            turned.faults[0]
        );
        assert_eq!(in_force(&book), ["a.yaml one"]);
        // Reported once.
        assert_eq!(turn(&mut book, &[("a.yaml", Ok(broken))]), Turned::default());
        assert_eq!(book.faults().count(), 1);
        let mended = turn(&mut book, &[("a.yaml", app("one"))]);
        assert_eq!(mended.mended, ["a.yaml"]);
        assert!(!mended.changed, "it is what was in force all the time");
        assert!(turn(&mut book, &[]).changed);
        assert!(in_force(&book).is_empty());
    }

    #[test]
    fn a_file_that_can_not_be_read_is_a_broken_one() {
        let mut book = Book::default();
        turn(&mut book, &[("a.yaml", app("one"))]);
        let turned = turn(
            &mut book,
            &[("a.yaml", Err("permission denied; run chmod on it".to_owned()))],
        );
        assert_eq!(
            turned.faults,
            ["content.d/a.yaml: permission denied; run chmod on it"]
        );
        assert_eq!(in_force(&book), ["a.yaml one"]);
    }

    #[test]
    fn a_name_belongs_to_the_file_that_had_it_first() {
        let mut book = Book::default();
        turn(&mut book, &[("b.yaml", app("one"))]);
        let turned = turn(&mut book, &[("a.yaml", app("one")), ("b.yaml", app("one"))]);
        assert_eq!(
            turned.faults,
            [
                "content.d/a.yaml: ContentApp 'one' is in content.d/b.yaml already; rename one of them or remove it"
            ]
        );
        assert_eq!(in_force(&book), ["b.yaml one"]);
        let turned = turn(&mut book, &[("a.yaml", app("one"))]);
        assert!(turned.changed);
        assert_eq!(in_force(&book), ["a.yaml one"]);
    }
}
