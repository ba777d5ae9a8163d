//! The flags of `offhost content`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::args::{ClusterArgs, OutputArgs};

/// Arguments of `content`.
#[derive(Debug, Args)]
pub struct ContentArgs {
    /// What to do
    #[command(subcommand)]
    pub command: ContentCommand,
}

/// What to do with content.
#[derive(Debug, Subcommand)]
pub enum ContentCommand {
    /// Deploy a directory or archive as a new bundle of a content item
    Deploy {
        /// Directory or archive
        source: PathBuf,
        /// Content item; the directory's name when not given
        #[arg(long, value_name = "NAME")]
        content: Option<String>,
        /// Where to deploy it
        #[command(flatten)]
        place: ClusterArgs,
    },
    /// List content items
    List(OutputArgs),
    /// List the results of a content item
    Results {
        /// Content item
        content: String,
        /// How to print them
        #[command(flatten)]
        output: OutputArgs,
    },
    /// List the jobs of a content item and what became of them
    Jobs {
        /// Content item
        content: String,
        /// How to print them
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Tell the history of a content item: its bundles, results and jobs, oldest first
    History {
        /// Content item
        content: String,
        /// How to print it
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Set what jobs of a content item take where they ask for nothing
    Set {
        /// Content item
        content: String,
        /// What to set
        #[command(flatten)]
        defaults: ContentDefaultsArgs,
    },
    /// Serve another result of a content item
    Activate {
        /// Content item
        content: String,
        /// Number of the result
        result: String,
        /// Variant of the report
        #[arg(long, value_name = "NAME", default_value = "default")]
        variant: String,
    },
    /// Remove a content item, or one of its results
    Remove {
        /// Content item
        content: String,
        /// Number of the result; the whole content item when not given
        #[arg(long, value_name = "NUMBER")]
        result: Option<String>,
        /// Variant of the report
        #[arg(long, value_name = "NAME", default_value = "default")]
        variant: String,
    },
}

/// What jobs of a content item take where they ask for nothing.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct ContentDefaultsArgs {
    /// Account to run as, by name or number; an empty one takes it back
    #[arg(long, value_name = "ACCOUNT")]
    pub run_as: Option<String>,
    /// Image to run in off-host; an empty one takes it back
    #[arg(long, value_name = "IMAGE")]
    pub image: Option<String>,
}
