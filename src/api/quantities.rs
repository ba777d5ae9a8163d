//! Maps of Kubernetes' quantities, as `resources` has them. A whole number may be written as one: `cpu: 2`.

use std::collections::BTreeMap;
use std::fmt;

use schemars::{Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};

/// Reads a map of quantities.
pub(super) fn read<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    let map = BTreeMap::<String, Quantity>::deserialize(from)?;
    Ok(map
        .into_iter()
        .map(|(name, quantity)| (name, quantity.0))
        .collect())
}

/// The schema of such a map.
pub(super) fn schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 8,
        "additionalProperties": {
            "anyOf": [{ "type": "integer" }, { "type": "string" }],
            "maxLength": 32,
            "x-kubernetes-int-or-string": true,
        },
    })
}

struct Quantity(String);

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(QuantityVisitor)
    }
}

struct QuantityVisitor;

impl Visitor<'_> for QuantityVisitor {
    type Value = Quantity;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a quantity such as 2, 500m or 1Gi")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Quantity, E> {
        Ok(Quantity(text.to_owned()))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Quantity, E> {
        Ok(Quantity(number.to_string()))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Quantity, E> {
        Ok(Quantity(number.to_string()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Quantity, E> {
        Ok(Quantity(number.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Holder {
        #[serde(deserialize_with = "read")]
        map: BTreeMap<String, String>,
    }

    #[test]
    fn numbers_and_texts_are_quantities() {
        let text = "map: {a: 2, b: 0.5, c: 500m, d: 1Gi, e: \"3\", f: 1e3}";
        let expected = [
            ("a", "2"),
            ("b", "0.5"),
            ("c", "500m"),
            ("d", "1Gi"),
            ("e", "3"),
            ("f", "1000"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let yaml: Holder = serde_saphyr::from_str(text).unwrap();
        assert_eq!(yaml.map, BTreeMap::from(expected));
        let json: Holder =
            serde_json::from_str(r#"{"map": {"a": 2, "b": 0.5, "c": "1Gi", "d": -1}}"#).unwrap();
        assert_eq!(json.map["a"], "2");
        assert_eq!(json.map["b"], "0.5");
        assert_eq!(json.map["d"], "-1");
    }

    #[test]
    fn other_values_are_none() {
        for text in ["map: {a: true}", "map: {a: [1]}", "map: {a: null}"] {
            assert!(serde_saphyr::from_str::<Holder>(text).is_err(), "{text}");
        }
    }
}
