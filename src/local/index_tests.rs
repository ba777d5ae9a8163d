use std::path::Path;

use super::*;
use crate::data::{Deploy, Finish, Variant};
use crate::settings::{LoadOptions, load};
use crate::state::{Address, StateError};

/// A data directory and its database.
struct Place {
    dir: tempfile::TempDir,
    data: DataDir,
    settings: Settings,
    state: State,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open_or_make(&dir.path().join("data")).unwrap();
        let config = dir.path().join("offhost.gcfg");
        std::fs::write(&config, "[Applications]\nRunAs = me\n").unwrap();
        let options = LoadOptions {
            config: Some(config),
            ..LoadOptions::default()
        };
        let state = State::of_data(&Address::Sqlite(dir.path().join("db")), &data).unwrap();
        Self {
            settings: load(options).unwrap().settings,
            dir,
            data,
            state,
        }
    }

    fn index(&self) -> Index<'_> {
        Index {
            data: &self.data,
            settings: &self.settings,
            state: &self.state,
        }
    }

    fn deploy(&self, content: &str, page: &str) -> u64 {
        let tree = self.dir.path().join("tree");
        std::fs::create_dir_all(&tree).unwrap();
        let manifest =
            r#"{"version": 1, "metadata": {"appmode": "static", "primary_html": "index.html"}, "files": {}}"#;
        std::fs::write(tree.join("manifest.json"), manifest).unwrap();
        std::fs::write(tree.join("index.html"), page).unwrap();
        let deployed = Store::new(&self.data).deploy(&Deploy {
            content: &id(content),
            name: content,
            source: Path::new("/somewhere"),
            tree: &tree,
            activate: true,
            job: None,
            now: Timestamp::now(),
        });
        deployed.unwrap().record.bundle
    }

    fn result(&self, content: &str) -> u64 {
        let renders = self.renders(content);
        let rendering = renders.begin(None).unwrap();
        let number = rendering.number();
        std::fs::write(rendering.path().join("index.html"), "x").unwrap();
        let finish = Finish {
            bundle: 1,
            job: "k1",
            site_output_dir: None,
            index: Some(Path::new("index.html")),
            now: Timestamp::now(),
        };
        renders.finish(rendering, &finish).unwrap();
        renders.activate(number).unwrap();
        number
    }

    fn renders(&self, content: &str) -> Renders<'_> {
        Renders::new(&self.data, id(content), Variant::parse("default").unwrap())
    }

    fn known(&self, content: &str) -> Item {
        self.state.item(content).unwrap().unwrap()
    }

    /// The index is what the directory says, anew.
    fn assert_equal(&self, content: &str) {
        let there = observe(&self.data, &self.settings, &id(content), None).unwrap();
        assert_eq!(self.state.item(content).unwrap(), there, "{content}");
    }
}

fn id(content: &str) -> ContentId {
    ContentId::parse(content).unwrap()
}

/// Proves: CN3 (L), RD4 (L)
#[test]
fn the_index_tells_what_is_deployed_made_activated_and_removed() {
    let place = Place::new();
    place.deploy("sales", "one");
    place.index().note(&id("sales")).unwrap();
    let item = place.known("sales");
    assert_eq!((item.name.as_str(), item.run_as.as_str()), ("sales", "me"));
    let bundle = &item.bundles[0];
    assert_eq!(bundle.facts.kind.as_deref(), Some("static"));
    assert!(bundle.active && bundle.facts.bytes > 3 && bundle.facts.manifest.is_some());
    let second = place.deploy("sales", "two");
    let (first_result, last_result) = (place.result("sales"), place.result("sales"));
    place.index().note(&id("sales")).unwrap();
    let active = |item: &Item| {
        let bundles = item.bundles.iter().filter(|bundle| bundle.active);
        let results = item.results.iter().filter(|made| made.active);
        (
            bundles.map(|bundle| bundle.bundle).collect::<Vec<_>>(),
            results.map(|made| made.result).collect::<Vec<_>>(),
        )
    };
    assert_eq!(active(&place.known("sales")), (vec![second], vec![last_result]));
    place.renders("sales").activate(first_result).unwrap();
    Store::new(&place.data).retain_bundles(&id("sales"), 1).unwrap();
    place.index().note(&id("sales")).unwrap();
    assert_eq!(active(&place.known("sales")), (vec![second], vec![first_result]));
    assert_eq!(place.known("sales").bundles.len(), 1);
    Store::new(&place.data).remove(&id("sales")).unwrap();
    place.index().note(&id("sales")).unwrap();
    assert_eq!(place.state.item("sales").unwrap(), None);
}

