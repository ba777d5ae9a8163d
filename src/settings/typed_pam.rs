//! The typed settings of `[PAM]`.

use std::time::Duration;

/// `[PAM]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pam {
    /// `PAM.Service`: checks passwords of visitors.
    pub service: String,
    /// `PAM.UseSession` (PM1).
    pub use_session: bool,
    /// `PAM.SessionService` (PM1, PM2).
    pub session_service: String,
    /// `PAM.AuthenticatedSessionService` (PM3).
    pub authenticated_session_service: String,
    /// `PAM.ForwardPassword` (PM3).
    pub forward_password: bool,
    /// `PAM.PasswordLifetime`, counted from the latest log-in (PM3).
    pub password_lifetime: Duration,
    /// `PAM.Logging`: every step, and what modules say.
    pub logging: bool,
}

impl Default for Pam {
    fn default() -> Self {
        Self {
            service: "rstudio-connect".to_owned(),
            use_session: false,
            session_service: "su".to_owned(),
            authenticated_session_service: "su".to_owned(),
            forward_password: false,
            password_lifetime: Duration::from_hours(12),
            logging: false,
        }
    }
}
