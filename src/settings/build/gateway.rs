//! `[HTTP]`, `[HTTPS]`, `[HTTPRedirect]`, `[Gateway]`, and the processes of `[Scheduler]`.

use super::{Built, Reader, parse_small, read};
use crate::settings::typed_gateway::{AppDefaults, Gateway};
use crate::settings::values::{self, ValueError};

impl Reader<'_> {
    pub(super) fn gateway(&self) -> Built<Gateway> {
        const SECTION: &str = "Gateway";
        let networks = self.0.all(SECTION, "TrustedProxies").iter();
        let networks = networks.map(|found| read(found, "Gateway.TrustedProxies", values::parse_network));
        Ok(Gateway {
            address: self.parsed("Server", "Address", values::parse_address)?,
            http: self.parsed("HTTP", "Listen", values::parse_listen)?,
            https: self.parsed("HTTPS", "Listen", values::parse_listen)?,
            redirect: self.parsed("HTTPRedirect", "Listen", values::parse_listen)?,
            certificate: self.optional_path("HTTPS", "Certificate"),
            key: self.optional_path("HTTPS", "Key"),
            tls_1_3_only: self.text("HTTPS", "MinimumTLS") == "1.3",
            https_permanent: self.switch("HTTPS", "Permanent")?,
            app_domain: self.parsed(SECTION, "AppDomain", values::parse_host)?,
            queue_length: self.parsed(SECTION, "QueueLength", parse_small)?,
            session_key_file: self.optional_path(SECTION, "SessionKeyFile"),
            session_lifetime: self.parsed(SECTION, "SessionLifetime", values::parse_duration)?,
            hub_key_file: self.optional_path(SECTION, "HubKeyFile"),
            header_timeout: self.parsed(SECTION, "HeaderTimeout", values::parse_duration)?,
            max_header_size: self.parsed(SECTION, "MaxHeaderSize", values::parse_size)?,
            max_connections: self.parsed(SECTION, "MaxConnections", values::parse_count)?,
            drain_timeout: self.parsed(SECTION, "DrainTimeout", values::parse_duration)?,
            trusted_proxies: networks.collect::<Built<Vec<_>>>()?,
            access_log: self.switch(SECTION, "AccessLog")?,
        })
    }

    pub(super) fn apps(&self) -> Built<AppDefaults> {
        const SECTION: &str = "Scheduler";
        Ok(AppDefaults {
            min_processes: self.parsed(SECTION, "MinProcesses", parse_small)?,
            max_processes: self.parsed(SECTION, "MaxProcesses", parse_small)?,
            min_processes_limit: self.parsed(SECTION, "MinProcessesLimit", parse_small)?,
            max_processes_limit: self.parsed(SECTION, "MaxProcessesLimit", parse_small)?,
            max_processes_total: self.parsed(SECTION, "MaxProcessesTotal", parse_small)?,
            max_conns_per_process: self.parsed(SECTION, "MaxConnsPerProcess", parse_small)?,
            load_factor_thousandths: self.parsed(SECTION, "LoadFactor", parse_share)?,
            init_timeout: self.parsed(SECTION, "InitTimeout", values::parse_duration)?,
            idle_timeout: self.parsed(SECTION, "IdleTimeout", values::parse_duration)?,
            connection_timeout: self.parsed(SECTION, "ConnectionTimeout", values::parse_duration)?,
            read_timeout: self.parsed(SECTION, "ReadTimeout", values::parse_duration)?,
            disabled_protocols: self.texts("Applications", "DisabledProtocol"),
            reconnect_timeout: self.parsed("Client", "ReconnectTimeout", values::parse_duration)?,
        })
    }
}

/// A number from 0 to 1, in thousandths.
fn parse_share(text: &str) -> Result<u32, ValueError> {
    match u32::try_from(values::parse_thousandths(text)?) {
        Ok(share) if share <= 1000 => Ok(share),
        _ => Err(ValueError::AboveOne(text.to_owned())),
    }
}
