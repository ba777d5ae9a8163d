//! Who runs as whom: every kind of content, in both modes, with every setting and every visitor, as the plan decides it.
//! The table of `docs/accounts.md` is made here, and what must hold in it is checked here.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use offhost::content::AppMode;
use offhost::content::kinds::Served;
use offhost::plan::{Mode, Purpose};
use offhost::settings::Provider;

use crate::plan_fixture::{
    World, account, application, applications, notebook, quarto_document, report, script,
};
use crate::repository::{assert_page, text};

const PAGE: &str = "docs/accounts.md";
const BEGIN: &str = "<!-- made by `make docs`: who runs as whom -->\n";
const END: &str = "<!-- end of what is made -->\n";

const MODES: [(&str, Mode); 2] = [("this machine", Mode::Local), ("a cluster", Mode::Pod)];
/// What content asks for: in words, `runAs`, and whether it asks for `runAsCurrentUser`.
const ASKS: [(&str, Option<&str>, bool); 8] = [
    ("nothing", None, false),
    ("`runAs`: a member", Some("hadley"), false),
    ("`runAs`: an outsider", Some("outsider"), false),
    ("`runAs`: root", Some("toor"), false),
    ("`runAs`: unknown", Some("ghost"), false),
    ("`runAsCurrentUser`", None, true),
    ("`runAsCurrentUser`, `runAs`: a member", Some("hadley"), true),
    ("`runAsCurrentUser`, `runAs`: an outsider", Some("outsider"), true),
];
/// `Applications.RunAsCurrentUser` and `Authentication.Provider`.
const SETTINGS: [(&str, bool, Provider); 5] = [
    ("off", false, Provider::None),
    ("off, pam", false, Provider::Pam),
    ("on, no log-in", true, Provider::None),
    ("on, proxy", true, Provider::Proxy),
    ("on, pam", true, Provider::Pam),
];
const VISITORS: [(&str, Option<&str>); 5] = [
    ("not known", None),
    ("a member", Some("ana")),
    ("an outsider", Some("outsider")),
    ("root", Some("toor")),
    ("without an account", Some("ghost")),
];

/// One choice of everything: its labels, and what comes of it.
struct Case {
    labels: [String; 5],
    outcome: String,
}

/// Every kind of content: what is served, and what jobs do.
fn worlds() -> Vec<(String, World)> {
    let served = applications().into_iter().chain([
        application(AppMode::RmdStatic, "report.Rmd"),
        application(AppMode::QuartoStatic, "report.qmd"),
        application(AppMode::JupyterStatic, "book.ipynb"),
        application(AppMode::Static, "index.html"),
    ]);
    let mut worlds: BTreeMap<String, World> = BTreeMap::new();
    for world in served {
        worlds.insert(world.task.facts.app_mode.name().to_owned(), world);
    }
    let mut all: Vec<(String, World)> = worlds.into_iter().collect();
    for world in [notebook(), report(), quarto_document(), script()] {
        let name = world.task.facts.app_mode.name();
        all.push((format!("a job of {name}"), world));
    }
    all
}

/// What comes of it. Checks on the way what holds for all of them.
fn outcome(mut world: World, run_as: Option<&str>, asks_visitor: bool, visitor: Option<&str>) -> String {
    world.task.spec.run_as = run_as.map(str::to_owned);
    if let Some(serve) = &mut world.task.serve {
        serve.current_user = asks_visitor;
        serve.visitor = visitor.filter(|_| asks_visitor).map(str::to_owned);
    }
    let plan = match world.plan() {
        Ok(plan) => plan,
        Err(error) => {
            // The same for every kind that can not.
            let kind = format!("kind '{}'", world.task.facts.app_mode.name());
            return format!("refused: {error}").replace(&kind, "this kind");
        }
    };
    let mut runs = "nothing runs".to_owned();
    for process in &plan.processes {
        let identity = &process.identity;
        assert!(
            identity.uid != 0 && identity.gid != 0 && !identity.groups.contains(&0),
            "root runs nothing"
        );
        if matches!(process.purpose, Purpose::Install(_)) {
            assert_eq!(identity.user, "rstudio-connect", "RunAs installs all packages");
            continue;
        }
        runs = match identity.user.as_str() {
            "rstudio-connect" => "`Applications.RunAs`".to_owned(),
            "hadley" => "the account of `runAs`".to_owned(),
            "ana" => "the visitor's account".to_owned(),
            other => panic!("{other} runs content"),
        };
    }
    runs
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (mode_label, mode) in MODES {
        for (ask, run_as, asks_visitor) in ASKS {
            // A job has no visitors, and no field to ask for their accounts.
            let of_apps = |(_, world): &(String, World)| !asks_visitor || world.task.serve.is_some();
            for (kind, world) in worlds().into_iter().filter(of_apps) {
                for (setting, is_on, provider) in SETTINGS {
                    let mut world = match mode {
                        Mode::Local => world.clone(),
                        Mode::Pod => world.clone().in_pod(),
                    };
                    world.settings.applications.run_as_current_user = is_on;
                    world.settings.authentication.provider = provider;
                    let ana = account("ana", 1007, 1007, &[998, 1007], None);
                    world.accounts.accounts.insert("ana".to_owned(), ana);
                    for (who, visitor) in VISITORS {
                        let outcome = outcome(world.clone(), run_as, asks_visitor, visitor);
                        let expected = expected(&world, run_as, asks_visitor, visitor);
                        assert!(
                            outcome.starts_with(expected),
                            "{mode_label}, {ask}, {kind}, {setting}, {who}: {outcome}, not {expected}"
                        );
                        let labels = [mode_label, ask, &kind, setting, who].map(str::to_owned);
                        cases.push(Case { labels, outcome });
                    }
                }
            }
        }
    }
    cases
}

