//! Why a job can not be planned: one sentence each, with what to do.

use thiserror::Error;

use super::{CurrentUserError, PlaceError, QuantityError};
use crate::content::ParameterError;
use crate::content::kinds::KindError;
use crate::identity::AccountSpecError;
use crate::runtimes::NoCandidate;

/// Why a job can not be planned.
#[derive(Debug, Error)]
pub enum PlanError {
    /// A name that becomes part of a path is no plain name.
    #[error(
        "{what} '{value}' can not be part of a path; use letters, digits, '-', '_' and '.', not '.' in front, at most 128"
    )]
    PathName {
        /// Which name.
        what: &'static str,
        /// Its value.
        value: String,
    },
    /// The kind of content that the job names is unknown (PK9).
    #[error("spec.appMode: {0}")]
    AppMode(#[from] KindError),
    /// The kind of content can not be used for the task.
    #[error("content of kind '{app_mode}' can not be used for the task {task}; {hint}")]
    TaskMismatch {
        /// Kind of content.
        app_mode: &'static str,
        /// The task.
        task: &'static str,
        /// What can be done instead.
        hint: &'static str,
    },
    /// A `Run` task without a command.
    #[error("the task Run has no command; set spec.command to the program and its arguments")]
    NoCommand,
    /// A command that is not run.
    #[error(
        "spec.command is given, but the task is {task}, which runs none; remove it or set spec.task to Run"
    )]
    UnusedCommand {
        /// The task.
        task: &'static str,
    },
    /// A command with an impossible word.
    #[error("word {index} of spec.command {problem}; correct it")]
    Command {
        /// Which word, from 0.
        index: usize,
        /// What is wrong.
        problem: &'static str,
    },
    /// A render without an entry point.
    #[error("neither the job nor the manifest names the file to render; set spec.entrypoint")]
    NoEntrypoint,
    /// An entry point outside the bundle, or one that reads as an option.
    #[error("entry point '{value}' {problem}; name a file relative to the bundle's directory")]
    Entrypoint {
        /// The entry point.
        value: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// Parameters for something that has none.
    #[error("parameter '{name}' is given, but the task {task} takes none; remove spec.parameters")]
    UnusedParameters {
        /// The first parameter.
        name: String,
        /// The task.
        task: &'static str,
    },
    /// A parameter that the report does not have, or a wrong value.
    #[error(transparent)]
    Parameters(#[from] ParameterError),
    /// No runtime fits.
    #[error(transparent)]
    Runtime(#[from] NoCandidate),
    /// The chosen runtime lacks a language that the task needs.
    #[error("runtime '{runtime}' has no {language}, which the task needs; add its installation")]
    NoInterpreter {
        /// The runtime.
        runtime: String,
        /// The language.
        language: &'static str,
    },
    /// What names an account can name none.
    #[error("{setting} '{value}' names no account: {source}; give an account's name or number")]
    AccountSpec {
        /// The setting or field.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What is wrong.
        source: AccountSpecError,
    },
    /// The account does not exist.
    #[error("{setting} '{value}' is not known to this machine; create the account or name another")]
    AccountMissing {
        /// The setting or field.
        setting: &'static str,
        /// Its value.
        value: String,
    },
    /// The account is root (RA1).
    #[error("{setting} '{value}' is root ({why}), and root never runs content; name an account without that")]
    Root {
        /// The setting or field.
        setting: &'static str,
        /// Its value.
        value: String,
        /// Which of its ids says so.
        why: &'static str,
    },
    /// The shared group does not exist (RA3).
    #[error(
        "Applications.SharedRunAsUnixGroup '{group}' is not known to this machine; create the group or name another"
    )]
    GroupMissing {
        /// The group.
        group: String,
    },
    /// The account is outside the shared group (RA3).
    #[error(
        "account '{account}' is not a member of {group}, and content runs only as members of it; add it to the group"
    )]
    NotInGroup {
        /// The account.
        account: String,
        /// The group, with the setting it comes from.
        group: String,
    },
    /// Processes as the visitor's account (CU1).
    #[error(transparent)]
    CurrentUser(#[from] CurrentUserError),
    /// Another account, asked for by an ordinary user (SB9).
    #[error(
        "spec.runAs '{asked}' is another account than yours ('{own}'); only root can run content as somebody else"
    )]
    OtherAccount {
        /// What was asked for.
        asked: String,
        /// The caller's account.
        own: String,
    },
    /// A variable's name is none.
    #[error(
        "variable '{name}' has a name that no program can read; use letters, digits and '_', no digit in front"
    )]
    VariableName {
        /// The name.
        name: String,
    },
    /// A variable that content may not set (EN4).
    #[error("variable '{name}' may not be set by content: {why}; remove it from spec.env")]
    VariableRefused {
        /// The name.
        name: String,
        /// Why.
        why: &'static str,
    },
    /// A variable that is given twice.
    #[error("variable '{name}' is given twice; remove one of the two from spec.env")]
    VariableTwice {
        /// The name.
        name: String,
    },
    /// A variable without exactly one source of its value, or with an impossible value.
    #[error("variable '{name}' {problem}; give it either a value or valueFrom")]
    VariableValue {
        /// The name.
        name: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// A mask that would hide something that has to be seen (FS6, SV5).
    #[error(
        "{setting} is {path}, and hiding that from content would hide {needed}; move one of the two elsewhere"
    )]
    MaskHides {
        /// The setting.
        setting: String,
        /// Its path.
        path: String,
        /// What would be hidden.
        needed: String,
    },
    /// A path of the settings that no mount can name.
    #[error("{setting} '{path}' is no absolute path without '..'; write it in full")]
    SettingPath {
        /// The setting.
        setting: &'static str,
        /// Its value.
        path: String,
    },
    /// The supervisor is not named by an absolute path (SV1).
    #[error("{setting} '{program}' is no absolute path; write the supervisor's program in full")]
    Supervisor {
        /// The setting.
        setting: String,
        /// The first word.
        program: String,
    },
    /// A limit that does not exist.
    #[error(
        "spec.resources has '{name}', which can not be limited{suggestion}; known are cpu, memory, pids, ephemeral-storage, and devices such as nvidia.com/gpu"
    )]
    Resource {
        /// The name.
        name: String,
        /// `; did you mean …`, or nothing.
        suggestion: String,
    },
    /// A limit that can not be read.
    #[error("spec.resources.{list}.{name}: {source}")]
    Quantity {
        /// `limits` or `requests`.
        list: &'static str,
        /// The name.
        name: String,
        /// What is wrong.
        source: QuantityError,
    },
    /// A request above its limit.
    #[error(
        "spec.resources asks for more {name} than its limit allows; lower the request or raise the limit"
    )]
    RequestAboveLimit {
        /// The name.
        name: String,
    },
    /// A request above the limit that the settings give.
    #[error(
        "spec.resources.requests asks for more {name} than {setting} gives content that names no limit; lower the request, or set spec.resources.limits.{name}"
    )]
    RequestAboveDefault {
        /// The name.
        name: &'static str,
        /// The setting.
        setting: String,
    },
    /// A number of devices that is none.
    #[error("spec.resources.{list}.{name} is '{value}'; devices are counted, so write a whole number")]
    DeviceCount {
        /// `limits` or `requests`.
        list: &'static str,
        /// The name.
        name: String,
        /// What was written.
        value: String,
    },
    /// A request of devices that differs from its limit.
    #[error(
        "spec.resources asks for one number of {name} and limits it to another; devices are given whole, so write it once, under limits"
    )]
    DeviceRequest {
        /// The name.
        name: String,
    },
    /// An account that a Pod can not run as.
    #[error("account '{account}' has the id {id}, and {place} knows none above {most}; {remedy}")]
    PodIdentity {
        /// The account.
        account: String,
        /// Its user id, or that of one of its groups.
        id: u32,
        /// What has no such id.
        place: &'static str,
        /// The highest id.
        most: u32,
        /// What to do.
        remedy: &'static str,
    },
    /// A directory for temporary files that a Pod can not have.
    #[error(
        "Server.TempDir '{path}' lies in {place}, where a Pod can have no directory for temporary files; name another, such as /tmp"
    )]
    PodTempDir {
        /// Its value.
        path: String,
        /// Where it lies.
        place: &'static str,
    },
    /// A volume of an image that would cover what a Pod needs.
    #[error(
        "image '{image}' has a volume at '{path}', which would cover {covered}; choose another path in runtimes.yaml"
    )]
    VolumePath {
        /// The image.
        image: String,
        /// Where its volume is.
        path: String,
        /// What would be covered.
        covered: String,
    },
    /// A volume of an image that is the data directory itself (FS4).
    #[error(
        "image '{image}' mounts the claim '{claim}', which holds Server.DataDir: content would see the data of all others; name another claim in runtimes.yaml"
    )]
    VolumeIsData {
        /// The image.
        image: String,
        /// The claim.
        claim: String,
    },
    /// A time limit that is none.
    #[error("spec.timeoutSeconds is {0}; use a number from 1 to 31536000, or leave it out for no limit")]
    Timeout(i64),
    /// R packages are needed, and nothing says where from.
    #[error(
        "the content needs {count} R packages, but no repository is named; set [RPackageRepository \"CRAN\"] URL, or name one in the lock file"
    )]
    NoRepository {
        /// How many packages.
        count: usize,
    },
    /// A name or version of an R package that can not be a directory's name.
    #[error(
        "the lock file names the R package '{name}', which can not be a package's name; correct the lock file"
    )]
    PackageName {
        /// The name.
        name: String,
    },
    /// One package twice.
    #[error("the lock file names the R package '{name}' twice; keep one of the two")]
    PackageTwice {
        /// The name.
        name: String,
    },
    /// Content that can not be served.
    #[error("content of kind '{app_mode}' is not served: {hint}")]
    NotServed {
        /// Kind of content.
        app_mode: &'static str,
        /// Why, and what can be done instead.
        hint: &'static str,
    },
    /// A path that an application can not have.
    #[error(transparent)]
    Place(#[from] PlaceError),
}
