//! What has become of the accounts of those who have logged in, by the name service.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::identity::NameService;
use crate::local::recent::Recent;
use crate::visitors::{NotTold, Standing, Visitor};

/// How long an answer holds.
const HOLDS: Duration = Duration::from_secs(10);
/// How long it is believed while the name service gives none: directory services are restarted.
const BELIEVED: Duration = Duration::from_secs(300);

/// Tells what has become of accounts.
#[derive(Debug)]
pub(super) struct Standings {
    service: Arc<NameService>,
    recent: Recent<Result<Told, NotTold>>,
}

/// What the name service said, and when.
#[derive(Clone, Copy, Debug)]
struct Told {
    standing: Standing,
    at: Instant,
}

impl Standings {
    /// Asks this name service.
    pub(super) fn new(service: NameService) -> Self {
        Self {
            service: Arc::new(service),
            recent: Recent::new(HOLDS),
        }
    }

    /// The account that this visitor has logged in with.
    pub(super) async fn of(&self, visitor: &Visitor) -> Result<Standing, NotTold> {
        let key = format!("{:?} {}", visitor.uid, visitor.user);
        let (service, user, uid) = (self.service.clone(), visitor.user.clone(), visitor.uid);
        let ask = move |before| ask(&service, &user, uid, before);
        let broken = || Err(NotTold("the question broke down".to_owned()));
        let told = self.recent.answer(&key, ask).await.unwrap_or_else(broken);
        told.map(|told| told.standing)
    }
}

fn ask(
    service: &NameService,
    user: &str,
    uid: Option<u32>,
    before: Option<Result<Told, NotTold>>,
) -> Result<Told, NotTold> {
    match (service.uid_of(user, uid), before) {
        (Ok(now), _) => Ok(Told {
            standing: Standing::of(uid, now),
            at: Instant::now(),
        }),
        (Err(error), Some(Ok(told))) if told.at.elapsed() < BELIEVED => {
            tracing::warn!(visitor = user, "{error}; what it said before is believed");
            Ok(told)
        }
        (Err(error), _) => Err(NotTold(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn broken() -> NameService {
        NameService {
            program: PathBuf::from("/no/such/getent"),
            ..NameService::default()
        }
    }

    fn told(age: Duration) -> Option<Result<Told, NotTold>> {
        let at = Instant::now().checked_sub(age)?;
        Some(Ok(Told {
            standing: Standing::Same,
            at,
        }))
    }

    #[tokio::test]
    async fn an_account_is_the_same_by_name_and_number() {
        let standings = Standings::new(NameService::default());
        for (user, uid, standing) in [
            ("root", Some(0), Standing::Same),
            ("root", Some(1), Standing::Other),
            ("root", None, Standing::Other),
            ("no-such-account", Some(7), Standing::Gone),
            ("no-such-account", None, Standing::Same),
            // Nobody of that name, whatever the number is to `getent`.
            ("0", None, Standing::Same),
            ("0", Some(0), Standing::Gone),
            ("-h", Some(0), Standing::Gone),
        ] {
            let visitor = Visitor {
                user: user.to_owned(),
                groups: Vec::new(),
                uid,
            };
            assert_eq!(standings.of(&visitor).await, Ok(standing), "{user} {uid:?}");
        }
    }

    #[test]
    fn while_the_name_service_is_away_its_last_word_counts_for_minutes() {
        let known = ask(&broken(), "ann", Some(1000), told(Duration::from_secs(60)));
        assert!(
            matches!(known, Ok(told) if told.standing == Standing::Same),
            "{known:?}"
        );
        assert!(ask(&broken(), "ann", Some(1000), None).is_err());
        let refused = Some(Err(NotTold(String::new())));
        assert!(ask(&broken(), "ann", Some(1000), refused).is_err());
        // A machine that has just started has no time so long ago.
        if let Some(old) = told(BELIEVED) {
            assert!(ask(&broken(), "ann", Some(1000), Some(old)).is_err());
        }
    }
}
