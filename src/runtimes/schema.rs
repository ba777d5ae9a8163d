//! The two forms of `runtimes.yaml` as serde types (EX4).
//!
//! Scalars are read as text by types of their own: a version never passes through a number, and each refusal
//! carries the line and column of the very value.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor, value},
};

use super::{ImageMatching, LOCAL_RUNTIME, VolumeMount, version::Version, volumes, words};

/// A whole file.
pub(super) enum Document {
    /// Nothing but comments.
    Empty,
    /// Either form.
    Entries(Vec<Entry>),
}

/// The map form; its `name` is the cluster's.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map with the key 'images'")]
struct Cluster {
    #[serde(default, rename = "name")]
    _name: Option<Text<Anything>>,
    #[serde(deserialize_with = "present")]
    images: Option<Vec<Entry>>,
}

/// One image. The keys with an underscore are those that the products' API adds when it lists environments.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an image, as a map with the key 'name'")]
pub(super) struct Entry {
    #[serde(deserialize_with = "present")]
    pub(super) name: Text<ImageName>,
    pub(super) title: Option<Text<Anything>>,
    pub(super) description: Option<Text<Anything>>,
    pub(super) matching: Option<ImageMatching>,
    pub(super) supervisor: Option<Text<SupervisorLine>>,
    pub(super) r: Option<Language>,
    pub(super) python: Option<Language>,
    pub(super) quarto: Option<Language>,
    pub(super) nodejs: Option<Language>,
    pub(super) tensorflow: Option<Language>,
    #[serde(default, deserialize_with = "volumes::distinct")]
    pub(super) volume_mounts: Vec<VolumeMount>,
    #[serde(default, rename = "id")]
    _id: IgnoredAny,
    #[serde(default, rename = "guid")]
    _guid: IgnoredAny,
    #[serde(default, rename = "created_time")]
    _created_time: IgnoredAny,
    #[serde(default, rename = "updated_time")]
    _updated_time: IgnoredAny,
    #[serde(default, rename = "cluster_name")]
    _cluster_name: IgnoredAny,
    #[serde(default, rename = "environment_type")]
    _environment_type: IgnoredAny,
    #[serde(default, rename = "managed_by")]
    _managed_by: IgnoredAny,
    #[serde(default, rename = "permissions")]
    _permissions: IgnoredAny,
}

/// The interpreters of one language.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map with the key 'installations'")]
pub(super) struct Language {
    #[serde(default, deserialize_with = "distinct")]
    pub(super) installations: Vec<Declared>,
}

/// One interpreter.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map with the keys 'version' and 'path'")]
pub(super) struct Declared {
    #[serde(deserialize_with = "present")]
    pub(super) version: Text<VersionText>,
    #[serde(deserialize_with = "present")]
    pub(super) path: Text<AbsolutePath>,
}

/// Reads a key that must be there: what can be read from a null is optional to serde unless it goes through here.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    T::deserialize(deserializer)
}

/// Refuses one version, or one path, declared twice for a language of an image.
fn distinct<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Declared>, D::Error> {
    let declared = Option::<Vec<Declared>>::deserialize(deserializer)?.unwrap_or_default();
    for (place, later) in declared.iter().enumerate() {
        for earlier in &declared[..place] {
            if earlier.version.value == later.version.value {
                return Err(de::Error::custom(format!(
                    "version {} is declared twice, at {} and at {}; keep one of them",
                    later.version.written, earlier.path.written, later.path.written
                )));
            }
            if earlier.path.value == later.path.value {
                return Err(de::Error::custom(format!(
                    "path {} is declared for version {} and for {}; an executable has one version",
                    later.path.written, earlier.version.written, later.version.written
                )));
            }
        }
    }
    Ok(declared)
}

/// What a scalar has to be.
pub(super) trait Rule {
    /// What reading it gives.
    type Value;
    /// Reads it; the error is a sentence without its end.
    fn read(text: &str) -> Result<Self::Value, String>;
}

/// A scalar as it was written, and what its rule made of it.
pub(super) struct Text<R: Rule> {
    pub(super) written: String,
    pub(super) value: R::Value,
}

/// Any text.
pub(super) enum Anything {}
/// An image reference.
pub(super) enum ImageName {}
/// A version.
pub(super) enum VersionText {}
/// An absolute path of a file in the image.
pub(super) enum AbsolutePath {}
/// A command line that starts with an absolute path; blank for none.
pub(super) enum SupervisorLine {}

impl Rule for Anything {
    type Value = ();
    fn read(_: &str) -> Result<(), String> {
        Ok(())
    }
}

impl Rule for ImageName {
    type Value = ();
    fn read(text: &str) -> Result<(), String> {
        if text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(format!(
                "'{text}' is not an image reference; write one such as registry.example.com/name:tag"
            ));
        }
        if text == LOCAL_RUNTIME {
            return Err(format!(
                "'{LOCAL_RUNTIME}' stands for this machine's own installations; name an image"
            ));
        }
        Ok(())
    }
}

impl Rule for VersionText {
    type Value = Version;
    fn read(text: &str) -> Result<Version, String> {
        Version::parse(text).map_err(|error| error.to_string())
    }
}

impl Rule for AbsolutePath {
    type Value = String;
    fn read(text: &str) -> Result<String, String> {
        let refused = |why: &str| {
            Err(format!(
                "'{text}' {why}; write the absolute path of the executable"
            ))
        };
        if !text.starts_with('/') {
            return refused("is not an absolute path");
        }
        if text.ends_with('/') || text.split('/').any(|part| part == "..") || text.contains(char::is_control)
        {
            return refused("can not be the path of an executable");
        }
        let parts: Vec<&str> = text
            .split('/')
            .filter(|part| !matches!(*part, "" | "."))
            .collect();
        Ok(parts.join("/"))
    }
}

impl Rule for SupervisorLine {
    type Value = Vec<String>;
    fn read(text: &str) -> Result<Vec<String>, String> {
        let refused = |why: String| Err(format!("the supervisor '{text}' can not be used: {why}"));
        match words::split(text) {
            Err(error) => refused(error.to_string()),
            Ok(words) if words.first().is_some_and(|program| !program.starts_with('/')) => {
                refused("it must start with an absolute path".to_owned())
            }
            Ok(words) => Ok(words),
        }
    }
}

impl<'de, R: Rule> Deserialize<'de> for Text<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Scalar<R>(PhantomData<R>);
        impl<'de, R: Rule> Visitor<'de> for Scalar<R> {
            type Value = Text<R>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }
            // A text field would take a plain `null` or `~` for the text itself; asked as an option it is seen.
            fn visit_none<E: de::Error>(self) -> Result<Text<R>, E> {
                Err(E::custom("a value is missing here; write it, or remove the key"))
            }
            fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Text<R>, D::Error> {
                inner.deserialize_str(self)
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<R>, E> {
                Ok(Text {
                    written: text.to_owned(),
                    value: R::read(text).map_err(E::custom)?,
                })
            }
        }
        deserializer.deserialize_option(Scalar(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = Document;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map with the key 'images', or a list of images")
            }
            fn visit_unit<E: de::Error>(self) -> Result<Document, E> {
                Ok(Document::Empty)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Document, A::Error> {
                let cluster = Cluster::deserialize(value::MapAccessDeserializer::new(map))?;
                Ok(Document::Entries(cluster.images.unwrap_or_default()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Document, A::Error> {
                Vec::deserialize(value::SeqAccessDeserializer::new(list)).map(Document::Entries)
            }
        }
        // One look at the kind of the root only: below it every value is asked for by its type.
        deserializer.deserialize_any(Form)
    }
}
