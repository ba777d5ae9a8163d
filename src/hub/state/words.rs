//! What the hub says of an application: to gateways, and to whoever looks.

use jiff::Timestamp;

use super::State;
use crate::apps::wire::{Stage, ToGateway, ToHub};
use crate::apps::{AppId, AppReport, GatewayId, Moment, Step};
use crate::asked::Reply;
use crate::hub::LinkId;
use crate::hub::board::AppSnapshot;
use crate::hub::clerk::Teller;

impl State {
    /// Hands a question on to who answers such.
    pub(super) fn ask(&self, link: LinkId, message: ToHub) {
        let ToHub::Ask {
            number,
            app,
            question,
        } = message
        else {
            return;
        };
        let Some(to) = self.gateways.sender(link) else {
            return;
        };
        let teller = Teller::new(to, number);
        match &self.options.clerk {
            Some(clerk) => clerk.ask(app, question, teller),
            None => teller.tell(Reply::Failed),
        }
    }
}

/// Whether gateways need not be told of the difference.
pub(super) fn is_same(said: &Stage, stage: &Stage) -> bool {
    matches!((said, stage), (Stage::Starting { .. }, Stage::Starting { .. })) || said == stage
}

/// The message that a step is, and to whom; to all where nobody is named.
pub(super) fn told(app: &AppId, step: Step) -> (Option<GatewayId>, Option<ToGateway>) {
    let app = app.clone();
    match step {
        Step::Open {
            process,
            address,
            accepting,
        } => {
            let message = ToGateway::Open {
                app,
                process,
                address,
                accepting,
            };
            (None, Some(message))
        }
        Step::Gone { process } => (None, Some(ToGateway::Gone { app, process })),
        Step::Grant {
            gateway,
            process,
            seats,
            others,
        } => {
            let message = ToGateway::Grant {
                app,
                process,
                seats,
                others,
            };
            (Some(gateway), Some(message))
        }
        Step::Recall {
            gateway,
            process,
            seats,
        } => (Some(gateway), Some(ToGateway::Recall { app, process, seats })),
        Step::Start { .. } | Step::End { .. } => (None, None),
    }
}

pub(super) fn snapshot(report: AppReport, began: Timestamp) -> AppSnapshot {
    // Whole seconds: what is shown does not change with every request.
    let at = |moment: Moment| {
        let at = began + jiff::SignedDuration::from_secs(i64::try_from(moment.as_secs()).unwrap_or(0));
        Timestamp::from_second(at.as_second()).unwrap_or(at)
    };
    AppSnapshot {
        processes: report.processes,
        ready: report.ready,
        sessions: report.sessions,
        waiting: report.waiting,
        last_use: report.last_use.map(at),
        last_failure: report.last_failure.map(|(failure, moment)| (failure, at(moment))),
        stage: report.stage,
    }
}
