//! Command lines, tasks and limits.

use offhost::api::job::{Parameter, TaskKind};
use offhost::content::AppMode;
use offhost::plan::Source;
use offhost::reason::Reason;
use offhost::runtimes::LanguageName;

use super::{task_of, value};
use crate::plan_fixture::{World, facts, notebook, quarto_document, quarto_site, report, script, site};

/// Proves: SV1 (L)
#[test]
fn the_supervisor_comes_first_and_is_an_absolute_path() {
    let mut world = script();
    world.settings.applications.supervisor = ["/usr/bin/nice", "-n", "2"].map(str::to_owned).to_vec();
    let process = task_of(&world);
    assert_eq!(
        process.command,
        ["/usr/bin/nice", "-n", "2", "./nightly.sh", "--all"]
    );
    assert_eq!(process.supervisor_words, 3);
    world.settings.applications.supervisor = vec!["nice".to_owned()];
    let error = world.plan().unwrap_err();
    assert!(
        error
            .to_string()
            .contains("Applications.Supervisor 'nice' is no absolute path")
    );
    assert_eq!(error.reason(), Reason::SupervisorRefused);
}

/// Proves: SV3 (L, P)
#[test]
fn the_supervisor_runs_installs_too() {
    let mut local = notebook();
    local.settings.applications.supervisor = vec!["/usr/local/bin/supervise".to_owned()];
    for (world, first) in [
        (local, "/usr/local/bin/supervise"),
        (notebook().in_pod(), "/opt/image/supervise"),
    ] {
        for process in world.plan().unwrap().processes {
            assert_eq!(
                (process.command[0].as_str(), process.supervisor_words),
                (first, 1)
            );
        }
    }
}

/// Proves: PK9 (L, P)
#[test]
fn the_job_overrides_the_manifest() {
    let mut world = notebook();
    world.task.spec.app_mode = Some("rmd-static".to_owned());
    world.task.spec.entrypoint = Some("docs/other.Rmd".to_owned());
    let command = task_of(&world).command;
    assert!(
        command
            .windows(2)
            .any(|pair| pair == ["--input", "docs/other.Rmd"]),
        "{command:?}"
    );
    world.task.spec.app_mode = Some("rmd-statik".to_owned());
    assert!(world.refusal().contains("did you mean 'rmd-static'?"));
}

#[test]
fn entry_points_stay_in_the_bundle() {
    for bad in ["/etc/passwd", "../x.Rmd", "a/../../x", "-e", "", "a\nb"] {
        let mut world = report();
        world.task.spec.entrypoint = Some(bad.to_owned());
        assert!(world.refusal().contains("relative to the bundle"), "{bad}");
    }
    let mut world = report();
    world.task.facts.entrypoint = None;
    assert!(world.refusal().contains("set spec.entrypoint"));
}

#[test]
fn tasks_that_do_not_fit_the_content_say_what_does() {
    let refusal = |app_mode, task, command: &[&str]| {
        let mut world = World::of(facts(app_mode, "app.R"));
        world.task.spec.task = task;
        world.task.spec.command = command.iter().map(|word| (*word).to_owned()).collect();
        world.refusal()
    };
    assert!(
        refusal(AppMode::Shiny, None, &[])
            .contains("'shiny' can not be used for the task Render; it is interactive")
    );
    assert!(refusal(AppMode::Static, None, &[]).contains("served as it is"));
    assert!(refusal(AppMode::Script, None, &[]).contains("has no command"));
    assert!(refusal(AppMode::JupyterStatic, Some(TaskKind::RenderSite), &[]).contains("can be a site"));
    assert!(refusal(AppMode::RmdStatic, Some(TaskKind::Render), &["ls"]).contains("runs none"));
    assert!(refusal(AppMode::Script, None, &[""]).contains("word 0 of spec.command is empty"));
    assert!(refusal(AppMode::Script, None, &["a", "b\0"]).contains("word 1 of spec.command has a NUL"));
}

