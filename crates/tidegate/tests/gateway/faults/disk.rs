//! A disk without space under the access log.

use std::fs;

use tidegate_testkit::{Canary, Faults, eventually};

use super::expect_echo;
use crate::rig::gateway;

/// Lines are lost, counted and told, and nothing else happens; when there is space again, so are lines, each whole.
#[test]
fn f46_a_full_disk_costs_lines_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("access.log");
    let faults = Faults::new();
    let gateway = gateway()
        .with_faults(&faults)
        .top(&format!("access_log = {:?}\n{}", format!("file:{}", log.display()), crate::admin::ADMIN))
        .route("/echo", "echo:", "")
        .start();
    let canary = Canary::of(&gateway, "/echo");
    let session = || expect_echo(&mut gateway.open("/echo"));
    let written = || fs::read_to_string(&log).unwrap();
    session();
    eventually("a line is written", || written().ends_with('\n').then_some(()));
    let before = written().len();

    faults.room(Some(100)); // not enough for a line
    for _ in 0..5 {
        session();
    }
    gateway.diagnosis("the access log cannot be written; lines are lost");
    eventually("all of them are counted", || {
        let metrics = crate::admin::scrape(&gateway);
        (metrics.find("tidegate_access_log_lines_lost_total") == Some(5.0)).then_some(())
    });
    assert_eq!(written().len(), before + 100, "the beginning of a line");

    faults.room(None);
    session();
    gateway.diagnosis("the access log is written again");
    eventually("a line is written", || written().ends_with('\n').then_some(()));
    let text = written();
    let lines: Vec<&str> = text.lines().collect();
    let whole = |line: &&&str| serde_json::from_str::<serde_json::Value>(line).is_ok();
    assert_eq!((lines.len(), lines.iter().filter(whole).count()), (3, 2), "only the cut one is none: {text}");
    let told = gateway.diagnosis_so_far().iter().filter(|line| line.contains("lines are lost")).count();
    assert_eq!(told, 1, "once, and not for each line");
    canary.finish();
    gateway.finish();
}
