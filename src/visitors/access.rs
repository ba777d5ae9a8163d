//! Whether somebody may see a content item.

use std::collections::BTreeSet;

use thiserror::Error;

use super::Visitor;
use crate::api::access::{Access, AccessType};

/// Who may see a content item, as it is in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AccessRule {
    /// Everybody.
    #[default]
    All,
    /// Everybody who is known.
    LoggedIn,
    /// These alone.
    Named {
        /// Users.
        users: BTreeSet<String>,
        /// Groups.
        groups: BTreeSet<String>,
    },
}

/// What is said to somebody who comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Come in.
    Allowed,
    /// Say first who you are.
    LogIn,
    /// Not for you.
    Forbidden,
}

impl AccessRule {
    /// Whether a visitor, or somebody unknown, may see it.
    #[must_use]
    pub fn allows(&self, visitor: Option<&Visitor>) -> Verdict {
        match (self, visitor) {
            (Self::All, _) | (Self::LoggedIn, Some(_)) => Verdict::Allowed,
            (Self::LoggedIn | Self::Named { .. }, None) => Verdict::LogIn,
            (Self::Named { users, groups }, Some(visitor)) => {
                let is_member = || visitor.groups.iter().any(|group| groups.contains(group));
                if users.contains(&visitor.user) || is_member() {
                    Verdict::Allowed
                } else {
                    Verdict::Forbidden
                }
            }
        }
    }
}

/// What a server lets content items ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessLimits {
    /// Whether visitors can say who they are: `Authentication.Provider` is not `none`.
    pub has_provider: bool,
    /// `Applications.MostPermissiveAccessType`: content that says nothing gets it, and none may show itself to more.
    pub most: AccessType,
}

/// Why what a content item asks for can not be had. It is not served then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AccessRefused {
    /// Nobody can log in.
    #[error(
        "access is for those who have logged in, and nobody can: Authentication.Provider is 'none'; set it to 'pam' \
         or 'proxy', or set spec.access.type to All"
    )]
    NoProvider,
    /// It would be seen by more people than the server allows.
    #[error(
        "spec.access.type is {asked:?}, and Applications.MostPermissiveAccessType allows no more than {most:?}; set \
         spec.access.type to that, or name users or groups"
    )]
    TooPermissive {
        /// What is asked for.
        asked: AccessType,
        /// The most.
        most: AccessType,
    },
    /// Nobody is named.
    #[error(
        "spec.access names nobody, and Applications.MostPermissiveAccessType wants content to name who may see it; \
         set spec.access.type to Named, and users or groups"
    )]
    Nobody,
}

/// The rule in force for a content item that asks for this, or for nothing.
///
/// # Errors
/// [`AccessRefused`]: nobody may see it.
pub fn rule_of(access: Option<&Access>, limits: AccessLimits) -> Result<AccessRule, AccessRefused> {
    let asked = access.map_or(limits.most, |access| access.r#type);
    if asked < limits.most {
        let most = limits.most;
        return Err(AccessRefused::TooPermissive { asked, most });
    }
    if asked != AccessType::All && !limits.has_provider {
        return Err(AccessRefused::NoProvider);
    }
    let set = |names: &[String]| names.iter().cloned().collect::<BTreeSet<_>>();
    match (asked, access) {
        (AccessType::All, _) => Ok(AccessRule::All),
        (AccessType::LoggedIn, _) => Ok(AccessRule::LoggedIn),
        (AccessType::Named, Some(access)) if !access.users.is_empty() || !access.groups.is_empty() => {
            Ok(AccessRule::Named {
                users: set(&access.users),
                groups: set(&access.groups),
            })
        }
        (AccessType::Named, _) => Err(AccessRefused::Nobody),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visitor(user: &str, groups: &[&str]) -> Visitor {
        Visitor {
            user: user.to_owned(),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            uid: None,
        }
    }

    fn access(r#type: AccessType, users: &[&str], groups: &[&str]) -> Access {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Access {
            r#type,
            users: owned(users),
            groups: owned(groups),
        }
    }

    const LIMITS: AccessLimits = AccessLimits {
        has_provider: true,
        most: AccessType::All,
    };

    #[test]
    fn who_may_see_what() {
        let (ann, bob) = (visitor("ann", &["staff"]), visitor("bob", &["sales", "night"]));
        let named = |users: &[&str], groups: &[&str]| {
            rule_of(Some(&access(AccessType::Named, users, groups)), LIMITS).unwrap()
        };
        for (rule, anonymous, of_ann, of_bob) in [
            (
                AccessRule::All,
                Verdict::Allowed,
                Verdict::Allowed,
                Verdict::Allowed,
            ),
            (
                AccessRule::LoggedIn,
                Verdict::LogIn,
                Verdict::Allowed,
                Verdict::Allowed,
            ),
            (
                named(&["ann"], &[]),
                Verdict::LogIn,
                Verdict::Allowed,
                Verdict::Forbidden,
            ),
            (
                named(&[], &["night"]),
                Verdict::LogIn,
                Verdict::Forbidden,
                Verdict::Allowed,
            ),
            (
                named(&["bob"], &["staff"]),
                Verdict::LogIn,
                Verdict::Allowed,
                Verdict::Allowed,
            ),
            // A group is no user, a user no group, and names are compared as they are.
            (
                named(&["staff", "ANN"], &["ann", "sal"]),
                Verdict::LogIn,
                Verdict::Forbidden,
                Verdict::Forbidden,
            ),
        ] {
            assert_eq!(rule.allows(None), anonymous, "{rule:?}");
            assert_eq!(rule.allows(Some(&ann)), of_ann, "{rule:?}");
            assert_eq!(rule.allows(Some(&bob)), of_bob, "{rule:?}");
        }
    }

    #[test]
    fn what_can_not_be_held_is_refused() {
        let logged_in = access(AccessType::LoggedIn, &[], &[]);
        let all = access(AccessType::All, &[], &[]);
        let none = AccessLimits {
            has_provider: false,
            ..LIMITS
        };
        assert_eq!(rule_of(Some(&logged_in), none), Err(AccessRefused::NoProvider));
        let named = access(AccessType::Named, &["ann"], &[]);
        assert_eq!(rule_of(Some(&named), none), Err(AccessRefused::NoProvider));
        assert_eq!(rule_of(None, none), Ok(AccessRule::All));
        let nobody = access(AccessType::Named, &[], &[]);
        assert_eq!(rule_of(Some(&nobody), LIMITS), Err(AccessRefused::Nobody));
        let most = |most| AccessLimits { most, ..LIMITS };
        assert_eq!(
            rule_of(None, most(AccessType::LoggedIn)),
            Ok(AccessRule::LoggedIn)
        );
        assert_eq!(rule_of(None, most(AccessType::Named)), Err(AccessRefused::Nobody));
        let refused = rule_of(Some(&all), most(AccessType::Named)).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "spec.access.type is All, and Applications.MostPermissiveAccessType allows no more than Named; set \
             spec.access.type to that, or name users or groups"
        );
        assert_eq!(
            rule_of(
                None,
                AccessLimits {
                    most: AccessType::LoggedIn,
                    ..none
                }
            ),
            Err(AccessRefused::NoProvider)
        );
    }
}
