//! The parameters of a document on a cluster: the form is read from the bundle on the data volume, and what visitors ask for
//! is asked of the controller that leads. A gateway itself may make no jobs (PK6).

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Zoned;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Semaphore, watch};

use super::wish::Wish;
use crate::api::app_resource::ContentApp;
use crate::apps::AppId;
use crate::asked::{About, Begin, Given, Line, Owner, Parcel, Question, Reply, Sealing, Shown, is_id};
use crate::content::dir::DirFiles;
use crate::content::form::{Answers, Form, form};
use crate::content::gather;
use crate::data::{ContentId, Variant, layout};
use crate::gateway::cookie_keys::random_id;
use crate::gateway::form::{Desk, Look, Refused, VARIANTS};
use crate::gateway::{AppState, FileServer, FilesAt, FilesRoute, Questions};
use crate::settings::Settings;

/// Characters of one answer in the list of results.
const MOST_TOLD: usize = 200;
/// Results that are remembered to be there, of one document.
const MOST_DONE: usize = 512;
/// How long it is asked how results are.
const TO_LOOK: Duration = Duration::from_secs(15);
/// How often a page that waits has it asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// What all forms have in common.
#[derive(Debug)]
pub(super) struct Desks {
    pub(super) settings: Arc<Settings>,
    pub(super) files: Arc<FileServer>,
    pub(super) questions: Arc<Questions>,
    /// Seals passwords and files.
    pub(super) sealing: Sealing,
    /// Held while passwords and files are sent: the link has other things to carry.
    pub(super) sending: Semaphore,
}

/// The parameters of one document.
#[derive(Debug)]
struct DeskAt {
    desks: Arc<Desks>,
    form: Form,
    app: AppId,
    name: String,
    path: String,
    content: ContentId,
    bundle: u64,
    /// Results that are there, with their owners: neither changes any more, and what was removed has no files. Their pages
    /// need no controller.
    done: Mutex<VecDeque<(Owner, String)>>,
}

/// No controller has said how a result is.
#[derive(Debug)]
struct Untold;

impl Desks {
    /// The form of a document; none where it has no parameters, or nobody is to be asked for them. Blocks.
    pub(super) fn of(
        self: &Arc<Self>,
        app: &ContentApp,
        (name, path): (&str, &str),
        content: &ContentId,
        bundle: u64,
    ) -> Option<Arc<dyn Desk>> {
        if self.settings.applications.parameter_result_limit == 0 {
            return None;
        }
        let root = self
            .settings
            .server
            .data_dir
            .join(layout::bundle(content, bundle));
        let told = |error: String| tracing::warn!(app = name, "no form asks for the parameters: {error}");
        let files = DirFiles::open(&root)
            .map_err(|error| told(error.to_string()))
            .ok()?;
        let facts = gather(&files, &app.spec.as_job(name));
        let facts = facts.map_err(|error| told(error.to_string())).ok()?;
        let form = form(&files, &facts)
            .map_err(|error| told(error.to_string()))
            .ok()??;
        Some(Arc::new(DeskAt {
            desks: self.clone(),
            form,
            app: AppId::from(app.metadata.uid.as_deref().unwrap_or_default()),
            name: name.to_owned(),
            path: path.to_owned(),
            content: content.clone(),
            bundle,
            done: Mutex::default(),
        }))
    }
}

impl DeskAt {
    async fn begin(&self, owner: Owner, address: IpAddr, answers: Answers) -> Result<String, Refused> {
        let random = random_id().map_err(|_| Refused::Failed)?;
        // Nobody can guess it, though it alone opens nothing.
        let id = format!("v{random:032x}");
        let (desks, content, bundle) = (self.desks.clone(), self.content.clone(), self.bundle);
        // Files may be large.
        let made = tokio::task::spawn_blocking(move || {
            let digest = digest(bundle, &answers);
            let (parameters, apart) = answers.split();
            let given = Given {
                parameters: apart,
                files: answers.files,
            };
            let sealed = seal(&desks.sealing, &id, (content.as_str(), bundle), &given)?;
            let told = answers.told.iter();
            let begin = Begin {
                given: sealed.as_deref().map(Parcel::of),
                id,
                owner,
                address,
                content: content.to_string(),
                bundle,
                digest,
                parameters,
                told: told.map(|(label, text)| (label.clone(), short(text))).collect(),
            };
            Wish::of(begin, sealed)
        });
        let wish = made.await.map_err(|_| Refused::Failed)??;
        self.desks.begun(&self.app, &self.name, wish).await
    }

