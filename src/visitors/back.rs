//! Addresses around logging in: where its page is, and where a visitor goes afterwards.

use std::fmt::Write as _;

/// What begins with this is the gateway's own, on every host.
pub const OWN: &str = "/__offhost__/";
/// The page to log in at.
pub const LOGIN: &str = "/__offhost__/login";
/// The page to log out at.
pub const LOGOUT: &str = "/__offhost__/logout";

/// Longer addresses are not come back to.
const LONGEST: usize = 2048;

/// Where a visitor goes after logging in: the address that was asked for, if it is a path of this host, else its root.
#[must_use]
pub fn back(asked: &str) -> &str {
    // Browsers take `//` and `/\` for the beginning of a host, and leave out tabs and the ends of lines.
    let is_path = asked.starts_with('/') && !asked.starts_with("//");
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
    let is_fine = is_path && asked.len() <= LONGEST && asked.bytes().all(plain) && !asked.starts_with(OWN);
    if is_fine { asked } else { "/" }
}

/// The address of the page to log in at, from which a visitor comes back to `target`, a path and query.
#[must_use]
pub fn login_address(target: &str) -> String {
    let mut address = format!("{LOGIN}?return=");
    for byte in back(target).bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            address.push(char::from(byte));
        } else {
            // Writing to a string can not fail.
            let _ = write!(address, "%{byte:02X}");
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::form::Form;
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_host() {
        for fine in [
            "/",
            "/content/sales/?a=b&c=%2F%2Fd",
            "/a//b",
            "/content/x/__offhost__/parameters",
        ] {
            assert_eq!(back(fine), fine);
        }
        let long = format!("/{}", "a".repeat(LONGEST));
        for bad in [
            "",
            "https://evil.example/",
            "//evil.example/",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "\t//evil.example",
            " //evil.example",
            "/a\nb",
            "/a\r\nSet-Cookie: x=y",
            "javascript:alert(1)",
            "content/sales",
            "/é",
            "/__offhost__/logout",
            &long,
        ] {
            assert_eq!(back(bad), "/", "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn an_address_comes_through_the_query(path in "/[ -~]{0,60}") {
            let address = login_address(&path);
            let query = address.split_once('?').unwrap().1;
            prop_assert!(query.bytes().all(|byte| byte.is_ascii_graphic() && !b"&\"<>#+".contains(&byte)));
            let form = Form::parse(query.as_bytes(), &["return"]).unwrap();
            prop_assert_eq!(form.text("return").unwrap(), back(&path));
        }
    }
}
