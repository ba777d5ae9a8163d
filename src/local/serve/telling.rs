//! Tells the database which applications this server serves, and how, for `offhost content list`. Nothing waits for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::keeper::Keeper;
use super::prepare::Wish;
use crate::api::access::AccessType;
use crate::data::{ContentId, Store};
use crate::local::error::LocalError;
use crate::local::server::Server;
use crate::state::Served;

/// What is to be told, and what was.
#[derive(Debug, Default)]
pub(super) struct Telling {
    wanted: Mutex<BTreeMap<String, (ContentId, Wish)>>,
    /// None before this server has told anything.
    told: Mutex<Option<BTreeMap<String, Served>>>,
}

impl Keeper {
    /// Has written down what is served now, where that is not what was written before.
    pub(super) fn tell_served(&self) {
        let served = self.apps.iter().filter_map(|(name, entry)| {
            let content = entry.current.as_ref()?.content.clone();
            Some((name.clone(), (content, entry.wish.clone())))
        });
        let mut wanted = self.telling.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        *wanted = served.collect();
        drop(wanted);
        let (telling, server) = (self.telling.clone(), self.server.clone());
        tokio::task::spawn_blocking(move || {
            if let Err(error) = telling.tell(&server) {
                tracing::debug!("{error}; what is served is told later");
            }
        });
    }
}

impl Telling {
    /// One at a time, and each tells what is wanted when its turn comes: so the last word is the last one.
    fn tell(self: &Arc<Self>, server: &Server) -> Result<(), LocalError> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let before = match &mut *told {
            Some(told) => told,
            none => none.insert(found(server)?),
        };
        // Of one whose record can not be read the last word stays; the sweep of the index tells why.
        let now = wanted
            .iter()
            .filter_map(|(name, (content, wish))| Some((name, served(server, content, wish).ok()?)));
        let now: Vec<(&String, Served)> = now.collect();
        for (name, served) in now {
            if before.get(name) != Some(&served) {
                server.state.put_served(&served)?;
                before.insert(name.clone(), served);
            }
        }
        let gone: Vec<String> = before
            .keys()
            .filter(|name| !wanted.contains_key(*name))
            .cloned()
            .collect();
        for name in gone {
            server.state.forget_served(&name)?;
            before.remove(&name);
        }
        Ok(())
    }
}

/// What a server before this one has left. Where several share the database it may be what another one serves.
fn found(server: &Server) -> Result<BTreeMap<String, Served>, LocalError> {
    if server.state.address().is_shared() {
        return Ok(BTreeMap::new());
    }
    let found = server.state.served()?.into_iter();
    Ok(found.map(|served| (served.name.clone(), served)).collect())
}

fn served(server: &Server, content: &ContentId, wish: &Wish) -> Result<Served, LocalError> {
    let spec = &wish.app.spec;
    let own = Store::new(&server.data).content(content)?.defaults.run_as;
    let usual = || server.settings.applications.run_as.clone();
    let most = server.settings.access_limits().most;
    let access = spec.access.as_ref().map_or(most, |access| access.r#type);
    Ok(Served {
        name: wish.app.metadata.name.clone(),
        content: content.to_string(),
        access: word(access).to_owned(),
        run_as: spec.run_as.clone().or(own).unwrap_or_else(usual),
    })
}

/// As manifests write it.
fn word(access: AccessType) -> &'static str {
    match access {
        AccessType::All => "All",
        AccessType::LoggedIn => "LoggedIn",
        AccessType::Named => "Named",
    }
}
