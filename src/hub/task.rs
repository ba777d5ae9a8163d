//! The loop around the hub's state.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::state::State;
use super::{Fleet, HubInbox, HubOptions, Input};

/// Messages that are taken in before it is decided what follows.
const BATCH: usize = 256;

/// Runs a hub until it is dropped, or all its handles and links are gone. Then its gateways look for another.
pub async fn run(inbox: HubInbox, fleet: Arc<dyn Fleet>, options: HubOptions) {
    let HubInbox {
        mut control,
        mut heard,
        board,
    } = inbox;
    let began = Instant::now();
    let mut state = State::new(fleet, options, board);
    loop {
        let due = state.due();
        let input = tokio::select! {
            biased;
            input = control.recv() => match input {
                Some(input) => Some(input),
                None => return,
            },
            Some(input) = heard.recv() => Some(input),
            () = sleep_until(due.map(|due| began + due)) => None,
        };
        let now = began.elapsed();
        if let Some(input) = input {
            state.take(input, now);
            take_more(&mut state, &mut control, &mut heard, now);
        }
        state.settle(now);
    }
}

fn take_more(
    state: &mut State,
    control: &mut mpsc::UnboundedReceiver<Input>,
    heard: &mut mpsc::Receiver<Input>,
    now: std::time::Duration,
) {
    for _ in 0..BATCH {
        let Some(input) = control.try_recv().ok().or_else(|| heard.try_recv().ok()) else {
            return;
        };
        state.take(input, now);
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
