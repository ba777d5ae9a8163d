//! `[PAM]`.

use super::{Built, Reader};
use crate::settings::typed_pam::Pam;
use crate::settings::values;

impl Reader<'_> {
    pub(super) fn pam(&self) -> Built<Pam> {
        const SECTION: &str = "PAM";
        let service = |key| self.parsed(SECTION, key, values::parse_pam_service);
        Ok(Pam {
            service: service("Service")?,
            use_session: self.switch(SECTION, "UseSession")?,
            session_service: service("SessionService")?,
            authenticated_session_service: service("AuthenticatedSessionService")?,
            forward_password: self.switch(SECTION, "ForwardPassword")?,
            password_lifetime: self.parsed(SECTION, "PasswordLifetime", values::parse_duration)?,
            logging: self.switch(SECTION, "Logging")?,
        })
    }
}
