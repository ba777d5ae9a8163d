use super::*;
use proptest::prelude::*;

const DATA: &str = "/var/lib/rstudio-connect";

fn job() -> JobPaths {
    let some = |text: &str| Some(text.to_owned());
    JobPaths {
        content: some("sales"),
        bundle: some("7"),
        job_key: some("k1"),
        variant: some("default"),
        rendering: some("12"),
        runtime: some("abc"),
        app: AppDir::Copy,
    }
}

fn seen(relative: &str) -> Option<String> {
    to_sandbox(Path::new(DATA), &Path::new(DATA).join(relative))
}

/// Proves: PW1 (L, P)
#[test]
fn each_directory_has_its_place() {
    for (physical, sandbox) in [
        ("apps/sales/7/app.R", "app/app.R"),
        ("apps/sales/active/a", "app/a"),
        ("reports/v2/sales/7/temp.render.k1/x.Rmd", "app/x.Rmd"),
        ("reports/v2/sales/default/12/x.html", "report/x.html"),
        ("R/4.2.2/staging.1", "R/4.2.2/staging.1"),
        ("packrat/4.2.2/v2", "packrat/4.2.2/v2"),
        (
            "python-environments/pip/3.11.2/k",
            "python-environments/pip/3.11.2/k",
        ),
        ("node-environments/20.1.0/k/node_modules/a", "node_modules/a"),
        (
            "node-environments/20.1.0/.staging-j/node_modules",
            "node-environments/20.1.0/.staging-j/node_modules",
        ),
        ("jobs/sales/k1/log/out", "log/out"),
    ] {
        let sandbox = format!("/opt/rstudio-connect/mnt/{sandbox}");
        assert_eq!(seen(physical).as_deref(), Some(&sandbox[..]), "{physical}");
    }
    assert_eq!(
        seen("runtime/abc/run.R").as_deref(),
        Some("/opt/offhost/runtime/run.R")
    );
}

/// Proves: FS4 (L, P)
#[test]
fn what_no_process_sees_has_no_place() {
    for hidden in [
        "",
        "apps",
        "apps/sales",
        "apps/sales/.staging-1/x",
        "content/sales/content.json",
        "jobs/sales/k1/job.json",
        "reports/v2/sales/default/12.json",
        "apps/sales/7/../8/x",
        "runtime",
    ] {
        assert_eq!(seen(hidden), None, "{hidden}");
    }
    assert_eq!(to_sandbox(Path::new(DATA), Path::new("/etc/passwd")), None);
}

/// Proves: PW2 (L, P)
#[test]
fn the_way_back_needs_the_job() {
    let back = |path: &str, job: &JobPaths| {
        to_physical(Path::new(DATA), Path::new(path), job).map(|path| path.display().to_string())
    };
    let app = "/opt/rstudio-connect/mnt/app/x.Rmd";
    assert_eq!(
        back(app, &job()).as_deref(),
        Some("/var/lib/rstudio-connect/reports/v2/sales/7/temp.render.k1/x.Rmd")
    );
    let bare = to_physical(Path::new("DataDir"), Path::new(app), &JobPaths::default());
    assert_eq!(bare.as_deref(), Some(Path::new("DataDir/apps/XX/YY/x.Rmd")));
    assert_eq!(
        back(
            "/opt/rstudio-connect/mnt/report",
            &JobPaths {
                app: AppDir::Output,
                ..job()
            }
        )
        .as_deref(),
        Some("/var/lib/rstudio-connect/reports/v2/sales/default/12")
    );
    assert_eq!(back("/opt/rstudio-connect/mnt/application", &job()), None);
    assert_eq!(back("/opt/rstudio-connect/mnt/app/../report", &job()), None);
}

/// Proves: PW2 (L, P)
#[test]
fn a_log_line_is_translated_both_ways() {
    let line = |text: &str, direction| translate_line(text, Path::new(DATA), &job(), direction).into_owned();
    let (inside, outside) = (Direction::ToSandbox, Direction::ToPhysical);
    assert_eq!(
        line(
            "Error in '/var/lib/rstudio-connect/reports/v2/sales/7/temp.render.k1/my report.Rmd': (apps at /var/lib/rstudio-connect/apps/sales/7).",
            inside
        ),
        "Error in '/opt/rstudio-connect/mnt/app/my report.Rmd': (apps at /opt/rstudio-connect/mnt/app)."
    );
    assert_eq!(
        line(
            "gcc -I/opt/rstudio-connect/mnt/packrat/4.2.2 file:///opt/rstudio-connect/mnt/report/a.html",
            outside
        ),
        "gcc -I/var/lib/rstudio-connect/packrat/4.2.2 file:///var/lib/rstudio-connect/reports/v2/sales/default/12/a.html"
    );
    assert_eq!(
        line("in /var/lib/rstudio-connect/apps/sales/7.", inside),
        "in /opt/rstudio-connect/mnt/app."
    );
    assert_eq!(
        line("in /opt/rstudio-connect/mnt/app. Next", outside),
        "in /var/lib/rstudio-connect/reports/v2/sales/7/temp.render.k1. Next"
    );
    for (same, direction) in [
        (
            "/opt/rstudio-connect/mnt/apple /opt/rstudio-connect/mnt/app.R x/opt/rstudio-connect/mnt/app",
            outside,
        ),
        (
            "/var/lib/rstudio-connect/content/sales /srv/var/lib/rstudio-connect/apps/sales/7",
            inside,
        ),
        ("nothing here: ä / ü", inside),
    ] {
        assert!(
            matches!(
                translate_line(same, Path::new(DATA), &job(), direction),
                Cow::Borrowed(_)
            ),
            "{same}"
        );
    }
}

proptest! {
    /// Proves: PW2 (L, P)
    #[test]
    fn there_and_back_is_the_same(place in 0usize..7, rest in "[a-zA-Z0-9 ._äö-]{1,12}(/[a-z]{1,5}){0,3}") {
        prop_assume!(!rest.split('/').any(|part| part == "." || part == ".."));
        let (_, relative) = job().table()[place].clone();
        let physical = Path::new(DATA).join(relative).join(&rest);
        let seen = to_sandbox(Path::new(DATA), &physical).unwrap();
        prop_assert_eq!(to_physical(Path::new(DATA), Path::new(&seen), &job()), Some(physical.clone()));
        let line = format!("at \"{}\"", physical.display());
        let inside = translate_line(&line, Path::new(DATA), &job(), Direction::ToSandbox).into_owned();
        prop_assert_eq!(&inside, &format!("at \"{seen}\""));
        let outside = translate_line(&inside, Path::new(DATA), &job(), Direction::ToPhysical).into_owned();
        prop_assert_eq!(outside, line);
    }

    #[test]
    fn no_line_is_too_odd(line in "\\PC{0,60}") {
        for direction in [Direction::ToSandbox, Direction::ToPhysical] {
            drop(translate_line(&line, Path::new(DATA), &job(), direction));
        }
    }
}