    async fn shown(&self, owner: &Owner, id: &str) -> Result<Option<Shown>, Untold> {
        if !is_id(id) {
            return Ok(None);
        }
        let own = (owner.clone(), id.to_owned());
        if self.done().contains(&own) {
            return Ok(Some(Shown::Done));
        }
        let question = Question::Look {
            owner: owner.clone(),
            id: id.to_owned(),
        };
        let reply = self.desks.questions.ask(&self.app, question, TO_LOOK).await;
        let shown = match reply {
            Some(Reply::Look(Some(shown))) => shown,
            Some(Reply::Look(None)) => return Ok(None),
            _ => return Err(Untold),
        };
        if shown == Shown::Done {
            let mut done = self.done();
            done.truncate(MOST_DONE - 1);
            done.push_front(own);
        }
        Ok(Some(shown))
    }

    fn done(&self) -> MutexGuard<'_, VecDeque<(Owner, String)>> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What changes while a page waits.
    fn follow(&self, owner: Owner, id: String, elapsed: Duration) -> watch::Receiver<AppState> {
        let now = Instant::now();
        let since = now.checked_sub(elapsed).unwrap_or(now);
        let (state, receiver) = watch::channel(AppState::Starting { since });
        let (questions, app) = (self.desks.questions.clone(), self.app.clone());
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = state.closed() => return,
                    () = tokio::time::sleep(PAUSE) => {}
                }
                let question = Question::Look {
                    owner: owner.clone(),
                    id: id.clone(),
                };
                match questions.ask(&app, question, TO_LOOK).await {
                    Some(Reply::Look(Some(Shown::Waiting { .. }))) | None => {}
                    Some(Reply::Look(Some(Shown::Failed(failure)))) => {
                        state.send_replace(AppState::Failed(failure));
                        return;
                    }
                    // Of one that is gone the page itself says so.
                    Some(_) => {
                        state.send_replace(AppState::Ready);
                        return;
                    }
                }
            }
        });
        receiver
    }

    fn files(&self, id: &str) -> Option<FilesAt> {
        let variant = Variant::parse(id).ok()?;
        let root = &self.desks.settings.server.data_dir;
        Some(FilesAt::new(
            self.desks.files.clone(),
            FilesRoute::active(root.join(layout::variant(&self.content, &variant))),
            self.name.clone(),
            format!("{}{VARIANTS}/{id}", self.path),
        ))
    }
}

impl Desk for DeskAt {
    fn form(&self) -> &Form {
        &self.form
    }

    fn today(&self) -> String {
        Zoned::now().date().to_string()
    }

    fn days(&self) -> Option<u64> {
        self.desks.settings.applications.parameter_result_days()
    }

    fn ask(&self, owner: Owner, address: IpAddr, answers: Answers) -> BoxFuture<'_, Result<String, Refused>> {
        self.begin(owner, address, answers).boxed()
    }

    fn results<'a>(&'a self, owner: &'a Owner) -> BoxFuture<'a, Option<Vec<Line>>> {
        let question = Question::List { owner: owner.clone() };
        async move {
            match self.desks.questions.ask(&self.app, question, TO_LOOK).await {
                Some(Reply::List(lines)) => Some(lines),
                _ => None,
            }
        }
        .boxed()
    }

    fn look<'a>(&'a self, owner: &'a Owner, id: &'a str) -> BoxFuture<'a, Option<Look>> {
        async move {
            let Ok(shown) = self.shown(owner, id).await else {
                return Some(Look::Untold);
            };
            Some(match shown? {
                Shown::Waiting { elapsed } => {
                    Look::Waiting(self.follow(owner.clone(), id.to_owned(), elapsed))
                }
                Shown::Failed(failure) => Look::Failed(failure),
                Shown::Done => Look::Done(Arc::new(self.files(id)?)),
            })
        }
        .boxed()
    }
}