/// Proves: CN3 (L), RD3 (L)
#[test]
fn an_index_that_is_behind_or_wrong_is_made_right_and_nothing_else_happens() {
    let place = Place::new();
    for content in ["sales", "other", "gone"] {
        place.deploy(content, content);
        place.index().note(&id(content)).unwrap();
    }
    let mut wrong = place.known("other");
    wrong.bundles[0].active = false;
    wrong.results.push(Made {
        variant: "default".to_owned(),
        result: 9,
        bundle: 9,
        job: "k9".to_owned(),
        finished: Timestamp::UNIX_EPOCH,
        bytes: 9,
        active: true,
    });
    place.state.put_item(&wrong).unwrap();
    let number = place.result("sales");
    Store::new(&place.data).remove(&id("gone")).unwrap();
    assert_eq!(place.index().sweep().unwrap(), Vec::<String>::new());
    for content in ["sales", "other", "gone"] {
        place.assert_equal(content);
    }
    assert_eq!(place.renders("sales").active().unwrap(), Some(number));
    assert_eq!(Store::new(&place.data).active(&id("other")).unwrap(), Some(1));
    // A damaged record is told, and hides no other content item.
    std::fs::write(place.data.path(layout::content_record(&id("other"))), "{").unwrap();
    place.deploy("sales", "again");
    let faults = place.index().sweep().unwrap();
    assert!(faults.len() == 1 && faults[0].contains("other"), "{faults:?}");
    place.assert_equal("sales");
}

/// Proves: CN3 (L), RD3 (L)
#[test]
fn a_database_that_is_locked_or_full_changes_no_activation_and_the_index_catches_up() {
    let mut place = Place::new();
    place.deploy("sales", "one");
    place.index().note(&id("sales")).unwrap();
    let before = place.known("sales");
    let address = place.state.address().clone();
    let words = "PRAGMA busy_timeout = 100";
    let whole = std::mem::replace(&mut place.state, State::open_with(&address, words).unwrap());
    let number = place.result("sales");
    {
        let _held = whole.hold();
        let error = place.index().note(&id("sales")).unwrap_err();
        assert!(
            matches!(error, LocalError::State(StateError::Locked { .. })),
            "{error}"
        );
    }
    assert_eq!(place.known("sales"), before, "all of a change or nothing");
    assert_eq!(place.renders("sales").active().unwrap(), Some(number));
    place.index().sweep().unwrap();
    place.assert_equal("sales");
    place.state = State::open_with(&address, "PRAGMA max_page_count = 30").unwrap();
    let before = place.known("sales");
    let full = (0..200).find_map(|_| {
        place.result("sales");
        place.index().note(&id("sales")).err()
    });
    let full = full.unwrap();
    assert!(
        matches!(full, LocalError::State(StateError::Full { .. })),
        "{full}"
    );
    assert!(place.known("sales").results.len() >= before.results.len());
    place.state = whole;
    place.index().sweep().unwrap();
    place.assert_equal("sales");
}

/// Proves: CN3 (L)
#[test]
fn where_the_directory_was_taken_away_nothing_is_forgotten() {
    let place = Place::new();
    place.deploy("sales", "one");
    place.index().note(&id("sales")).unwrap();
    let (path, aside) = (place.data.root().to_owned(), place.dir.path().join("aside"));
    std::fs::rename(&path, &aside).unwrap();
    std::fs::create_dir(&path).unwrap();
    place.index().sweep().unwrap();
    assert!(place.state.item("sales").unwrap().is_some());
    std::fs::remove_dir_all(&path).unwrap();
    std::fs::rename(&aside, &path).unwrap();
    place.index().sweep().unwrap();
    place.assert_equal("sales");
}
