use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

/// One entry: type, path, link target or content, mode.
type Item<'a> = (EntryType, &'a str, &'a str, u32);

const FILE: EntryType = EntryType::Regular;

fn tar_of(items: &[Item<'_>]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (kind, path, text, mode) in items {
        let mut header = tar::Header::new_ustar();
        // Written into the field itself: the builder refuses the paths that are tried here.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(*mode);
        header.set_mtime(1_600_000_000);
        let is_link = matches!(kind, EntryType::Symlink | EntryType::Link);
        if is_link {
            header.as_old_mut().linkname[..text.len()].copy_from_slice(text.as_bytes());
        }
        let content = if is_link { "" } else { text };
        header.set_size(content.len() as u64);
        header.set_cksum();
        builder.append(&header, content.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn try_unpack(bytes: &[u8], limits: Limits) -> (tempfile::TempDir, Result<Unpacked, ArchiveError>) {
    let work = tempfile::tempdir().unwrap();
    let archive = work.path().join("bundle.tar.gz");
    fs::write(&archive, bytes).unwrap();
    fs::create_dir(work.path().join("into")).unwrap();
    let result = unpack(&archive, &work.path().join("into"), limits);
    (work, result)
}

fn refused(bytes: &[u8]) -> String {
    let (work, result) = try_unpack(bytes, Limits::default());
    let message = result.unwrap_err().to_string();
    assert_eq!(
        fs::read_dir(work.path().join("into")).unwrap().count(),
        0,
        "left behind after: {message}"
    );
    message
}

/// Proves: PK9 (L, P)
#[test]
fn an_archive_of_a_client_is_unpacked_with_modes_and_times() {
    let bytes = tar_of(&[
        (EntryType::Directory, "./", "", 0o777),
        (FILE, "manifest.json", "{}", 0o644),
        (EntryType::Directory, "sub/", "", 0o555),
        (FILE, "sub/run.sh", "#!", 0o6755),
        (EntryType::Symlink, "link", "sub/../sub/run.sh", 0o777),
        (EntryType::Symlink, "dangling", "none", 0o777),
        (EntryType::Link, "sub/hard", "manifest.json", 0o644),
    ]);
    for bytes in [gzip(&bytes), bytes] {
        let (work, result) = try_unpack(&bytes, Limits::default());
        assert_eq!(result.unwrap(), Unpacked { entries: 7, bytes: 4 });
        let run = fs::metadata(work.path().join("into/link")).unwrap();
        assert_eq!(
            (run.permissions().mode() & 0o7777, run.mtime()),
            (0o755, 1_600_000_000)
        );
        let sub = fs::metadata(work.path().join("into/sub")).unwrap();
        assert_eq!(
            (sub.permissions().mode() & 0o7777, sub.mtime()),
            (0o755, 1_600_000_000)
        );
        assert_eq!(
            fs::read_to_string(work.path().join("into/sub/hard")).unwrap(),
            "{}"
        );
    }
}

/// Proves: PK9 (L, P)
#[test]
fn a_single_directory_at_the_top_is_taken_away() {
    let bytes = gzip(&tar_of(&[
        (FILE, "top/manifest.json", "{}", 0o644),
        (FILE, "top/top/a", "a", 0o644),
        (EntryType::Symlink, "top/link", "top/a", 0o777),
    ]));
    let (work, result) = try_unpack(&bytes, Limits::default());
    result.unwrap();
    let names: BTreeMap<_, _> = fs::read_dir(work.path().join("into"))
        .unwrap()
        .map(|entry| (entry.as_ref().unwrap().file_name().into_string().unwrap(), ()))
        .collect();
    assert_eq!(
        names.into_keys().collect::<Vec<_>>(),
        ["link", "manifest.json", "top"]
    );
    // Without its top, this link leads out.
    let message = refused(&tar_of(&[
        (FILE, "top/a", "", 0o644),
        (EntryType::Symlink, "top/link", "../top/a", 0o777),
    ]));
    assert!(message.contains("'link' is a link that leads out"), "{message}");
}

/// Proves: PK9 (L, P)
#[test]
fn entries_that_would_leave_the_directory_are_refused() {
    let cases: &[(&[Item<'_>], &str)] = &[
        (&[(FILE, "/etc/x", "", 0o644)], "'/etc/x' is an absolute path"),
        (&[(FILE, "a/../../x", "", 0o644)], "has '..' in it"),
        (
            &[(EntryType::Symlink, "l", "/etc", 0o777)],
            "'l' is a link that leads out",
        ),
        (
            &[(FILE, "a", "", 0o644), (EntryType::Symlink, "l", "../x", 0o777)],
            "'l' is a link that leads out",
        ),
        (
            &[
                (EntryType::Symlink, "d/e/up", "..", 0o777),
                (EntryType::Symlink, "l", "d/e/up/../..", 0o777),
            ],
            "'l' is a link that leads out",
        ),
        (
            &[(EntryType::Symlink, "d", ".", 0o777), (FILE, "d/x", "", 0o644)],
            "'d/x' goes through a link",
        ),
        (
            &[(FILE, "d", "", 0o644), (FILE, "d/x", "", 0o644)],
            "'d/x' goes through a link or a file",
        ),
        (&[(EntryType::Link, "h", "../x", 0o644)], "has '..' in it"),
        (
            &[(EntryType::Link, "h", "none", 0o644)],
            "hard link to a file that is not before it",
        ),
        (
            &[
                (EntryType::Symlink, "l", "none", 0o777),
                (EntryType::Link, "h", "l", 0o644),
            ],
            "hard link to a file that is not before it",
        ),
        (
            &[(FILE, "x", "1", 0o644), (FILE, "./x", "2", 0o644)],
            "'./x' is in it twice",
        ),
        (
            &[(EntryType::Symlink, "x", "y", 0o777), (FILE, "x", "2", 0o644)],
            "'x' is in it twice",
        ),
        (
            &[(EntryType::Char, "null", "", 0o666)],
            "'null' is a FIFO, socket or device",
        ),
        (
            &[(EntryType::Fifo, "pipe", "", 0o666)],
            "'pipe' is a FIFO, socket or device",
        ),
        (
            &[(EntryType::Block, "disk", "", 0o666)],
            "'disk' is a FIFO, socket or device",
        ),
    ];
    for (items, expected) in cases {
        let message = refused(&gzip(&tar_of(items)));
        assert!(message.contains(expected), "{message}");
    }
}

/// Proves: PK9 (L, P)
#[test]
fn an_archive_cut_off_anywhere_leaves_nothing() {
    let text = "x".repeat(3000);
    let whole = tar_of(&[(FILE, "a", &text, 0o644), (FILE, "b", &text, 0o644)]);
    for cut in [
        1,
        300,
        512,
        513,
        2000,
        512 + 3072,
        512 + 3072 + 100,
        2 * (512 + 3072),
    ] {
        let message = refused(&whole[..cut]);
        assert!(
            message.contains("is cut off after") || cut < 512,
            "{cut}: {message}"
        );
    }
    let packed = gzip(&whole);
    for cut in 10..packed.len() {
        let message = refused(&packed[..cut]);
        assert!(message.contains("is cut off after"), "{cut}: {message}");
    }
    let mut corrupt = packed.clone();
    let last = corrupt.len() - 6;
    corrupt[last] ^= 1;
    assert!(refused(&corrupt).contains("is not a .tar.gz or .tar archive"));
}

/// Proves: PK9 (L, P)
#[test]
fn what_is_no_archive_or_too_large_is_refused() {
    assert!(refused(b"").contains("it is empty"));
    assert!(refused(&[b'P', b'K', 3, 4].repeat(300)).contains("is not a .tar.gz or .tar archive"));
    assert!(refused(&[0; 1024]).contains("it has no entries"));
    let bytes = gzip(&tar_of(&[(FILE, "a", "1234", 0o644), (FILE, "b", "1234", 0o644)]));
    let limited = |entries, bytes_limit| {
        let (work, result) = try_unpack(
            &bytes,
            Limits {
                entries,
                bytes: bytes_limit,
            },
        );
        assert_eq!(fs::read_dir(work.path().join("into")).unwrap().count(), 0);
        result.unwrap_err().to_string()
    };
    assert!(limited(1, 100).contains("has more than 1 entries"));
    assert!(limited(9, 7).contains("has more than 7 bytes unpacked"));
}

#[test]
fn only_an_empty_directory_is_unpacked_into() {
    let work = tempfile::tempdir().unwrap();
    let archive = work.path().join("a.tar");
    fs::write(&archive, tar_of(&[(FILE, "a", "", 0o644)])).unwrap();
    let into = work.path().join("into");
    fs::create_dir(&into).unwrap();
    symlink("x", into.join("mine")).unwrap();
    let message = unpack(&archive, &into, Limits::default())
        .unwrap_err()
        .to_string();
    assert!(message.contains("name an empty directory"), "{message}");
    assert!(into.join("mine").is_symlink());
}