/// Passwords and files, as only a controller reads them; none where none was given.
fn seal(
    sealing: &Sealing,
    id: &str,
    (content, bundle): (&str, u64),
    given: &Given,
) -> Result<Option<Vec<u8>>, Refused> {
    if given.is_empty() {
        return Ok(None);
    }
    let about = About { id, content, bundle };
    sealing.seal(about, given).map(Some).ok_or(Refused::Failed)
}

/// What tells these answers from others. Of a password nothing is kept, so each of them is another.
fn digest(bundle: u64, answers: &Answers) -> Option<String> {
    if answers.has_secret {
        return None;
    }
    let mut hash = Sha256::new();
    hash.update(bundle.to_le_bytes());
    hash.update(serde_json::to_vec(&answers.values).ok()?);
    for file in &answers.files {
        hash.update(Sha256::digest(&file.bytes));
    }
    Some(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn short(text: &str) -> String {
    match text.char_indices().nth(MOST_TOLD) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::form::Upload;

    fn answers() -> Answers {
        Answers {
            values: [("region".to_owned(), "south".into())].into(),
            files: Vec::new(),
            apart: [].into(),
            has_secret: false,
            told: Vec::new(),
        }
    }

    /// Proves: PK6 (P)
    #[test]
    fn other_answers_and_other_bundles_have_other_digests() {
        let mut other = answers();
        other.values.insert("year".to_owned(), 2024.into());
        assert_eq!(digest(1, &answers()), digest(1, &answers()));
        assert_ne!(digest(1, &answers()), digest(2, &answers()));
        assert_ne!(digest(1, &answers()), digest(1, &other));
        let file = |byte| Answers {
            files: vec![Upload {
                name: "p0-a.csv".to_owned(),
                bytes: vec![byte],
            }],
            ..answers()
        };
        assert_ne!(digest(1, &file(1)), digest(1, &file(2)));
        assert_eq!(digest(1, &file(1)), digest(1, &file(1)));
        other.has_secret = true;
        assert_eq!(digest(1, &other), None, "of a password nothing is kept");
        assert_eq!(short(&"ä".repeat(MOST_TOLD + 1)).chars().count(), MOST_TOLD + 1);
        assert_eq!(short("ä"), "ä");
    }

    fn desk() -> DeskAt {
        let options = crate::settings::LoadOptions {
            config: None,
            env: std::collections::BTreeMap::new(),
            ordinary_user: None,
        };
        let settings = crate::settings::load(options).unwrap().settings;
        let desks = Desks {
            settings: Arc::new(settings),
            files: Arc::new(FileServer::default()),
            questions: Arc::new(Questions::default()),
            sealing: Sealing::new([0; 32]),
            sending: Semaphore::new(1),
        };
        DeskAt {
            desks: Arc::new(desks),
            form: Form { fields: Vec::new() },
            app: AppId::from("uid"),
            name: "sales".to_owned(),
            path: "/content/sales".to_owned(),
            content: ContentId::parse("sales").unwrap(),
            bundle: 1,
            done: Mutex::default(),
        }
    }

    /// Proves: PK6 (P)
    #[tokio::test(start_paused = true)]
    async fn without_a_controller_nobody_is_told_that_their_result_is_not_there() {
        let (desk, owner) = (desk(), Owner::user("ann"));
        let id = format!("v{:032x}", 1);
        assert!(matches!(desk.look(&owner, &id).await, Some(Look::Untold)));
        assert_eq!(desk.results(&owner).await, None);
        assert!(desk.look(&owner, "none").await.is_none(), "no id");
        desk.done().push_front((owner.clone(), id.clone()));
        assert!(matches!(desk.look(&owner, &id).await, Some(Look::Done(_))));
    }
}