/// Proves: PK3 (L, P)
#[test]
fn parameters_are_those_of_the_report() {
    let mut world = report();
    world.task.spec.parameters.push(Parameter {
        name: "yaer".to_owned(),
        value: "1".to_owned(),
    });
    assert!(world.refusal().contains("'yaer'"));
    let mut world = site();
    world.task.spec.parameters = vec![Parameter {
        name: "year".to_owned(),
        value: "1".to_owned(),
    }];
    assert!(world.refusal().contains("the task RenderSite takes none"));
    let mut world = report();
    world.task.spec.parameters.clear();
    let process = task_of(&world);
    assert!(process.inputs.is_empty() && !process.command.contains(&"--params".to_owned()));
    assert!(!process.mounts.iter().any(|mount| mount.source == Source::Inputs));
}

/// Proves: PK3 (L, P)
#[test]
fn quartos_command_lines_are_those_of_its_render_command() {
    let command = |world: &World| task_of(world).command.join(" ");
    let quarto = "/opt/quarto/1.4.553/bin/quarto render";
    let app = "/opt/rstudio-connect/mnt/app";
    let mut world = quarto_document();
    assert_eq!(
        command(&world),
        format!(
            "{quarto} report.qmd --execute-dir {app} --output-dir ../report --no-clean --execute-params /opt/offhost/inputs/params.json"
        )
    );
    world.task.spec.parameters.clear();
    world.task.spec.entrypoint = Some("docs/a.qmd".to_owned());
    assert_eq!(
        command(&world),
        format!("{quarto} docs/a.qmd --execute-dir {app} --output-dir ../../report --no-clean")
    );
    assert_eq!(command(&quarto_site()), format!("{quarto} ."));
    let site = task_of(&quarto_site());
    assert_eq!(value(&site, "QUARTO_R"), Some("/usr/bin/R"));
    assert_eq!(value(&site, "QUARTO_PYTHON"), None);
}

#[test]
fn r_before_4_has_its_own_name_for_quiet() {
    let mut world = site();
    let r = world.runtimes.runtimes[0]
        .installations
        .get_mut(&LanguageName::R)
        .unwrap();
    r[0].version = "3.6.3".to_owned();
    assert_eq!(task_of(&world).command[1], "--slave");
}

#[test]
fn limits_are_the_lower_of_job_and_settings() {
    let mut world = report();
    world.settings.sandbox.memory_limit = 256 << 20;
    world.settings.sandbox.cpu_limit_millis = 4000;
    world.settings.sandbox.process_limit = 100;
    world.settings.sandbox.open_files_limit = 512;
    let plan = world.plan().unwrap();
    let limits = &plan.processes[1].limits;
    assert_eq!(
        (limits.memory_bytes, limits.cpu_millis, limits.pids),
        (Some(256 << 20), Some(1500), Some(100))
    );
    assert!(
        plan.notes
            .iter()
            .any(|note| note.contains("memory is lowered to Sandbox.MemoryLimit")),
        "{:?}",
        plan.notes
    );
    assert_eq!(
        plan.processes[0].limits.cpu_millis,
        Some(4000),
        "an installation has the settings' limits"
    );
    assert_eq!(plan.processes[0].timeout_seconds, None);
    for (list, name, text, expected) in [
        (
            "limits",
            "memory",
            "512mb",
            "spec.resources.limits.memory: '512mb' is no quantity",
        ),
        ("limits", "memroy", "1", "did you mean 'memory'?"),
        ("requests", "cpu", "-1", "is not above zero"),
        ("requests", "memory", "1Gi", "asks for more memory than its limit"),
    ] {
        let mut world = report();
        let resources = &mut world.task.spec.resources;
        let chosen = if list == "limits" {
            &mut resources.limits
        } else {
            &mut resources.requests
        };
        chosen.insert(name.to_owned(), text.to_owned());
        assert!(world.refusal().contains(expected), "{}", world.refusal());
    }
    for seconds in [0, -1, i64::MAX, i64::MIN] {
        let mut world = report();
        world.task.spec.timeout_seconds = Some(seconds);
        assert!(world.refusal().contains("spec.timeoutSeconds is"));
    }
}
