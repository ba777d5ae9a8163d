//! A plan with what is in force now: the settings, `runtimes.yaml`, the accounts this program knows.

use std::sync::Arc;

use super::runtimes::InForce;
use crate::gather;
use crate::plan::{self, EnvironmentKey, Mode, Plan, PlanError, Task};
use crate::reason::Reason;
use crate::runtimes::NoCandidate;
use crate::settings::Settings;
use crate::status::{Planned, Problem};

/// What plans are made with. One look at a job keeps to one version of it.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The settings.
    pub settings: Arc<Settings>,
    /// The images.
    pub in_force: InForce,
}

impl Rules {
    /// The plan of a task, or why there is none.
    ///
    /// # Errors
    /// [`Planned::Refused`] where the job can never be done, [`Planned::Waiting`] where something may still come.
    pub fn plan(&self, task: &Task) -> Result<Plan, Box<Planned>> {
        let run_as = task.spec.run_as.as_deref();
        let accounts = gather::accounts(Mode::Pod, &self.settings, run_as).map_err(|error| {
            Box::new(Planned::Waiting(Problem {
                reason: Reason::AccountRefused,
                message: error.to_string(),
            }))
        })?;
        plan::plan(task, &self.settings, &self.in_force.runtimes, &accounts)
            .map_err(|error| self.verdict(&error))
    }

    /// The environments that a task needs, installed or not.
    ///
    /// # Errors
    /// As for [`Self::plan`].
    pub fn environments(&self, task: &Task) -> Result<Vec<EnvironmentKey>, Box<Planned>> {
        plan::environments(task, &self.settings, &self.in_force.runtimes)
            .map_err(|error| self.verdict(&error))
    }

    fn verdict(&self, error: &PlanError) -> Box<Planned> {
        let problem = |message| Problem {
            reason: error.reason(),
            message,
        };
        Box::new(match (error, &self.in_force.missing) {
            (PlanError::Runtime(NoCandidate::NoRuntimes), Some(broken)) => {
                Planned::Waiting(problem(broken.clone()))
            }
            (PlanError::Runtime(NoCandidate::Need(_)), _) => Planned::Refused(Problem {
                reason: Reason::InvalidInput,
                message: error.to_string(),
            }),
            (PlanError::Runtime(_), _) => Planned::Waiting(problem(error.to_string())),
            _ => Planned::Refused(problem(error.to_string())),
        })
    }
}
