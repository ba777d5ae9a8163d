//! Names that real files have and this system leaves alone, so that those files are read unmodified.

use super::Known;

const fn keys(section: &'static str, keys: &'static [&'static str]) -> Known {
    Known { section, keys }
}

/// A section that is left alone as a whole.
const fn whole(section: &'static str) -> Known {
    Known { section, keys: &[] }
}

#[rustfmt::skip]
pub(super) const CONNECT: &[Known] = &[
    keys("Server", &[
        "AllowConfirmedUsers", "CompilationConcurrency", "ContentTypeSniffing", "CustomHeader",
        "DefaultContentListView", "EmailFromUserAddresses", "EmailProvider", "EmailSubjectPrefix", "EmailTo",
        "EnableSitemap", "FrameOptionsContent", "FrameOptionsDashboard", "HideEmailAddresses", "HideUsers",
        "HideVersion", "HideViewerDocumentation", "JumpStartEnabled", "LandingDir", "LoggedInWarning", "LogoutURL",
        "MailAll", "ProxyHeaderLogging", "PublicWarning", "SenderEmail", "SenderEmailDisplayName", "ServerName",
        "SourcePackageDir", "ViewerKiosk",
    ]),
    keys("Applications", &[
        "AdminMostPermissiveAccessType", "BundleReapFrequency", "DefaultAPIKeyEnv",
        "DefaultEnvironmentManagementSelection", "DefaultServerEnv", "ExplicitPublishing", "IconsEnabled",
        "ManifestEnvironmentManagementSelection", "MaxAppImageSize",
        "OAuthIntegrationsEnabled", "PackageAuditingEnabled", "PythonEnvironmentReaping", "RenderingSweepFrequency",
        "RunAsEnabled", "ScheduleConcurrency", "ShinyIsolation", "TempMounting", "ViewerCustomizedReports",
        "ViewerOnDemandReports",
    ]),
    keys("Client", &["TransportDebugging"]),
    keys("R", &[
        "EnvironmentManagement", "PackageCompilationConcurrency", "PositPackageManagerURLRewriting",
    ]),
    keys("HTTP", &["ForceSecure", "NoWarning"]),
    keys("HTTPS", &["StrictTransportSecurityMaxAge"]),
    keys("Python", &["EnvironmentManagement"]),
    keys("Packages", &["HTTPProxy", "HTTPSProxy", "NoProxy"]),
    keys("SQLite", &["Backup", "BackupFrequency", "ForeignKeyConstraints"]),
    keys("Database", &["SeedUsers"]),
    keys("Postgres", &["InstrumentationPassword", "InstrumentationURL", "MaxIdleConnections", "MaxOpenConnections"]),
    keys("Launcher", &[
        "DataDir", "Enabled", "Kubernetes", "KubernetesCACertificateData",
        "KubernetesContentServiceAccountSelection", "KubernetesDefaultServiceAccount", "KubernetesProfilesConfig",
        "KubernetesScratchPath", "KubernetesUseTemplates", "KubernetesValidateServiceAccounts", "ScratchPath", "User",
    ]),
    keys("Kubernetes", &["ConnectRuntimeDir", "DefaultResourceJobBase", "DefaultResourceServiceBase", "Enabled"]),
    keys("PAM", &["RegisterOnFirstLogin"]),
    keys("Authentication", &[
        "APIKeyAuth", "APIKeyBcryptCost", "BasicAuth", "ChallengeResponseEnabled", "CookieSweepDuration",
        "InsecureDefaultUserAPIKey", "Name", "TokenAuth",
    ]),
    keys("ProxyAuth", &[
        "EmailHeader", "FirstNameHeader", "GroupsAutoProvision", "GroupsByUniqueId", "LastNameHeader", "Logging",
        "RegisterOnFirstLogin", "RequireExternalUsernames", "RoleHeader", "UniqueIdHeader", "UsernameHeader",
    ]),
    whole("Authorization"), whole("Bootstrap"), whole("Chronicle"), whole("CORS"),
    whole("Debug"), whole("Git"),
    whole("LDAP"), whole("Licensing"), whole("LoadBalancing"), whole("Logging"), whole("Metrics"), whole("Mount"),
    whole("OAuth2"), whole("OpenTelemetry"), whole("Password"), whole("Proxy"), whole("SAML"),
    whole("SMTP"), whole("TableauIntegration"), whole("TensorFlow"),
];

#[rustfmt::skip]
pub(super) const PACKAGE_MANAGER: &[Known] = &[
    keys("Server", &["AccessLog", "AccessLogFormat", "Address", "ServiceLog"]),
    keys("Git", &["MinimumPollInterval"]),
    whole("Authentication"), whole("Bioconductor"), whole("CRAN"), whole("Database"), whole("Debug"),
    whole("Encryption"), whole("HTTP"), whole("HTTPRedirect"), whole("HTTPS"), whole("IdentityFederation"),
    whole("Launcher"), whole("Licensing"), whole("Logging"), whole("Manifest"), whole("Metrics"), whole("OpenIDConnect"),
    whole("Postgres"), whole("Proxy"), whole("PyPI"), whole("Repos"), whole("S3Storage"), whole("Storage"),
];
