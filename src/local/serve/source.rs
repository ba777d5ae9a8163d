//! What the processes of an application are started from: a bundle, and everything that was asked for it.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::api::app::ContentAppSpec;
use crate::apps::{AppId, Deployment};
use crate::content::BundleFacts;
use crate::data::{BundleUse, ContentId};
use crate::gather::{self, Ids, Listings};
use crate::local::error::LocalError;
use crate::local::server::Server;
use crate::plan::{self, Mode, Plan, ProcessPlan, Purpose};

/// A deployment that processes can be started from. Its bundle stays for as long as this does (AP2).
#[derive(Debug)]
pub struct Source {
    /// The application.
    pub app: AppId,
    /// Tells it from every other deployment of the application.
    pub deployment: Deployment,
    /// The bundle and what is asked for.
    pub base: Base,
    /// How long a process may take until it is ready.
    pub init_timeout: Duration,
}

/// A bundle and what is asked for.
#[derive(Debug)]
pub struct Base {
    /// The content item.
    pub content: ContentId,
    /// The bundle.
    pub bundle: u64,
    /// What is asked for, with the content item's defaults.
    pub spec: ContentAppSpec,
    /// What the bundle says.
    pub facts: BundleFacts,
    /// Its path at the gateway.
    pub prefix: String,
    /// The content item's default image, of which local mode only tells that it is not used.
    pub content_image: Option<String>,
    /// Keeps the bundle.
    pub in_use: BundleUse,
}

/// Stands for the key of a process where only the rest of its plan matters.
const ANY_KEY: &str = "KEY";

impl Base {
    /// The plan of a process of this key for a visitor, or for everybody, and of the installations before it.
    ///
    /// # Errors
    /// Content, settings, interpreters and accounts do not go together.
    pub fn plan(
        &self,
        server: &Server,
        key: &str,
        visitor: Option<&str>,
        listings: &Listings,
    ) -> Result<Plan, LocalError> {
        let ids = Ids {
            content: self.content.to_string(),
            bundle: self.bundle.to_string(),
            job_key: key.to_owned(),
            rendering: "1".to_owned(),
            content_image: self.content_image.clone(),
        };
        let data_dir = Some(server.data.root());
        let facts = self.facts.clone();
        let mut task = gather::serving(
            Mode::Local,
            ids,
            &self.spec,
            &self.prefix,
            facts,
            data_dir,
            listings,
        );
        if let Some(serve) = &mut task.serve {
            serve.visitor = visitor.map(str::to_owned);
        }
        let named = self.spec.run_as.as_deref().into_iter().chain(visitor);
        let accounts = gather::accounts(Mode::Local, &server.settings, named)?;
        let runtimes = &server.discovered.runtimes;
        Ok(plan::plan(&task, &server.settings, runtimes, &accounts)?)
    }

    /// What tells this from what was served before: everything that its processes are made of.
    ///
    /// # Errors
    /// As for [`Self::plan`].
    pub fn deployment(&self, server: &Server) -> Result<Deployment, LocalError> {
        let plan = self.plan(server, ANY_KEY, None, &Listings::default())?;
        let process = serving(&plan).map(|process| serde_json::to_vec(process).unwrap_or_default());
        let mut hash = Sha256::new();
        hash.update(self.bundle.to_le_bytes());
        hash.update(process.unwrap_or_default());
        let digest = hash.finalize();
        let hex: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Ok(Deployment::from(format!("{}-{hex}", self.bundle)))
    }
}

impl Source {
    /// The plan of a process of this key for a visitor, or for everybody; everything that it needs is installed.
    ///
    /// # Errors
    /// As for [`Base::plan`].
    pub fn plan(
        &self,
        server: &Server,
        key: &str,
        visitor: Option<&str>,
        listings: &Listings,
    ) -> Result<ProcessPlan, LocalError> {
        let plan = self.base.plan(server, key, visitor, listings)?;
        let app_mode = self.base.facts.app_mode.name();
        let not_served = || {
            LocalError::Plan(plan::PlanError::NotServed {
                app_mode,
                hint: "it is served from files, without a process",
            })
        };
        let mut processes = plan.processes.into_iter();
        processes
            .find(|process| process.purpose == Purpose::Serve)
            .ok_or_else(not_served)
    }
}

/// The process of a plan that serves.
pub(super) fn serving(plan: &Plan) -> Option<&ProcessPlan> {
    plan.processes
        .iter()
        .find(|process| process.purpose == Purpose::Serve)
}

/// Whether packages have to be installed before a process of this plan can start.
#[must_use]
pub fn lacks_packages(plan: &Plan) -> bool {
    plan.processes
        .iter()
        .any(|process| matches!(process.purpose, Purpose::Install(_)))
}
