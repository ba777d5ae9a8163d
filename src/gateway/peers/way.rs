//! Where a request of a session goes: decided by who has the session, never by who should have it, so that gateways that
//! do not know of each other at the moment can not come to different owners. Pure.

use std::collections::HashMap;

use crate::apps::{AppId, GatewayId};

/// Owners that are remembered at least; at most twice as many.
const REMEMBERED: usize = 4096;

/// What a gateway knows of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// It has the session, or the connection that the session is to go on with.
    pub is_here: bool,
    /// Another gateway passed it on.
    pub is_passed_on: bool,
    /// It begins something that is nowhere yet.
    pub is_new: bool,
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way<'a> {
    /// It is answered here.
    Here,
    /// To the first that has the session; where none has it, it is answered here.
    Ask {
        /// Who had it before: nobody else is asked unless that one has it no more.
        first: Option<&'a GatewayId>,
        /// Everybody else.
        others: Vec<&'a GatewayId>,
    },
}

/// Decides.
#[must_use]
pub fn way<'a>(
    facts: Facts,
    own: &GatewayId,
    all: impl Iterator<Item = &'a GatewayId>,
    remembered: Option<&GatewayId>,
) -> Way<'a> {
    if facts.is_here || facts.is_passed_on || facts.is_new {
        return Way::Here;
    }
    let others = all.filter(|gateway| *gateway != own);
    let (first, others): (Vec<_>, Vec<_>) = others.partition(|gateway| Some(*gateway) == remembered);
    let first = first.first().copied();
    if first.is_none() && others.is_empty() {
        return Way::Here;
    }
    Way::Ask { first, others }
}

type Key = (AppId, String);

/// Who has which sessions, as far as it was asked for: so many, and those of late.
#[derive(Debug, Default)]
pub struct Owners {
    young: HashMap<Key, GatewayId>,
    old: HashMap<Key, GatewayId>,
}

impl Owners {
    /// Who had it.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<&GatewayId> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// This one has it.
    pub fn set(&mut self, key: Key, owner: GatewayId) {
        if self.young.len() >= REMEMBERED {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, owner);
    }

    /// Nobody is known to have it.
    pub fn remove(&mut self, key: &Key) {
        self.young.remove(key);
        self.old.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GATEWAYS: usize = 4;

    fn name(number: usize) -> GatewayId {
        GatewayId::from(format!("g{number}").as_str())
    }

    fn key(session: usize) -> Key {
        (AppId::from("app"), session.to_string())
    }

    /// Gateways, whom each knows, and who has which sessions.
    struct World {
        alive: [bool; GATEWAYS],
        knows: [[bool; GATEWAYS]; GATEWAYS],
        has: HashMap<usize, Vec<usize>>,
        owners: [Owners; GATEWAYS],
    }

    #[derive(Debug, PartialEq, Eq)]
    enum Went {
        Here,
        To(usize),
    }

    impl World {
        fn has(&self, gateway: usize, session: usize) -> bool {
            self.alive[gateway] && self.has.get(&session).is_some_and(|who| who.contains(&gateway))
        }

        /// A request comes to a gateway; gives where it was answered.
        fn come(&mut self, at: usize, session: usize, may_begin: bool) -> Went {
            let all: Vec<GatewayId> = (0..GATEWAYS)
                .filter(|other| self.knows[at][*other])
                .map(name)
                .collect();
            let facts = Facts {
                is_here: self.has(at, session),
                ..Facts::default()
            };
            let remembered = self.owners[at].get(&key(session)).cloned();
            let order: Vec<GatewayId> = match way(facts, &name(at), all.iter(), remembered.as_ref()) {
                Way::Here => Vec::new(),
                Way::Ask { first, others } => first.into_iter().chain(others).cloned().collect(),
            };
            assert!(!order.contains(&name(at)), "nobody asks themselves");
            for other in (0..GATEWAYS).filter(|other| order.contains(&name(*other))) {
                if self.has(other, session) {
                    self.owners[at].set(key(session), name(other));
                    let passed = Facts {
                        is_passed_on: true,
                        ..Facts::default()
                    };
                    let everybody: Vec<GatewayId> = (0..GATEWAYS).map(name).collect();
                    assert_eq!(way(passed, &name(other), everybody.iter(), None), Way::Here);
                    return Went::To(other);
                }
            }
            if may_begin && !self.has(at, session) {
                self.has.entry(session).or_default().push(at);
            }
            Went::Here
        }
    }

    proptest! {
        /// Proves: PR2 (P)
        #[test]
        fn a_session_is_reached_from_everywhere_whatever_gateways_knew_of_each_other(
            knows in prop::array::uniform4(prop::array::uniform4(any::<bool>())),
            requests in prop::collection::vec((0..GATEWAYS, 0..3_usize, any::<bool>()), 0..40),
            dies in prop::option::of(0..GATEWAYS),
        ) {
            let mut world = World { alive: [true; GATEWAYS], knows, has: HashMap::new(), owners: Default::default() };
            for (at, session, may_begin) in requests {
                let held = (0..GATEWAYS).any(|other| world.has(other, session) && (world.knows[at][other] || other == at));
                let before = world.has.get(&session).map_or(0, Vec::len);
                world.come(at, session, may_begin);
                let after = world.has.get(&session).map_or(0, Vec::len);
                prop_assert!(!held || before == after, "it begins only where nobody who is known has it");
            }
            if let Some(dead) = dies {
                world.alive[dead] = false;
            }
            // From now on all know all.
            world.knows = [[true; GATEWAYS]; GATEWAYS];
            for session in 0..3 {
                let is_held = (0..GATEWAYS).any(|other| world.has(other, session));
                for at in (0..GATEWAYS).filter(|at| world.alive[*at]).collect::<Vec<_>>() {
                    let went = world.come(at, session, false);
                    let reached = match went {
                        Went::Here => world.has(at, session),
                        Went::To(other) => world.has(other, session),
                    };
                    prop_assert_eq!(reached, is_held);
                }
            }
        }
    }

    /// Proves: PR2 (P)
    #[test]
    fn who_had_it_is_asked_first_and_what_is_new_asks_nobody() {
        let all = [name(0), name(1), name(2)];
        let way = |facts, remembered: Option<&GatewayId>| way(facts, &name(0), all.iter(), remembered);
        let asked = way(Facts::default(), Some(&name(2)));
        let (first, others) = (Some(&all[2]), vec![&all[1]]);
        assert_eq!(asked, Way::Ask { first, others });
        // One that is lost is not asked.
        let (first, others) = (None, vec![&all[1], &all[2]]);
        assert_eq!(way(Facts::default(), Some(&name(7))), Way::Ask { first, others });
        let is_new = Facts {
            is_new: true,
            ..Facts::default()
        };
        assert_eq!(way(is_new, None), Way::Here);
    }

    /// Proves: PR2 (P)
    #[test]
    fn no_more_owners_are_remembered_than_there_is_room_for() {
        let mut owners = Owners::default();
        for session in 0..3 * REMEMBERED {
            owners.set(key(session), name(1));
            assert!(owners.young.len() + owners.old.len() <= 2 * REMEMBERED);
        }
        assert_eq!(owners.get(&key(3 * REMEMBERED - 1)), Some(&name(1)));
        assert_eq!(owners.get(&key(0)), None);
        owners.remove(&key(3 * REMEMBERED - 1));
        assert_eq!(owners.get(&key(3 * REMEMBERED - 1)), None);
    }
}
