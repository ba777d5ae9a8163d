//! Who may see what is served.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who may see a content item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Access {
    /// Who in general: `All`, `LoggedIn`, or `Named` for those whom `users` and `groups` name.
    pub r#type: AccessType,
    /// Users who may see it, by the names by which they log in; with `Named` alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000), inner(length(min = 1, max = 256)))]
    pub users: Vec<String>,
    /// Groups whose members may see it; with `Named` alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000), inner(length(min = 1, max = 256)))]
    pub groups: Vec<String>,
}

/// Who in general may see a content item; what comes first shows it to more people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum AccessType {
    /// Everybody who reaches the server.
    #[default]
    All,
    /// Everybody who has logged in.
    LoggedIn,
    /// The users and groups that are named.
    Named,
}
