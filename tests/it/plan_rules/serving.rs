//! Processes that serve applications.

use offhost::content::AppMode;
use offhost::plan::{Access, Listen, Purpose, ServeTask, Source, StopSequence};

use super::{task_of, value};
use crate::plan_fixture::{World, application, applications, variable};

const R_KINDS: [AppMode; 3] = [AppMode::Shiny, AppMode::RmdShiny, AppMode::Api];

/// Proves: PK5 (L, P)
#[test]
fn r_makes_its_own_socket_and_everything_else_inherits_one() {
    for world in applications() {
        let app_mode = world.task.facts.app_mode;
        let local = task_of(&world);
        let pod = task_of(&world.in_pod());
        assert_eq!((&local.purpose, &pod.purpose), (&Purpose::Serve, &Purpose::Serve));
        let (local_serve, pod_serve) = (local.serve.unwrap(), pod.serve.unwrap());
        let is_r = local.command[0] == "/usr/bin/R";
        assert!(is_r || !R_KINDS.contains(&app_mode), "{app_mode:?}");
        if is_r {
            let socket = "/tmp/connect-workspaces/job1/.offhost/app.sock";
            assert_eq!(local_serve.listen, Listen::Unix(socket.to_owned()));
            assert_eq!(pod_serve.listen, Listen::Tcp(8000));
            assert_eq!(local_serve.stop, StopSequence::Interrupt);
        } else {
            assert_eq!(
                (&local_serve.listen, &pod_serve.listen),
                (&Listen::Inherited, &Listen::Inherited)
            );
            assert_eq!(local_serve.stop, StopSequence::Terminate);
        }
        assert_eq!(local_serve.stop, pod_serve.stop);
        assert_eq!(
            local_serve.ready_file,
            "/tmp/connect-workspaces/job1/.offhost/ready"
        );
        assert_eq!((local.timeout_seconds, pod.timeout_seconds), (None, None));
    }
}

/// Proves: AP1 (L, P), FS4 (L, P)
#[test]
fn the_directory_of_the_application_can_be_written_and_nothing_else_of_the_data() {
    for world in applications() {
        for world in [world.clone(), world.in_pod()] {
            let process = task_of(&world);
            assert_eq!(process.working_dir, "/opt/rstudio-connect/mnt/app");
            let writable: Vec<_> = process
                .mounts
                .iter()
                .filter(|mount| mount.access == Access::ReadWrite)
                .map(|mount| (mount.target.as_str(), &mount.source))
                .collect();
            assert_eq!(
                writable,
                [
                    (
                        "/opt/rstudio-connect/mnt/app",
                        &Source::Data("apps/sales/7".to_owned())
                    ),
                    (
                        "/opt/rstudio-connect/mnt/log",
                        &Source::Data("jobs/sales/job1/log".to_owned())
                    ),
                ]
            );
        }
    }
}

/// Proves: PK5 (L, P), TD1 (L, P)
#[test]
fn frameworks_write_in_the_temporary_directory_unless_content_says_otherwise() {
    let mut world = application(AppMode::PythonStreamlit, "app.py");
    world.task.spec.env = vec![variable("MPLCONFIGDIR", "/srv/mpl")];
    world
        .task
        .server_env
        .insert("JUPYTER_DATA_DIR".to_owned(), "/root/jupyter".to_owned());
    for world in [world.clone(), world.in_pod()] {
        let process = task_of(&world);
        let tmp = "/tmp/connect-workspaces/job1";
        assert_eq!(value(&process, "MPLCONFIGDIR"), Some("/srv/mpl"));
        for name in [
            "JUPYTER_DATA_DIR",
            "IPYTHONDIR",
            "GRADIO_TEMP_DIR",
            "XDG_CACHE_HOME",
        ] {
            let place = value(&process, name).unwrap();
            assert!(place.starts_with(tmp), "{name}={place}");
        }
        assert_eq!(value(&process, "PYTHONUNBUFFERED"), Some("1"));
        assert_eq!(value(&process, "CONNECT_CONTENT_GUID"), Some("sales"));
        assert_eq!(value(&process, "OFFHOST_LISTEN"), None);
    }
    let shiny = task_of(&application(AppMode::Shiny, ""));
    assert_eq!(value(&shiny, "R_CONFIG_ACTIVE"), Some("rsconnect"));
    assert_eq!(value(&shiny, "JUPYTER_DATA_DIR"), None);
    let node = task_of(&application(AppMode::Nodejs, "app.js"));
    assert_eq!(value(&node, "OFFHOST_LISTEN"), Some("fd:3"));
    assert_eq!(value(&node, "OFFHOST_PREFIX"), Some("/content/sales"));
}

