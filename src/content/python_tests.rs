use super::*;
use crate::content::files::memory::Memory;

fn read(files: &[(&str, &str)]) -> Result<Option<PythonRequirements>, PythonError> {
    requirements(&Bundle::new(&Memory::new(files)).unwrap(), None, false)
}

fn lines(files: &[(&str, &str)]) -> Vec<String> {
    read(files).unwrap().unwrap().lines
}

/// Proves: PK2 (L, P)
#[test]
fn lines_are_normalised_and_keep_their_order() {
    let text = "# head\r\nflask==3.0.0  # why\r\n\r\n  numpy >= 1.2 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\nurl @ https://h/x#egg=y\n--index-url https://h/simple\n";
    assert_eq!(
        lines(&[("requirements.txt", text)]),
        [
            "flask==3.0.0",
            "numpy >= 1.2 --hash=sha256:00 --hash=sha256:11",
            "url @ https://h/x#egg=y",
            "--index-url https://h/simple"
        ]
    );
    assert!(read(&[("app.py", "")]).unwrap().is_none());
    assert!(lines(&[("requirements.txt", "# nothing\n")]).is_empty());
}

/// Proves: PK2 (L, P)
#[test]
fn includes_are_resolved_and_constraints_count() {
    let files = [
        (
            "requirements.txt",
            "a\n-r sub/more.txt\n--requirement=base.txt\n-c sub/limits.txt\nz\n",
        ),
        ("sub/more.txt", "b\n-rdeep.txt\n"),
        ("sub/deep.txt", "c\n"),
        ("sub/limits.txt", "a<2 # old\n"),
        ("base.txt", "d\n"),
    ];
    assert_eq!(
        lines(&files),
        [
            "a",
            "b",
            "c",
            "d",
            "-c sub/limits.txt",
            "# sub/limits.txt: a<2",
            "z"
        ]
    );
}

/// Proves: PK2 (L, P)
#[test]
fn a_local_package_is_part_of_the_key() {
    let with = |content| {
        lines(&[
            ("requirements.txt", "./pkg\n-e .\nx @ file:w.whl\n"),
            ("pkg/setup.py", content),
            ("w.whl", "w"),
        ])
    };
    let (one, other) = (with("1"), with("2"));
    assert_eq!(one.len(), 6, "{one:?}");
    assert_ne!(one[1], other[1]);
    assert_ne!(one[3], other[3]);
    assert_eq!(one[5], other[5]);
}

/// Proves: PK2 (L, P)
#[test]
fn bad_includes_are_one_sentence() {
    let cases: [(&[(&str, &str)], &str); 6] = [
        (
            &[("requirements.txt", "-r ../other.txt")],
            "'../other.txt', which has '..' in it",
        ),
        (&[("requirements.txt", "-r /etc/x.txt")], "which is absolute"),
        (
            &[("requirements.txt", "-r none.txt")],
            "'none.txt', which is not in the bundle",
        ),
        (
            &[("requirements.txt", "-r b.txt"), ("b.txt", "-r requirements.txt")],
            "includes itself",
        ),
        (&[("requirements.txt", "../pkg")], "which has '..' in it"),
        (
            &[("requirements.txt", "./gone.whl")],
            "'gone.whl', which is not in the bundle",
        ),
    ];
    for (files, expected) in cases {
        let message = read(files).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

/// Proves: PK2 (L, P)
#[test]
fn project_files_are_recognised() {
    let project = (
        "pyproject.toml",
        "# c\n[project]\nname = \"a\"\n\ndependencies = [\"flask\"]\n",
    );
    let found = read(&[project]).unwrap().unwrap();
    assert_eq!((found.format, found.lines.len()), (PythonFormat::Pyproject, 3));
    let found = read(&[project, ("uv.lock", "version = 1\n")]).unwrap().unwrap();
    assert_eq!(
        (found.format, found.file.as_str()),
        (PythonFormat::UvLock, "uv.lock")
    );
    let found = read(&[project, ("requirements.txt", "x")]).unwrap().unwrap();
    assert_eq!(found.format, PythonFormat::Requirements);
    assert!(read(&[("pyproject.toml", "[tool.ruff]\n")]).unwrap().is_none());
    let bundle = Memory::new(&[("app.py", "")]);
    let missing = requirements(&Bundle::new(&bundle).unwrap(), Some("requirements.txt"), false).unwrap_err();
    assert!(
        missing
            .to_string()
            .starts_with("manifest.json names the requirements file 'requirements.txt'")
    );
}