/// The rules once more, in other words than the program's.
fn expected(world: &World, run_as: Option<&str>, asks_visitor: bool, visitor: Option<&str>) -> &'static str {
    let kind = world.task.facts.app_mode;
    let is_served = world.task.serve.is_some();
    let fallback = match run_as {
        None => "`Applications.RunAs`",
        Some("hadley") => "the account of `runAs`",
        Some(_) => return "refused",
    };
    if is_served && asks_visitor {
        let is_on = world.settings.applications.run_as_current_user;
        let is_pam = world.settings.authentication.provider == Provider::Pam;
        let may = [
            "shiny",
            "rmd-shiny",
            "quarto-shiny",
            "python-shiny",
            "python-dash",
            "python-streamlit",
            "python-bokeh",
        ];
        if world.task.mode == Mode::Pod || !may.contains(&kind.name()) || !is_on || !is_pam {
            return "refused";
        }
        return match visitor {
            None => fallback,
            Some("ana") => "the visitor's account",
            Some(_) => "refused",
        };
    }
    match kind.served() {
        Some(Served::Files | Served::Result) if is_served => "nothing runs",
        _ => fallback,
    }
}

/// Rows of a table: choices with the same outcomes together. A choice that makes no difference is `any`.
fn rows(cases: &[&Case], depth: usize, before: &[String]) -> Vec<Vec<String>> {
    if depth == 5 {
        let mut row = before.to_vec();
        row.push(cases[0].outcome.clone());
        return vec![row];
    }
    let mut parts: Vec<(String, Vec<&Case>)> = Vec::new();
    for case in cases {
        let label = &case.labels[depth];
        match parts.iter_mut().find(|(known, _)| known == label) {
            Some((_, part)) => part.push(case),
            None => parts.push((label.clone(), vec![case])),
        }
    }
    let mut groups: Vec<(Vec<String>, Vec<&Case>)> = Vec::new();
    let same = |a: &[&Case], b: &[&Case]| {
        let of = |case: &&Case| (case.labels[depth + 1..].to_vec(), case.outcome.clone());
        a.iter().map(of).eq(b.iter().map(of))
    };
    for (label, part) in parts {
        match groups.iter_mut().find(|(_, known)| same(known, &part)) {
            Some((labels, _)) => labels.push(label),
            None => groups.push((vec![label], part)),
        }
    }
    let is_one = groups.len() == 1;
    let mut found = Vec::new();
    for (labels, part) in groups {
        let label = if is_one {
            "any".to_owned()
        } else {
            labels.join("; ")
        };
        let before: Vec<String> = before.iter().cloned().chain([label]).collect();
        found.extend(rows(&part, depth + 1, &before));
    }
    found
}

fn table() -> String {
    let cases = cases();
    let mut table = String::from(
        "| on | content asks for | kind of content | current user, log-in | visitor | runs as |\n|---|---|---|---|---|---|\n",
    );
    for row in rows(&cases.iter().collect::<Vec<_>>(), 0, &[]) {
        let _ = writeln!(table, "| {} |", row.join(" | ").replace('\n', " "));
    }
    table
}

/// Proves: RA1 (L, P), RA2 (L, P), RA3 (L, P), RA4 (L, P), CU1 (L), CU2 (L), CU4 (P)
#[test]
fn the_table_of_who_runs_as_whom_is_what_plans_say() {
    let kept = text(PAGE);
    let (head, rest) = kept.split_once(BEGIN).expect("the page has the mark");
    let (_, tail) = rest.split_once(END).expect("the page has its end");
    assert_page(PAGE, &format!("{head}{BEGIN}\n{}\n{END}{tail}", table()));
}
