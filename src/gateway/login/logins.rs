//! Log-ins with passwords: checked, begun, looked up, ended.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use tokio::sync::{Semaphore, broadcast};
use tokio::time::{Instant, sleep_until, timeout};
use zeroize::Zeroizing;

use super::cookies::LOGIN;
use super::store::{LoginStore, StoreError};
use super::{Known, NotKnown, now};
use crate::gateway::cookie_keys::random_id;
use crate::gateway::keyring::{Keyring, Seal};
use crate::visitors::{
    CheckError, Checked, Lifetimes, Login, LoginId, Passwords, Standing, Throttle, ThrottleLimits, Visitor,
};

/// Wrong passwords for one name.
const BY_USER: ThrottleLimits = ThrottleLimits {
    burst: 10,
    every: Duration::from_secs(30),
};
/// Wrong passwords from one address, behind which there may be many people.
const BY_ADDRESS: ThrottleLimits = ThrottleLimits {
    burst: 40,
    every: Duration::from_secs(5),
};
/// Checks at a time, and how long one may wait for another.
const CHECKS: usize = 8;
const TURN: Duration = Duration::from_secs(10);
/// How long a check may take.
const CHECK: Duration = Duration::from_secs(60);
/// A refusal takes at least as long, and then a multiple of the step, so that its time does not tell names that exist
/// from others.
const REFUSAL: Duration = Duration::from_secs(1);
const REFUSAL_STEP: Duration = Duration::from_millis(500);
/// How often it is looked whether a log-in of an open connection counts.
const LOOK: Duration = Duration::from_secs(30);
/// An open connection ends when its visitor's account was gone at so many looks: a directory service that is restarted
/// costs nobody a session.
const GONE: u32 = 5;
/// How often log-ins that do not count are removed.
const SWEEP: Duration = Duration::from_secs(300);

/// What log-ins are made with.
#[derive(Debug)]
pub struct LogInsOptions {
    /// Checks passwords.
    pub passwords: Arc<dyn Passwords>,
    /// Keeps log-ins.
    pub store: Arc<dyn LoginStore>,
    /// How long they count.
    pub lifetimes: Lifetimes,
    /// `Authentication.Notice`: said on the page to log in.
    pub notice: String,
}

/// Log-ins.
#[derive(Debug)]
pub struct LogIns {
    options: LogInsOptions,
    begun: Instant,
    /// By user and by address.
    throttles: Mutex<[Throttle; 2]>,
    checks: Semaphore,
    /// Tells connections whose log-in has ended.
    ended: broadcast::Sender<LoginId>,
}

/// What has become of a log-in.
enum Found {
    /// It counts.
    Counts(Login),
    /// The visitor's account is gone. The log-in counts again when the account is back.
    Gone,
    /// It has ended, or never was.
    Over,
}

/// Why nobody is logged in.
#[derive(Debug)]
pub(super) enum NoLogIn {
    /// Too many attempts: another one may be made after this time.
    Throttled(Duration),
    Check(CheckError),
}

impl LogIns {
    /// Begins.
    #[must_use]
    pub fn new(options: LogInsOptions) -> Self {
        Self {
            options,
            begun: Instant::now(),
            throttles: Mutex::new([Throttle::new(BY_USER), Throttle::new(BY_ADDRESS)]),
            checks: Semaphore::new(CHECKS),
            ended: broadcast::channel(256).0,
        }
    }

    /// What is said on the page to log in.
    pub(super) fn notice(&self) -> &str {
        &self.options.notice
    }

    /// Who asks, by the cookie of a log-in that counts.
    pub(super) async fn who(
        &self,
        keys: &Keyring,
        is_https: bool,
        headers: &HeaderMap,
    ) -> Result<Option<Known>, NotKnown> {
        let now = now();
        for value in LOGIN.values(headers, is_https) {
            let Ok(sealed) = keys.open(&[Seal::LogIn], value, now, self.lifetime()) else {
                continue;
            };
            let Ok(id) = <[u8; 16]>::try_from(sealed.body) else {
                continue;
            };
            let id = LoginId(u128::from_be_bytes(id));
            if let Found::Counts(login) = self.find(id, now).await? {
                return Ok(Some(Known {
                    visitor: login.visitor,
                    login: Some(id),
                }));
            }
        }
        Ok(None)
    }

    fn lifetime(&self) -> u64 {
        match self.options.lifetimes.lifetime.as_secs() {
            0 => u64::MAX,
            seconds => seconds,
        }
    }

