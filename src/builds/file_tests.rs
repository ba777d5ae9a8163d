use super::*;

fn settings() -> BuildSettings {
    BuildSettings {
        data_dir: "/var/lib/rstudio-pm".into(),
        temp_dir: "/tmp".into(),
        sock_file_dir: "/var/run/rstudio-pm".into(),
        r_version: Vec::new(),
        sqlite_dir: "/var/lib/rstudio-pm".into(),
        storage: Vec::new(),
        builder_dir: "/var/lib/rstudio-pm/git".into(),
        poll_interval: Duration::from_secs(300),
        build_retries: 3,
        build_concurrency: 25,
        allow_unsandboxed: false,
        limits: BuildLimits::default(),
        pods: None,
        config_file: None,
    }
}

fn read(builder: &str) -> Result<Vec<GitBuilder>, FileError> {
    parse(
        &format!("builders:\n  - {{name: praise, {builder}}}\n"),
        "b.yaml",
        &settings(),
    )
}

/// Proves: GB1 (B)
#[test]
fn a_builder_has_defaults() {
    let builders = read("url: 'https://git.example.com/praise.git'").unwrap();
    let [builder] = &builders[..] else {
        panic!("{builders:?}")
    };
    assert_eq!(builder.trigger, Trigger::Commits);
    assert_eq!(builder.poll, Duration::from_secs(300));
    assert_eq!(
        builder.output,
        PathBuf::from("/var/lib/rstudio-pm/packages/praise")
    );
    assert_eq!(builder.limit, BUILD_LIMIT);
    assert_eq!(builder.products, Products::default());
}

/// Proves: GB1 (B)
#[test]
fn what_is_wrong_is_told_with_its_place_and_a_remedy() {
    let url = "url: 'https://git.example.com/praise.git'";
    for (builder, said) in [
        (format!("{url}, subdri: pkg"), "did you mean 'subdir'?"),
        (format!("{url}, buildTrigger: tag"), "did you mean 'tags'?"),
        (format!("{url}, pollInterval: 5x"), "pollInterval"),
        (format!("{url}, pollInterval: 5ms"), "below one second"),
        (format!("{url}, subdir: ../x"), "not below the source"),
        (
            format!("{url}, branch: '--exec=x'"),
            "can not be the name of a branch",
        ),
        (
            format!("{url}, buildTrigger: tags, branch: main"),
            "tags are of no branch",
        ),
        (format!("{url}, sshKey: /k"), "an sshKey is for ssh: alone"),
        (format!("{url}, credentials: k"), "from the root on"),
        (
            "url: 'file:///srv/r', credentials: /k".to_owned(),
            "for http: and https: alone",
        ),
        (
            "url: 'https://me:s3cret@example.com/r'".to_owned(),
            "put it into a file",
        ),
        ("branch: main".to_owned(), "missing field `url`"),
    ] {
        let error = read(&builder).unwrap_err().to_string();
        assert!(
            error.starts_with("b.yaml:") && error.contains(said),
            "{builder}: {error}"
        );
        assert!(!error.contains("s3cret"), "{error}");
    }
    for name in ["../x", "", "-x", "a/b"] {
        let text = format!("builders: [{{name: '{name}', {url}}}]");
        let error = parse(&text, "b.yaml", &settings()).unwrap_err().to_string();
        assert!(error.contains("can not be the name of a builder"), "{error}");
    }
    let twice = format!("builders: [{{name: a, {url}}}, {{name: A, {url}}}]");
    let error = parse(&twice, "b.yaml", &settings()).unwrap_err().to_string();
    assert!(error.contains("two builders are called 'A'"), "{error}");
}

/// Proves: GB1 (B)
#[test]
fn whatever_changes_an_archive_changes_the_recipe() {
    let url = "url: 'https://git.example.com/praise.git'";
    let recipe = |more: &str| read(&format!("{url}{more}")).unwrap()[0].recipe();
    let plain = recipe("");
    for more in [
        ", subdir: pkg",
        ", binary: true",
        ", vignettes: true",
        ", output: /srv/p",
    ] {
        assert_ne!(recipe(more), plain, "{more}");
    }
    assert_eq!(recipe(", pollInterval: 1h, timeout: 2m"), plain);
}
