//! What holds for plans of any input.

use std::path::PathBuf;

use offhost::api::job::{Parameter, TaskKind};
use offhost::plan::Mode;
use proptest::prelude::*;

use crate::plan_fixture::{World, account, variable};
use crate::plan_rules::{check_invariants, everything};

fn worlds() -> impl Strategy<Value = World> {
    let name = || prop_oneof!["[a-z0-9-]{1,8}", "\\PC{0,6}", Just("..".to_owned())];
    let spec = (
        proptest::option::of(prop_oneof![
            Just("hadley".to_owned()),
            Just("0".to_owned()),
            name()
        ]),
        proptest::option::of(name()),
        proptest::option::of(any::<i64>()),
        proptest::option::of(prop_oneof![
            Just(TaskKind::Install),
            Just(TaskKind::Render),
            Just(TaskKind::RenderSite),
            Just(TaskKind::Run),
        ]),
        proptest::collection::vec(("[A-Za-z_=]{0,4}", "\\PC{0,4}"), 0..3),
    );
    let switches = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let directory = prop_oneof![
        Just("/srv/data"),
        Just("/"),
        Just("/opt"),
        Just("/home/hadley"),
        Just("/tmp"),
        Just("x")
    ];
    let ids = (
        any::<u32>(),
        any::<u32>(),
        proptest::collection::vec(any::<u32>(), 0..3),
        any::<bool>(),
    );
    (0..everything().len(), spec, switches, directory, ids, name()).prop_map(
        |(index, spec, switches, directory, (uid, gid, groups, home), content)| {
            let mut world = everything().swap_remove(index);
            let (run_as, variant, timeout, task, env) = spec;
            world.task.spec.run_as = run_as;
            world.task.spec.variant = variant;
            world.task.spec.timeout_seconds = timeout;
            if task.is_some() {
                world.task.spec.task = task;
            }
            world.task.spec.env = env.iter().map(|(name, value)| variable(name, value)).collect();
            world.settings.applications.home_mounting = switches.0;
            world.settings.sandbox.mask_tmp = switches.1;
            world.settings.applications.inherit_system_env_vars = switches.2;
            world.settings.server.data_dir = PathBuf::from(directory);
            let own = account("own", uid, gid, &groups, home.then_some("/home/hadley"));
            if switches.3 {
                world.accounts.ordinary_user = Some(own);
            } else {
                world.accounts.accounts.insert("rstudio-connect".to_owned(), own);
            }
            world.task.content = content;
            world
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Planning never panics, gives the same plan twice, and every plan keeps the invariants.
    #[test]
    fn any_input_gives_a_sound_plan_or_one_sentence(world in worlds()) {
        match (world.plan(), world.plan()) {
            (Ok(first), Ok(second)) => {
                prop_assert_eq!(&first, &second);
                check_invariants(&first);
                if world.task.mode == Mode::Pod {
                    prop_assert!(first.processes.iter().all(|process| process.masks.is_empty()));
                }
            }
            (Err(first), Err(second)) => {
                let message = first.to_string();
                prop_assert_eq!(&message, &second.to_string());
                prop_assert!(!message.is_empty() && !message.ends_with('.'));
            }
            (first, second) => prop_assert!(false, "{first:?} {second:?}"),
        }
    }

    #[test]
    fn any_parameter_value_is_carried_whole(value in "\\PC{0,40}") {
        let mut world = crate::plan_fixture::report();
        world.task.spec.parameters = vec![Parameter { name: "region".to_owned(), value: serde_json::to_string(&value).unwrap() }];
        let plan = world.plan().unwrap();
        let read: serde_json::Value = serde_json::from_str(&plan.processes[1].inputs[0].text).unwrap();
        prop_assert_eq!(read["region"].as_str(), Some(value.as_str()));
    }
}