    /// A log-in. Where it counts, its visitor is seen with that.
    async fn find(&self, id: LoginId, now: u64) -> Result<Found, NotKnown> {
        let store = &self.options.store;
        let Some(login) = store.find(id).await? else {
            return Ok(Found::Over);
        };
        if login.stale(self.options.lifetimes, now).is_some() {
            self.end(&login).await?;
            return Ok(Found::Over);
        }
        match self.options.passwords.standing(&login.visitor).await? {
            Standing::Same => {}
            Standing::Gone => return Ok(Found::Gone),
            Standing::Other => {
                self.end_of_account(&login).await?;
                return Ok(Found::Over);
            }
        }
        if login.is_news(self.options.lifetimes, now) {
            store.seen(id, now).await?;
        }
        Ok(Found::Counts(login))
    }

    /// Ends all log-ins of an account whose name is another one's now.
    async fn end_of_account(&self, login: &Login) -> Result<(), StoreError> {
        let (store, visitor) = (&self.options.store, &login.visitor);
        tracing::warn!(
            target: "offhost::audit", user = visitor.user, uid = visitor.uid,
            "logged out: the name is another account's now"
        );
        for id in store.of_user(&visitor.user).await? {
            if let Some(other) = store.find(id).await?
                && other.visitor.uid == visitor.uid
            {
                self.end(&other).await?;
            }
        }
        Ok(())
    }

    /// Begins a log-in, if the password is right; gives the value of its cookie.
    pub(super) async fn begin(
        &self,
        keys: &Keyring,
        user: &str,
        password: Zeroizing<Vec<u8>>,
        address: IpAddr,
    ) -> Result<(Arc<Visitor>, String), NoLogIn> {
        let begun = Instant::now();
        let names = [one_name(user), network(address)];
        self.attempt(&names).map_err(NoLogIn::Throttled)?;
        let checked = match self.check(user, password, address).await {
            Ok(checked) => checked,
            Err(error) => {
                if matches!(error, CheckError::Refused { .. }) {
                    sleep_until(begun + refusal(begun.elapsed())).await;
                } else {
                    self.forgive(&names);
                }
                return Err(NoLogIn::Check(error));
            }
        };
        self.forgive(&names);
        let unavailable = |why: String| NoLogIn::Check(CheckError::Unavailable(why));
        let id = random_id().map_err(|error| unavailable(error.to_string()))?;
        let (now, visitor) = (now(), Arc::new(Visitor::from(checked)));
        let login = Login {
            id: LoginId(id),
            visitor: visitor.clone(),
            since: now,
            seen: now,
        };
        let stored = self.options.store.begin(login).await;
        stored.map_err(|error| unavailable(error.to_string()))?;
        Ok((visitor, keys.seal(Seal::LogIn, now, &id.to_be_bytes())))
    }

    /// Counts an attempt of this name from this address; how long to wait where there were too many.
    fn attempt(&self, names: &[String; 2]) -> Result<(), Duration> {
        let now = self.begun.elapsed();
        let mut throttles = self.throttles.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = throttles
            .iter()
            .zip(names)
            .map(|(throttle, name)| throttle.wait(name, now));
        match waits.max().unwrap_or_default() {
            Duration::ZERO => {}
            wait => return Err(wait),
        }
        for (throttle, name) in throttles.iter_mut().zip(names) {
            throttle.count(name, now);
        }
        Ok(())
    }

    fn forgive(&self, names: &[String; 2]) {
        let mut throttles = self.throttles.lock().unwrap_or_else(PoisonError::into_inner);
        for (throttle, name) in throttles.iter_mut().zip(names) {
            throttle.forgive(name);
        }
    }

    async fn check(
        &self,
        user: &str,
        password: Zeroizing<Vec<u8>>,
        from: IpAddr,
    ) -> Result<Checked, CheckError> {
        let unavailable = |why: &str| CheckError::Unavailable(why.to_owned());
        let turn = timeout(TURN, self.checks.acquire()).await;
        let _turn = turn.map_err(|_| unavailable("too many log in at the same time"))?;
        let checked = timeout(CHECK, self.options.passwords.check(user, password, from)).await;
        checked.unwrap_or_else(|_| Err(unavailable("the check took longer than a minute")))
    }

    /// Ends a log-in, or all of its user; gives the user's name.
    pub(super) async fn log_out(&self, id: LoginId, everywhere: bool) -> Result<(), StoreError> {
        let Some(login) = self.options.store.find(id).await? else {
            return Ok(());
        };
        self.end(&login).await?;
        if everywhere {
            for other in self.options.store.of_user(&login.visitor.user).await? {
                self.end(&Login {
                    id: other,
                    ..login.clone()
                })
                .await?;
            }
        }
        Ok(())
    }

    /// Ends a log-in here and at its open connections; with a user's last one, what is kept of the password goes.
    async fn end(&self, login: &Login) -> Result<(), StoreError> {
        self.options.store.end(login.id).await?;
        // Nobody may listen.
        let _none = self.ended.send(login.id);
        if self.options.store.of_user(&login.visitor.user).await?.is_empty() {
            self.options.passwords.forget(&login.visitor.user);
        }
        Ok(())
    }

