//! How the API server is found and spoken to.
//!
//! TLS is rustls with ring: no other provider is compiled in, so rustls takes it without being told.

use std::time::Duration;

use kube::config::{InClusterError, KubeConfigOptions, KubeconfigError};
use kube::{Client, Config};
use thiserror::Error;

/// Time to reach the API server; a node that is gone answers nothing.
const CONNECT: Duration = Duration::from_secs(5);
/// Time for a request to be taken. Answers have a limit of their own where they are waited for: watches stay open.
const WRITE: Duration = Duration::from_secs(30);

/// Why there is no client.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Neither a kubeconfig nor the service account of a Pod.
    #[error(
        "there is no cluster to speak to: {kubeconfig}, and this is no Pod with a service account ({in_cluster}); set KUBECONFIG or name a context with --context"
    )]
    NoCluster {
        /// What is wrong with the kubeconfig.
        kubeconfig: Box<KubeconfigError>,
        /// What is wrong with the Pod.
        in_cluster: Box<InClusterError>,
    },
    /// The kubeconfig, or the context in it, can not be used.
    #[error("{source}; name a context of the kubeconfig with --context, or another file with KUBECONFIG")]
    Kubeconfig {
        /// What is wrong with it.
        #[source]
        source: Box<KubeconfigError>,
    },
    /// What the configuration says can not be used: a certificate, an address.
    #[error("the cluster's configuration can not be used: {source}; check its certificates and its address")]
    Unusable {
        /// What is wrong with it.
        #[source]
        source: Box<kube::Error>,
    },
}

/// Which cluster, and which namespace of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connect {
    /// Context of the kubeconfig; the current one when empty.
    pub context: Option<String>,
    /// Namespace; that of the context, or of the Pod, when empty.
    pub namespace: Option<String>,
}

/// A client and the namespace that it works in.
#[derive(Clone)]
pub struct Connection {
    /// The client.
    pub client: Client,
    /// The namespace.
    pub namespace: String,
    /// Address of the API server, for messages.
    pub server: String,
    /// What the client was made of.
    pub config: Config,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("namespace", &self.namespace)
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

/// Finds the cluster: a named context, else the kubeconfig, else the service account of the Pod this runs in.
/// Nothing is sent yet.
///
/// # Errors
/// [`ClientError`]: there is none, or what describes it can not be used.
pub async fn connect(wanted: &Connect) -> Result<Connection, ClientError> {
    let mut config = config(wanted.context.as_deref()).await?;
    config.connect_timeout = Some(CONNECT);
    config.write_timeout = Some(WRITE);
    // Whoever calls tries again at a pace of its own; the client's would hold a request for many minutes.
    config.default_retry = false;
    let namespace = wanted
        .namespace
        .clone()
        .unwrap_or_else(|| config.default_namespace.clone());
    let server = config.cluster_url.to_string();
    let client = Client::try_from(config.clone()).map_err(|source| ClientError::Unusable {
        source: Box::new(source),
    })?;
    Ok(Connection {
        client,
        namespace,
        server,
        config,
    })
}

async fn config(context: Option<&str>) -> Result<Config, ClientError> {
    let options = KubeConfigOptions {
        context: context.map(str::to_owned),
        ..KubeConfigOptions::default()
    };
    match Config::from_kubeconfig(&options).await {
        Ok(config) => Ok(config),
        Err(source) if context.is_some() || is_there(&source) => Err(ClientError::Kubeconfig {
            source: Box::new(source),
        }),
        Err(kubeconfig) => Config::incluster().map_err(|in_cluster| ClientError::NoCluster {
            kubeconfig: Box::new(kubeconfig),
            in_cluster: Box::new(in_cluster),
        }),
    }
}

/// Whether there is a kubeconfig, which then has to be right: a Pod's own cluster would be a surprise in its place.
fn is_there(error: &KubeconfigError) -> bool {
    match error {
        KubeconfigError::ReadConfig(io, _) => io.kind() != std::io::ErrorKind::NotFound,
        KubeconfigError::FindPath | KubeconfigError::CurrentContextNotSet => false,
        _ => true,
    }
}