/// Proves: PK7 (L, P), RD3 (L, P)
#[test]
fn files_and_documents_have_no_process() {
    for (app_mode, said) in [
        (AppMode::Static, "the files of the bundle are served"),
        (AppMode::RmdStatic, "the active result is served"),
        (AppMode::JupyterStatic, "the active result is served"),
    ] {
        let world = application(app_mode, "index.html");
        for world in [world.clone(), world.in_pod()] {
            let plan = world.plan().unwrap();
            assert_eq!(plan.processes, []);
            assert!(plan.notes.concat().contains(said), "{:?}", plan.notes);
        }
    }
}

fn refusal(app_mode: AppMode, change: impl Fn(&mut World)) -> String {
    let mut world = application(app_mode, "app.R");
    change(&mut world);
    world.refusal()
}

/// Proves: PK5 (L, P)
#[test]
fn what_can_not_be_served_is_refused_with_what_to_do() {
    let none = |_: &mut World| {};
    assert!(refusal(AppMode::TensorflowSavedModel, none).contains("python-fastapi"));
    assert!(refusal(AppMode::Script, none).contains("run it with a ContentJob"));
    let wrong = |path: &'static str| {
        move |world: &mut World| {
            world.task.serve = Some(ServeTask::at(path));
        }
    };
    for path in ["", "/", "/a/", "a", "/a b", "/../a", "/-a", "//a", "/a;b"] {
        let said = refusal(AppMode::Shiny, wrong(path));
        assert!(said.starts_with(&format!("spec.path is '{path}'")), "{said}");
    }
    let deep = |world: &mut World| world.settings.server.temp_dir = format!("/srv/{}", "t".repeat(80)).into();
    let said = refusal(AppMode::Shiny, deep);
    assert!(
        said.contains("no socket can have a path of more than 107 bytes"),
        "{said}"
    );
    // Others have no such socket.
    let mut world = application(AppMode::PythonApi, "app");
    deep(&mut world);
    assert!(world.plan().is_ok());
}

/// Proves: PK5 (L, P)
#[test]
fn an_interactive_quarto_document_is_served_by_its_engine() {
    let command = |world: &World| task_of(world).command.join(" ");
    let [r, python] = &applications()[..2] else {
        panic!("there are two");
    };
    assert!(command(r).contains("serve_r.R --args --kind quarto-shiny --entrypoint doc.qmd"));
    assert!(command(python).contains("serve_python.py --kind python-shiny --entrypoint doc-app.py"));
}

/// Proves: SC5 (L, P)
#[test]
fn kinds_say_what_the_gateway_has_to_know() {
    assert!(AppMode::PythonBokeh.keeps_prefix() && AppMode::JupyterVoila.keeps_prefix());
    assert!(!AppMode::PythonPanel.keeps_prefix() && !AppMode::Shiny.keeps_prefix());
    assert!(AppMode::Shiny.needs_affinity() && AppMode::PythonGradio.needs_affinity());
    assert!(!AppMode::PythonDash.needs_affinity() && !AppMode::Nodejs.needs_affinity());
}