    /// Returns when a log-in is over. A visitor with an open connection is seen.
    pub(super) async fn over(&self, id: LoginId) {
        let mut ended = self.ended.subscribe();
        // It may have ended before anybody listened.
        let mut look = Instant::now();
        let mut gone = 0;
        loop {
            tokio::select! {
                told = ended.recv() => match told {
                    Ok(other) if other == id => return,
                    Ok(_) => continue,
                    // Some were not heard.
                    Err(_) => {}
                },
                () = sleep_until(look) => {}
            }
            look = Instant::now() + LOOK;
            match self.find(id, now()).await {
                Ok(Found::Over) => return,
                Ok(Found::Gone) if gone + 1 == GONE => return,
                Ok(Found::Gone) => gone += 1,
                Ok(Found::Counts(_)) => gone = 0,
                // While it can not be told, the connection stays.
                Err(_) => {}
            }
        }
    }

    /// Removes what does not count any more, for as long as it is polled.
    pub(super) async fn sweep(&self) {
        loop {
            tokio::time::sleep(SWEEP).await;
            if let Err(error) = self.options.store.sweep(self.options.lifetimes, now()).await {
                tracing::warn!("{error}; old ones are removed later");
            }
        }
    }
}

/// How long after its beginning a refusal is told.
fn refusal(took: Duration) -> Duration {
    let mut after = REFUSAL;
    while after < took {
        after += REFUSAL_STEP;
    }
    after
}

/// What counts as one name: many name services take all spellings of a name for the same user, so that each spelling
/// would be a name to try anew.
fn one_name(user: &str) -> String {
    user.trim().to_lowercase()
}

/// What counts as one address: a network of IPv6 is one household.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::future::{BoxFuture, FutureExt as _, ready};

    use super::*;
    use crate::gateway::MemoryLogins;
    use crate::visitors::NotTold;

    /// Says of the account at each look what comes next, the last one again and again.
    #[derive(Debug)]
    struct Looks(Mutex<Vec<Result<Standing, NotTold>>>);

    impl Passwords for Looks {
        fn check(
            &self,
            _user: &str,
            _password: Zeroizing<Vec<u8>>,
            _from: IpAddr,
        ) -> BoxFuture<'_, Result<Checked, CheckError>> {
            ready(Err(CheckError::Expired)).boxed()
        }

        fn standing<'a>(&'a self, _visitor: &'a Visitor) -> BoxFuture<'a, Result<Standing, NotTold>> {
            let mut looks = self.0.lock().unwrap();
            let next = if looks.len() > 1 {
                looks.remove(0)
            } else {
                looks[0].clone()
            };
            ready(next).boxed()
        }
    }

    /// How many looks an open connection lasts.
    async fn looks(standings: Vec<Result<Standing, NotTold>>) -> u64 {
        let logins = LogIns::new(LogInsOptions {
            passwords: Arc::new(Looks(Mutex::new(standings))),
            store: Arc::new(MemoryLogins::default()),
            lifetimes: Lifetimes {
                lifetime: Duration::ZERO,
                inactivity: Duration::ZERO,
            },
            notice: String::new(),
        });
        let (id, now) = (LoginId(1), now());
        let visitor = Arc::new(Visitor {
            user: "ann".to_owned(),
            groups: Vec::new(),
            uid: Some(1000),
        });
        let login = Login {
            id,
            visitor,
            since: now,
            seen: now,
        };
        logins.options.store.begin(login).await.unwrap();
        let begun = Instant::now();
        logins.over(id).await;
        begun.elapsed().as_secs() / LOOK.as_secs() + 1
    }

    /// Proves: CU3 (L)
    #[tokio::test(start_paused = true)]
    async fn an_open_connection_outlives_a_directory_that_is_restarted_and_no_account_that_is_gone() {
        let (same, gone) = (Ok(Standing::Same), Ok(Standing::Gone));
        let away = || Err(NotTold(String::new()));
        assert_eq!(looks(vec![gone.clone()]).await, u64::from(GONE));
        assert_eq!(looks(vec![same.clone(), Ok(Standing::Other)]).await, 2);
        let restarted = vec![
            gone.clone(),
            gone.clone(),
            away(),
            gone.clone(),
            same,
            gone.clone(),
            gone,
        ];
        assert_eq!(looks(restarted).await, 5 + u64::from(GONE));
    }

    #[test]
    fn refusals_take_the_same_time() {
        for (took, told) in [(0, 1000), (999, 1000), (1001, 1500), (1700, 2000), (4001, 4500)] {
            assert_eq!(refusal(Duration::from_millis(took)), Duration::from_millis(told));
        }
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let network = |text: &str| super::network(text.parse().unwrap());
        assert_eq!(network("2001:db8:1:2:3::4"), network("2001:db8:1:2:ffff::1"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }
}
