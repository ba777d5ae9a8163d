//! What visitors of a report see while it is rendered again and again.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::may_run;
use super::site::Site;
use crate::faults::place;
use crate::faults::served::lines;

/// What becomes of a render.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Succeeds,
    /// It makes a part of its files, and all of them, and then fails.
    Fails(&'static str),
    /// Its server is killed after so many milliseconds.
    Killed(u64),
}

const FATES: [Fate; 12] = [
    Fate::Succeeds,
    Fate::Fails("before_render() { echo '<p>half' >\"$output_dir/index.html\"; exit 3; }"),
    Fate::Killed(150),
    Fate::Succeeds,
    Fate::Fails("after_render() { exit 3; }"),
    Fate::Killed(300),
    Fate::Succeeds,
    Fate::Succeeds,
    Fate::Killed(450),
    Fate::Fails("after_render() { kill -9 $$; }"),
    Fate::Killed(600),
    Fate::Succeeds,
];

/// What a visitor of the index reads, as the number of the render that made it.
fn number(body: &str) -> Option<usize> {
    let stamp = body.lines().next()?.strip_prefix("index of ")?;
    (body == lines(&format!("index of {stamp}"))).then(|| stamp.parse().ok())?
}

/// Visits until told to end; gives the number of visits. Each answer is a whole file of a result, no older than the one
/// before, and of no render that failed.
fn visit(site: &Site, ended: &AtomicBool, begun: &AtomicUsize) -> usize {
    let (mut visits, mut last) = (0, 0);
    while !ended.load(Ordering::SeqCst) {
        let answer = site.try_visit("/content/report/").expect("there is an answer");
        assert_eq!(answer.status, 200, "{}", answer.head);
        let number = number(&answer.body).unwrap_or_else(|| panic!("no whole page: {:?}", answer.body));
        assert!(number >= last, "{number} after {last}");
        assert!(number <= begun.load(Ordering::SeqCst));
        let is_good = number == 0 || !matches!(FATES[number - 1], Fate::Fails(_));
        assert!(is_good, "the result of a render that failed is seen: {number}");
        let part = site
            .try_visit("/content/report/part-4.html")
            .expect("there is an answer");
        assert_eq!(part.status, 200, "{}", part.head);
        let (first, _) = part.body.split_once('\n').expect("a line");
        assert!(
            first.starts_with("part 4 of ") && part.body == lines(first),
            "{first}"
        );
        last = number;
        visits += 2;
    }
    visits
}

/// Proves: RD3 (L)
#[test]
fn visitors_of_a_report_see_whole_results_alone_while_renders_succeed_fail_and_are_killed() {
    if !may_run() {
        return;
    }
    let site = Site::of_documents("");
    let bundle = site.place.notebook("report", "0", "");
    site.run(&["run", &bundle]).succeeded();
    let manifest = "apiVersion: offhost.dev/v1alpha1\nkind: ContentApp\nmetadata: {name: report}\n";
    site.write_manifest("report", &format!("{manifest}spec: {{content: report}}\n"));
    let server = site.start();
    site.visit_until("report", 200);
    let (ended, begun) = (AtomicBool::new(false), AtomicUsize::new(0));
    let visits: Vec<usize> = std::thread::scope(|scope| {
        let visitors: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| visit(&site, &ended, &begun)))
            .collect();
        for (fate, number) in FATES.iter().zip(1..) {
            begun.store(number, Ordering::SeqCst);
            render(&site, *fate, number);
        }
        ended.store(true, Ordering::SeqCst);
        visitors
            .into_iter()
            .map(|visitor| visitor.join().unwrap())
            .collect()
    });
    assert!(visits.iter().all(|visits| *visits > 20), "{visits:?}");
    let last = site.visit("report");
    assert_eq!(number(&last.body), Some(FATES.len()));
    server.end();
}

fn render(site: &Site, fate: Fate, number: usize) {
    let code = match fate {
        Fate::Fails(code) => code,
        Fate::Succeeds | Fate::Killed(_) => "",
    };
    let bundle = site.place.notebook("report", &number.to_string(), code);
    let mut child = site.place.start(&["run", &bundle]);
    if let Fate::Killed(after) = fate {
        std::thread::sleep(Duration::from_millis(after));
        let _ = child.kill();
    }
    let done = place::wait(child);
    match fate {
        Fate::Succeeds => drop(done.succeeded()),
        Fate::Fails(_) => assert_ne!(done.code, 0, "{done:?}"),
        Fate::Killed(_) => {}
    }
}
