//! What is refused, in which words, and what is only noted.

use super::*;

/// The message without the directory of the file.
fn refused(text: &str, env: &[(&str, &str)]) -> String {
    let machine = Machine::new();
    let error = load(options(Some(machine.file(text)), env))
        .expect_err("bad settings")
        .to_string();
    assert!(!error.ends_with('.') && !error.contains('\n'), "{error}");
    error.replace(&format!("{}/", machine.dir.path().display()), "")
}

/// Proves: CN1 (L, P)
#[test]
fn cn1_misspelt_names_are_errors_with_a_suggestion() {
    let file = "rstudio-connect.gcfg";
    let cases = [
        (
            "[Server]\nDataDirr = /x",
            format!("{file}:2: [Server] has no key 'DataDirr'; did you mean 'DataDir'?"),
        ),
        (
            "[Server]\n\nColour = x",
            format!("{file}:3: [Server] has no key 'Colour'; correct or remove the line"),
        ),
        (
            "[Application]\n",
            format!("{file}:1: there is no section [Application]; did you mean [Applications]?"),
        ),
        (
            "[Server \"x\"]\n",
            format!("{file}:1: [Server \"x\"] takes no name; write [Server]"),
        ),
        (
            "[RPackageRepository]\n",
            format!("{file}:1: [RPackageRepository] needs a name; write [RPackageRepository \"name\"]"),
        ),
        (
            "[Server\n",
            format!(
                "{file}:1:8: expected ']' or a quoted name after '[Server'; write [Server] or [Server \"name\"]"
            ),
        ),
    ];
    for (text, message) in cases {
        assert_eq!(refused(text, &[]), message);
    }
    let other = loaded("[Unheard]\nOf = 1\n[Logging]\nAny = 1", &[]);
    assert!(
        other.notes[0].ends_with("sections not used by this system: [Logging], [Unheard]"),
        "{:?}",
        other.notes
    );
}

/// Proves: CN1 (L, P)
#[test]
fn cn1_values_of_the_wrong_kind_name_setting_and_line() {
    let cases = [
        (
            "[R]\nEnabled = t",
            "rstudio-connect.gcfg:2: R.Enabled: 't' is neither true nor false",
        ),
        (
            "[R]\nEnabled =",
            "rstudio-connect.gcfg:2: R.Enabled: the value is empty",
        ),
        (
            "[Server]\nDataDir",
            "rstudio-connect.gcfg:2: Server.DataDir: the key has no value",
        ),
        (
            "[Server]\nDataDir = data",
            "rstudio-connect.gcfg:2: Server.DataDir: 'data' is not an absolute path",
        ),
        (
            "[Sandbox]\nMemoryLimit = lots",
            "rstudio-connect.gcfg:2: Sandbox.MemoryLimit: 'lots' is not a size",
        ),
        (
            "[Applications]\nRunAs = \"\"",
            "rstudio-connect.gcfg:2: Applications.RunAs: the value is empty",
        ),
        (
            "[Applications]\nSupervisor = nice",
            "rstudio-connect.gcfg:2: Applications.Supervisor: the program 'nice'",
        ),
        (
            "[Scheduler]\nMaxProcesses = many",
            "rstudio-connect.gcfg:2: Scheduler.MaxProcesses: 'many'",
        ),
        (
            "[Applications]\nBundleRetentionLimit = 4294967296",
            "rstudio-connect.gcfg:2: Applications.BundleRetentionLimit: '4294967296' is too large",
        ),
    ];
    for (text, start) in cases {
        let message = refused(text, &[]);
        assert!(message.starts_with(start), "{message}");
    }
    let message = refused("", &[("OFFHOST_R_ENABLED", "t")]);
    assert!(
        message.starts_with("variable OFFHOST_R_ENABLED: R.Enabled: 't'"),
        "{message}"
    );
}

/// Proves: CN1 (L, P)
#[test]
fn cn1_misspelt_variables_are_errors_with_a_suggestion() {
    let cases = [
        (
            "OFFHOST_SERVER_DATADIRR",
            "names no setting; did you mean 'OFFHOST_SERVER_DATADIR'?",
        ),
        (
            "OFFHOST_SERVER_DATA_DIR",
            "names no setting; did you mean 'OFFHOST_SERVER_DATADIR'?",
        ),
        (
            "OFFHOST_APPLICATION_RUNAS",
            "names no setting; did you mean 'OFFHOST_APPLICATIONS_RUNAS'?",
        ),
        ("OFFHOST_SERVER_COLOUR", "names no setting; correct or unset it"),
    ];
    for (name, end) in cases {
        assert_eq!(refused("", &[(name, "x")]), format!("the variable {name} {end}"));
    }
}

/// Proves: CN1 (L, P)
#[test]
fn cn1_variables_that_are_no_settings_are_left_alone() {
    let silent = [
        ("OFFHOST_LOG", "debug"),
        ("OFFHOST_CONFIG", "/x"),
        ("OFFHOST_TEST_ORACLE", "1"),
        ("OFFHOST_SERVICE_HOST", "10.0.0.1"),
        ("OFFHOST_PORT", "tcp://10.0.0.1:80"),
        ("OFFHOST_SERVER_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("OFFHOST_SERVER_SERVICE_PORT_HTTP", "80"),
        ("OFFHOST_GIT_BUILDCONCURRENCY", "7"),
        ("CONNECT_SERVER_DATADIR", "/x"),
    ];
    assert_eq!(loaded("", &silent).notes, Vec::<String>::new());
    let noted = loaded("", &[("OFFHOST_SERVER_SENDEREMAIL", "x"), ("OFFHOST_HOME", "/x")]);
    assert_eq!(
        noted.notes,
        ["variables not used by this system: OFFHOST_HOME, OFFHOST_SERVER_SENDEREMAIL"]
    );
}

/// Proves: CN1 (L, P)
#[test]
fn cn1_a_file_that_can_not_be_read_is_named() {
    let machine = Machine::new();
    let missing = machine.dir.path().join("missing.gcfg");
    let message = load(options(Some(missing.clone()), &[]))
        .expect_err("missing")
        .to_string();
    assert!(message.contains(&missing.display().to_string()), "{message}");
    assert!(load(options(Some(machine.dir.path().to_owned()), &[])).is_err());
}

/// Proves: CN1 (L, P)
#[test]
fn cn1_what_no_network_knows_is_refused() {
    for (file, end) in [
        (
            "[HTTP]\nListen = 3939\n",
            "write :3939 for every address of the machine, or 127.0.0.1:3939",
        ),
        (
            "[Server]\nAddress = connect.example.org\n",
            "write one with http:// or https:// and without a path",
        ),
        (
            "[Gateway]\nAppDomain = Apps\n",
            "write one in lower case, such as apps.example.org",
        ),
        (
            "[Gateway]\nTrustedProxies = 10.0.0.0/40\n",
            "with the length of its prefix such as 10.0.0.0/8",
        ),
        (
            "[Scheduler]\nLoadFactor = 1.5\n",
            "write a number from 0 to 1, such as 0.5",
        ),
    ] {
        let message = refused(file, &[]);
        assert!(message.ends_with(end), "{message}");
    }
}
